// ExtVolume: ext2, ext3 and ext4 as a Volume.
//
// The journal is not used: a volume with one is written to only while it is empty. So every change is written in an
// order in which a pulled cable costs blocks and inodes that belong to nobody at worst, and counts that are too large;
// the volume is marked as not closed (s_state) meanwhile, and e2fsck puts that right:
//
//   bitmaps say what is taken, and it is filled - barrier - what refers to it - barrier - what is free again
//
// A name that moves has both places for one barrier, as a hard link; a folder cannot have two, but has them then.
//
// Each name of a file with several (hard links) is an entry of its own. Symbolic links, devices and the like are left
// out. A key is a folder's number and an entry's place in it (cluster/folders.h), so nothing is remembered of files.
#pragma once

#include "drivers/storage/cluster/folders.h"
#include "drivers/storage/ext/folder_blocks.h"
#include "drivers/storage/volume.h"
#include "drivers/storage/volume_health.h"
#include "drivers/storage/volume_options.h"

#include <list>
#include <unordered_map>

namespace plugfs::storage::ext {

class ExtVolume : public Volume {
  public:
    ExtVolume(std::unique_ptr<Library> library, SuperBlock super, const VolumeOptions& options, VolumeReport report);

    [[nodiscard]] const VolumeInfo& info() const override { return info_; }
    [[nodiscard]] const std::string& read_only_because() const override { return health_.read_only_because(); }
    [[nodiscard]] Result<Space> space() override;
    [[nodiscard]] Result<Listing> list(Key folder, std::uint64_t cursor) override;
    [[nodiscard]] Result<std::size_t> read(Key file, std::uint64_t offset, std::span<std::byte> out) override;
    [[nodiscard]] Result<Entry> look(Key entry) override;
    [[nodiscard]] Result<std::uint64_t> place(Key entry) override;
    [[nodiscard]] Result<Entry> create(Key folder, const std::string& name, Kind kind) override;
    [[nodiscard]] Result<void> remove(Key entry) override;
    [[nodiscard]] Result<Entry> rename(Key entry, Key folder, const std::string& name,
                                       std::optional<Key> replaced) override;
    [[nodiscard]] Result<void> write(Key file, std::uint64_t offset, std::span<const std::byte> bytes) override;
    [[nodiscard]] Result<void> resize(Key file, std::uint64_t size) override;
    [[nodiscard]] Result<Entry> flush(Key file) override;
    [[nodiscard]] Result<Entry> set_modified(Key entry, std::int64_t seconds) override;
    [[nodiscard]] Result<void> settle() override;

  private:
    // An entry of a folder, and what it is of.
    struct Node {
        Folder* folder = nullptr;
        std::uint32_t offset = 0;  // in the folder, bytes
        std::string name;          // as it is on the medium
        InodeNumber number = 0;
        Inode inode{};
        Kind kind = Kind::file;
    };
    // A folder that is being looked at.
    struct Open {
        InodeNumber number = 0;
        Inode inode{};
        BlockMap* map = nullptr;
    };

    Error failed(const Error& error);
    template <class T>
    Result<T> finish(Result<T> result);
    [[nodiscard]] Result<void> begin();
    [[nodiscard]] std::int64_t now() const;
    [[nodiscard]] static InodeNumber number_of(const Folder& folder) { return folder.content.first_cluster; }
    [[nodiscard]] BlockDevice& device() { return library_->device(); }

    // ext_volume_nodes.cpp: entries, inodes, maps.
    [[nodiscard]] Result<Folder*> folder(Key key);
    [[nodiscard]] Result<Node> node(Key key);
    [[nodiscard]] Result<Node> node_of(Folder& folder, const RawEntry& raw, std::uint32_t block_offset);
    [[nodiscard]] Result<Node> file_to_change(Key key);
    [[nodiscard]] Result<Inode> entry_inode(InodeNumber number);
    [[nodiscard]] static bool served(const Inode& inode);
    [[nodiscard]] Entry entry(const Node& node);
    [[nodiscard]] Result<Open> open(const Folder& folder);
    [[nodiscard]] FolderBlocks blocks(const Open& open) { return {*library_, open.number, open.inode, *open.map}; }
    [[nodiscard]] Result<BlockMap*> map(InodeNumber number, const Inode& inode);
    void forget_map(InodeNumber number);
    void list_block(Folder& folder, std::span<const std::byte> bytes, std::uint32_t block_offset, std::uint32_t from,
                    Listing& out);
    void left_out(const std::string& name);
    [[nodiscard]] std::uint64_t file_limit(const Inode& inode) const;
    void set_times(Inode& inode, std::int64_t seconds) const;

    // ext_volume_folders.cpp: entries in their folder.
    [[nodiscard]] Result<void> load_index(Folder& folder);
    [[nodiscard]] Result<bool> find(Folder& folder, const std::string& name, std::uint32_t& offset);
    [[nodiscard]] Result<std::uint32_t> insert(Folder& folder, InodeNumber number, const std::string& name, Kind kind);
    [[nodiscard]] Result<void> grow(Open& folder);
    [[nodiscard]] Result<void> erase(const Node& node);
    [[nodiscard]] Result<void> drop_index(Open& folder);
    [[nodiscard]] Result<void> check_empty(Folder& folder);
    [[nodiscard]] Result<void> touch_folder(const Folder& folder, int subfolders);
    void index_gap(const Folder& folder, std::uint32_t block, const std::vector<RawEntry>& entries);

    // ext_volume_names.cpp: files and folders are made and removed.
    [[nodiscard]] Result<Entry> do_create(Key key, const std::string& name, Kind kind);
    [[nodiscard]] Result<Inode> new_inode(const Inode& parent, Kind kind) const;
    [[nodiscard]] Result<void> fill_folder(InodeNumber number, Inode& inode, InodeNumber parent);
    [[nodiscard]] Result<void> check_subfolder(const Folder& folder);
    [[nodiscard]] Result<void> do_remove(Key key);
    [[nodiscard]] Result<void> drop(InodeNumber number, Kind kind);
    [[nodiscard]] Result<void> drop_attributes(const Inode& inode, InodeNumber number);

    // ext_volume_rename.cpp
    [[nodiscard]] Result<Entry> do_rename(Key key, Key target_key, const std::string& name,
                                          std::optional<Key> replaced);
    [[nodiscard]] Result<Entry> move(Node& source, Folder& target, const std::string& name);
    [[nodiscard]] Result<Entry> replace(Node& source, Node& target);
    [[nodiscard]] Result<void> add_links(InodeNumber number, int count);
    [[nodiscard]] Result<void> set_parent(InodeNumber number, const Folder& parent);

    // ext_volume_writing.cpp
    [[nodiscard]] Result<void> do_write(Key key, std::uint64_t offset, std::span<const std::byte> bytes);
    [[nodiscard]] Result<void> do_resize(Key key, std::uint64_t size);
    [[nodiscard]] Result<void> shorten(Node& node, std::uint64_t size);
    [[nodiscard]] Result<std::vector<Run>> take_missing(const BlockMap& map, InodeNumber number, std::uint64_t first,
                                                        std::uint64_t last);
    [[nodiscard]] Result<void> write_data(const BlockMap& map, std::span<const Run> added, std::uint64_t offset,
                                          std::span<const std::byte> bytes);
    [[nodiscard]] Result<void> zero_behind(const BlockMap& map, std::uint64_t size);
    enum class Order : std::uint8_t { inode_last, inode_first };
    [[nodiscard]] Result<void> apply(const MapChange& change, InodeNumber number, const Inode& inode, Order order);
    [[nodiscard]] Result<void> allow_large(std::uint64_t size);

    std::unique_ptr<Library> library_;
    Allocator allocator_;
    Folders folders_;
    std::unordered_map<std::uint32_t, std::vector<std::uint16_t>> gaps_;  // of each block of a folder with an index
    struct KnownMap {
        InodeNumber number = 0;
        std::unique_ptr<BlockMap> map;
    };
    std::list<KnownMap> maps_;  // the last used first
    VolumeInfo info_;
    VolumeHealth health_;
    VolumeOptions options_;
    bool left_out_seen_ = false;
    bool marked_ = false;     // by this process or its predecessor since it was last settled
    bool changing_ = false;   // an operation has begun to write
    bool keep_mark_ = false;  // an operation has failed half-way
};

template <class T>
Result<T> ExtVolume::finish(Result<T> result) {
    if (result) {
        if (auto done = device().commit(); !done) {
            return failed(done.error());
        }
        changing_ = false;
        return result;
    }
    return failed(result.error());
}

}  // namespace plugfs::storage::ext
