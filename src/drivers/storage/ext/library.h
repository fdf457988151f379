// Library: a file system that libext2fs has open on a BlockDevice, with errors as Result.
//
// The library reads and writes the superblock, group descriptors, bitmaps and inodes, with their checksums. It keeps
// no order between writes and knows no transactions; so only single blocks are written through it, when the volume says
// so. After a change that has failed, what it has in memory is not what is on the medium: reopen().
#pragma once

#include "drivers/storage/ext/device_channel.h"
#include "drivers/storage/ext/super_block.h"

#include <memory>
#include <string>
#include <vector>

namespace plugfs::storage::ext {

using InodeNumber = ext2_ino_t;
using Inode = ext2_inode_large;

class Library {
  public:
    // Checks besides what the library does that all tables lie within the file system. `trusting`: checksums that do
    // not hold are passed over (a volume that is only read and was not closed properly).
    [[nodiscard]] static Result<std::unique_ptr<Library>> open(BlockDevice& device, bool writable, bool trusting);
    ~Library();
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;
    [[nodiscard]] Result<void> reopen();

    [[nodiscard]] ext2_filsys fs() const { return fs_; }
    [[nodiscard]] BlockDevice& device() { return *channel_.device; }
    [[nodiscard]] std::uint32_t block_size() const { return fs_->blocksize; }
    [[nodiscard]] std::uint64_t block_count() const { return ext2fs_blocks_count(fs_->super); }
    [[nodiscard]] bool checksums() const { return ext2fs_has_feature_metadata_csum(fs_->super) != 0; }
    [[nodiscard]] bool trusting() const { return trusting_; }
    // Whether these blocks are within the file system, and none of them is the superblock's or a group's table.
    [[nodiscard]] bool usable(std::uint64_t block, std::uint64_t count) const;

    // One block of metadata. EUCLEAN: there is no such block.
    [[nodiscard]] Result<std::vector<std::byte>> read_block(std::uint64_t block);
    [[nodiscard]] Result<void> write_block(std::uint64_t block, std::span<const std::byte> bytes);

    // EUCLEAN: no such inode, or its checksum does not hold.
    [[nodiscard]] Result<Inode> inode(InodeNumber number);
    [[nodiscard]] Result<void> store(InodeNumber number, const Inode& inode);
    // The whole of an inode that had been free.
    [[nodiscard]] Result<void> store_new(InodeNumber number, const Inode& inode);
    // The superblock as it is in memory: the first copy.
    [[nodiscard]] Result<void> store_super_block();

    // An error for what the library has answered: the device's, if it was that.
    [[nodiscard]] Error error(errcode_t code, const char* stage, const std::string& detail = {});
    [[nodiscard]] Result<void> result(errcode_t code, const char* stage, const std::string& detail = {}) {
        return code == 0 ? Result<void>() : Result<void>(error(code, stage, detail));
    }

  private:
    Library(BlockDevice& device, bool writable, bool trusting) : writable_(writable), trusting_(trusting) {
        channel_.device = &device;
    }
    [[nodiscard]] Result<void> check_groups();
    void add_zone(std::uint64_t block, std::uint64_t count);

    struct Zone {
        std::uint64_t first = 0;
        std::uint64_t end = 0;
    };
    DeviceChannel channel_;
    ext2_filsys fs_ = nullptr;
    bool writable_;
    bool trusting_;
    std::vector<Zone> zones_;  // of tables, in their order
};

}  // namespace plugfs::storage::ext
