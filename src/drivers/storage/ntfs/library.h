// Library: a volume that libntfs-3g has open on a StagedDevice, with errors as Result.
//
// The library keeps some of the volume's own files open ($MFT, $Bitmap, ...); what it has changed of them is written
// when write_out() says so. After a change that has failed, what it has in memory is not what is on the medium:
// reopen(). What it says of itself becomes the detail of errors, and nothing else: never a line on stderr.
#pragma once

#include "drivers/storage/ntfs/device_operations.h"

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace plugfs::storage::ntfs {

// A field of the library's structures whose type is one of C's enumerations: on a volume any value stands there, which
// C does not mind.
template <typename Enumeration>
[[nodiscard]] auto bits_of(const Enumeration& field) {
    std::underlying_type_t<Enumeration> bits{};
    std::memcpy(&bits, &field, sizeof bits);
    return bits;
}

// An inode that is open. The library must not have one open twice, but for the volume's own.
class OpenInode {
  public:
    OpenInode() = default;
    explicit OpenInode(ntfs_inode* inode) : inode_(inode) {}
    ~OpenInode() { drop(); }
    OpenInode(OpenInode&& other) noexcept : inode_(std::exchange(other.inode_, nullptr)) {}
    OpenInode& operator=(OpenInode&& other) noexcept {
        std::swap(inode_, other.inode_);
        return *this;
    }
    OpenInode(const OpenInode&) = delete;
    OpenInode& operator=(const OpenInode&) = delete;

    [[nodiscard]] ntfs_inode* get() const { return inode_; }
    ntfs_inode* operator->() const { return inode_; }
    // Somebody else closes it.
    [[nodiscard]] ntfs_inode* release() { return std::exchange(inode_, nullptr); }
    // Closes it and writes what has changed of it. False: errno says why.
    [[nodiscard]] bool close();
    // The same for one that has just been made in `parent`, which is open.
    [[nodiscard]] bool close_in(const OpenInode& parent);

  private:
    void drop();
    ntfs_inode* inode_ = nullptr;
};

struct CloseAttribute {
    void operator()(ntfs_attr* attribute) const { ntfs_attr_close(attribute); }
};
using OpenAttribute = std::unique_ptr<ntfs_attr, CloseAttribute>;
struct EndSearch {
    void operator()(ntfs_attr_search_ctx* search) const { ntfs_attr_put_search_ctx(search); }
};
using AttributeSearch = std::unique_ptr<ntfs_attr_search_ctx, EndSearch>;

class Library {
  public:
    // Errors: the device's, EUCLEAN.
    [[nodiscard]] static Result<std::unique_ptr<Library>> open(BlockDevice& device, bool writable);
    ~Library();
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;
    // Opens it anew, without what was staged.
    [[nodiscard]] Result<void> reopen();

    [[nodiscard]] ntfs_volume* volume() const { return volume_; }
    [[nodiscard]] StagedDevice& staged() { return staged_; }
    [[nodiscard]] DeviceChannel& channel() { return channel_; }
    [[nodiscard]] std::uint32_t cluster_size() const { return volume_->cluster_size; }

    // ESTALE: it is free.
    [[nodiscard]] Result<OpenInode> inode(std::uint64_t record);
    // An attribute of `inode`, which stays open; null: it has none.
    [[nodiscard]] Result<OpenAttribute> attribute(ntfs_inode* inode, ATTR_TYPES type);
    [[nodiscard]] Result<AttributeSearch> search(ntfs_inode* inode);
    // What the library has changed of the volume's own files is staged.
    [[nodiscard]] Result<void> write_out();

    // An error for errno as the library has left it: the device's, if it was that.
    [[nodiscard]] Error error(const char* stage, const std::string& detail = {});
    // For each call of the library's that is to be told of: what it has said before is forgotten.
    void begin();

  private:
    Library(BlockDevice& device, bool writable) : staged_(device), writable_(writable) { channel_.device = &staged_; }
    void close();

    StagedDevice staged_;
    DeviceChannel channel_;
    ntfs_volume* volume_ = nullptr;
    bool writable_;
};

}  // namespace plugfs::storage::ntfs
