// KernelDisk: the same measurements on the kernel's block device, with direct I/O: what there is to compare with.
#pragma once

#include "common/unique_fd.h"
#include "drivers/storage/logical_unit.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <memory>

namespace plugfs::storage {

class KernelDisk final : public LogicalUnit {
  public:
    static Result<std::unique_ptr<LogicalUnit>> create(const std::string& path) {
        UniqueFd file(::open(path.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC));
        if (!file) {
            return fail(errno, path);
        }
        return std::unique_ptr<LogicalUnit>(new KernelDisk(std::move(file)));
    }
    [[nodiscard]] const UnitIdentity& identity() const override { return identity_; }
    [[nodiscard]] Result<Medium> open() override {
        std::uint64_t size = 0;
        int block_size = 0;
        if (::ioctl(file_.get(), BLKGETSIZE64, &size) != 0 || ::ioctl(file_.get(), BLKSSZGET, &block_size) != 0) {
            return fail(errno, "block device");
        }
        block_size_ = static_cast<std::uint32_t>(block_size);
        return Medium{.block_size = block_size_, .block_count = size / block_size_};
    }
    [[nodiscard]] Result<void> check() override { return {}; }
    [[nodiscard]] Result<void> read(std::uint64_t block, std::span<std::byte> out) override {
        return moved(::pread(file_.get(), out.data(), out.size(), static_cast<off_t>(block * block_size_)), out.size());
    }
    [[nodiscard]] Result<void> write(std::uint64_t block, std::span<const std::byte> bytes) override {
        return moved(::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(block * block_size_)),
                     bytes.size());
    }
    [[nodiscard]] Result<void> synchronize() override {
        return ::fdatasync(file_.get()) == 0 ? Result<void>() : fail(errno, "fdatasync");
    }
    void begin_write(std::uint64_t block, std::span<const std::byte> bytes) override { result_ = write(block, bytes); }
    void begin_synchronize() override { result_ = synchronize(); }
    [[nodiscard]] bool finished() override { return true; }
    [[nodiscard]] Result<void> finish() override { return result_; }
    [[nodiscard]] Result<void> unmap(std::uint64_t, std::uint64_t) override { return fail(ENOTSUP, "unmap"); }
    [[nodiscard]] Result<void> prevent_removal(bool) override { return {}; }
    [[nodiscard]] Result<void> eject() override { return fail(ENOTSUP, "eject"); }
    [[nodiscard]] std::size_t best_transfer() const override { return std::size_t{1} << 20U; }

  private:
    explicit KernelDisk(UniqueFd file) : file_(std::move(file)) {}
    static Result<void> moved(ssize_t got, std::size_t wanted) {
        if (got < 0) {
            return fail(errno, "block device");
        }
        return static_cast<std::size_t>(got) == wanted ? Result<void>() : fail(EIO, "block device", "short");
    }
    UniqueFd file_;
    UnitIdentity identity_;
    std::uint32_t block_size_ = 512;
    Result<void> result_;  // of what was begun last
};

}  // namespace plugfs::storage
