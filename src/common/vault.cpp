#include "common/vault.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <new>
#include <utility>

namespace plugfs {

namespace {

Result<std::byte*> map_vault(int fd) {
    void* base = ::mmap(nullptr, vault_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        return fail(errno, "mmap vault");
    }
    return static_cast<std::byte*>(base);
}

}  // namespace

Result<VaultMapping> VaultMapping::create(UniqueFd& fd) {
    UniqueFd memory(::memfd_create("plugfs-vault", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!memory) {
        return fail(errno, "memfd_create vault");
    }
    // The size is sealed: a worker that shrank it would crash the supervisor at its next look (SIGBUS).
    if (::ftruncate(memory.get(), static_cast<off_t>(vault_size)) != 0 ||
        ::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        return fail(errno, "size vault");
    }
    PLUGFS_ASSIGN(auto* base, map_vault(memory.get()));
    auto* header = new (base) VaultHeader{};
    header->magic = vault_magic;
    fd = std::move(memory);
    return VaultMapping(base);
}

Result<VaultMapping> VaultMapping::open(int fd, bool& locked) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) {
        return fail(errno, "fstat vault");
    }
    if (status.st_size != static_cast<off_t>(vault_size)) {
        return fail(EINVAL, "vault", "size is not what this version uses: supervisor and driver differ");
    }
    PLUGFS_ASSIGN(auto* base, map_vault(fd));
    VaultMapping mapping(base);
    if (mapping.header().magic != vault_magic) {
        return fail(EINVAL, "vault", "magic is not what this version uses: supervisor and driver differ");
    }
    locked = ::mlock2(base, node_areas_offset, MLOCK_ONFAULT) == 0;
    fault_in({base, large_slots_offset});
    return mapping;
}

void VaultMapping::fault_in(std::span<std::byte> slots) {
    for (std::size_t at = 0; at < slots.size(); at += vault_page_size) {
        // A read-modify-write of nothing, which does not disturb what is there.
        std::atomic_ref(*reinterpret_cast<std::uint32_t*>(slots.data() + at)).fetch_or(0, std::memory_order_relaxed);
    }
}

VaultMapping::VaultMapping(VaultMapping&& other) noexcept : base_(std::exchange(other.base_, nullptr)) {}

VaultMapping& VaultMapping::operator=(VaultMapping&& other) noexcept {
    std::swap(base_, other.base_);
    return *this;
}

VaultMapping::~VaultMapping() {
    if (base_ != nullptr) {
        ::munmap(base_, vault_size);
    }
}

}  // namespace plugfs
