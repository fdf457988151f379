#include "common/lasting_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace plugfs {

Result<UniqueFd> create_lasting_memory() {
    UniqueFd memory(::memfd_create("plugfs-lasting", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!memory) {
        return fail(errno, "lasting memory", "memfd_create");
    }
    if (::ftruncate(memory.get(), static_cast<off_t>(lasting_memory_size)) != 0 ||
        ::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        return fail(errno, "lasting memory", "size");
    }
    return memory;
}

Result<std::span<std::byte>> map_lasting_memory(int fd) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) {
        return fail(errno, "lasting memory", "fstat");
    }
    if (status.st_size != static_cast<off_t>(lasting_memory_size)) {
        return fail(EINVAL, "lasting memory", "its size is not what this version uses");
    }
    void* base = ::mmap(nullptr, lasting_memory_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        return fail(errno, "lasting memory", "mmap");
    }
    return std::span<std::byte>(static_cast<std::byte*>(base), lasting_memory_size);
}

}  // namespace plugfs
