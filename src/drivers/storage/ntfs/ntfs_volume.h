// NtfsVolume: NTFS as a Volume, by libntfs-3g.
//
// Each operation opens what it needs, does its work on staged blocks (staged_device.h), closes everything again, and
// then takes effect as a whole (volume_changes.cpp): for a successor of this process by the commit of the block layer,
// for whoever opens the volume after a power cut by a note (redo_notes.h). One that fails has changed nothing: what was
// staged is dropped, and the library opens the volume anew.
//
//   clean -> (first change: marked as being changed) -> marked -> (settled: all is there) -> clean
//
// Each name of a file with several (hard links) is an entry of its own; DOS names are none. The volume's own files are
// hidden, reparse points (links, junctions, what Windows keeps elsewhere) left out, alternate streams not shown. What
// is encrypted is listed, and EACCES to be read. What is compressed can be read, renamed and removed.
#pragma once

#include "drivers/storage/ntfs/boot_sector.h"
#include "drivers/storage/ntfs/library.h"
#include "drivers/storage/ntfs/names.h"
#include "drivers/storage/ntfs/redo_notes.h"
#include "drivers/storage/volume.h"
#include "drivers/storage/volume_health.h"
#include "drivers/storage/volume_options.h"

#include <list>

namespace plugfs::storage::ntfs {

// What open_ntfs() has found out.
struct Opened {
    std::unique_ptr<Library> library;
    std::optional<RedoNotes> notes;  // nothing: it cannot be written to
    VolumeInfo info;
    std::string read_only_because;
};

class NtfsVolume : public Volume {
  public:
    NtfsVolume(Opened opened, const VolumeOptions& options, VolumeReport report);

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
    // A name in a folder's index.
    struct Name {
        std::u16string name;
        std::uint64_t record = 0;
        std::uint16_t sequence = 0;
    };
    // An entry: a name, and what it is of.
    struct Node {
        std::uint64_t record = 0;
        std::uint16_t sequence = 0;
        std::uint64_t folder = 0;  // its record
        std::u16string name;
        Kind kind = Kind::file;
        std::uint64_t size = 0;
        std::int64_t modified = 0;  // seconds since 1970
        std::uint32_t flags = 0;    // FILE_ATTR_FLAGS, and whatever else stands there
        unsigned names = 0;         // of the same file, DOS names aside
    };
    // The names of a folder, as they were when somebody began to list it.
    struct Snapshot {
        std::uint64_t number = 0;
        std::uint64_t changes = 0;  // changes_ then
        std::vector<Name> names;
    };
    using DataParts = std::vector<Range>;

    [[nodiscard]] BlockDevice& device() { return library_->staged().device(); }
    [[nodiscard]] std::int64_t now() const;
    template <class T>
    [[nodiscard]] Result<T> seen(Result<T> result);

    // ntfs_volume_nodes.cpp
    [[nodiscard]] Result<std::uint64_t> folder_record(Key key);
    [[nodiscard]] Result<Node> node(Key key);
    // The same with its inode, open.
    [[nodiscard]] Result<Node> node(Key key, OpenInode& inode);
    [[nodiscard]] Result<Node> node_of(const OpenInode& inode, std::uint64_t folder, const std::u16string* name,
                                       std::uint64_t hash);
    [[nodiscard]] Result<Node> listed(const Name& name, std::uint64_t folder);
    [[nodiscard]] Result<OpenInode> open_folder(std::uint64_t record);
    [[nodiscard]] Result<std::vector<Name>> names_in(std::uint64_t record);
    [[nodiscard]] Entry entry(const Node& node) const;
    void left_out(const std::u16string& name);

    // ntfs_volume_reading.cpp
    [[nodiscard]] Result<std::size_t> read_from(ntfs_attr* data, std::uint64_t offset, std::span<std::byte> out);
    [[nodiscard]] Result<void> read_runs(ntfs_attr* data, std::uint64_t offset, std::span<std::byte> out);

    // ntfs_volume_names.cpp, ntfs_volume_rename.cpp
    [[nodiscard]] Result<Entry> do_create(Key key, const std::string& name, Kind kind);
    [[nodiscard]] Result<void> do_remove(Key key);
    [[nodiscard]] Result<void> take_away(const Node& node);
    [[nodiscard]] Result<std::optional<MFT_REF>> find(const OpenInode& folder, const std::u16string& name);
    [[nodiscard]] Result<Entry> do_rename(Key key, Key folder, const std::string& name, std::optional<Key> replaced);
    [[nodiscard]] Result<void> check_replaced(const Node& source, const Node& target);
    [[nodiscard]] Result<void> add_name(const Node& node, std::uint64_t target, const std::u16string& name);
    [[nodiscard]] Result<bool> within(std::uint64_t record, std::uint64_t folder);
    void set_times(ntfs_inode* inode, std::int64_t modified);

    // ntfs_volume_writing.cpp
    [[nodiscard]] Result<Node> file_to_change(Key key, OpenInode& inode, OpenAttribute& data);
    [[nodiscard]] Result<void> do_write(Key key, std::uint64_t offset, std::span<const std::byte> bytes);
    [[nodiscard]] Result<void> write_all(ntfs_attr* data, std::uint64_t offset, std::span<const std::byte> bytes);
    [[nodiscard]] Result<void> do_resize(Key key, std::uint64_t size);
    [[nodiscard]] Result<void> shorten(Key key, std::uint64_t size);
    [[nodiscard]] Result<void> cut_or_grow(Key key, std::uint64_t size);
    [[nodiscard]] Result<DataParts> parts_of(ntfs_attr* data, std::uint64_t from, std::uint64_t to);

    // volume_changes.cpp
    [[nodiscard]] Result<void> begin();
    [[nodiscard]] Result<void> mark(bool being_changed);
    // What is staged takes effect; what of it lies in `data` is the content of a file.
    [[nodiscard]] Result<void> conclude(const DataParts& data = {});
    [[nodiscard]] Result<void> write_blocks(const StagedDevice::Blocks& blocks, BlockDevice::Use use);
    [[nodiscard]] Result<void> bring_out(const StagedDevice::Blocks& data, const StagedDevice::Blocks& rest);
    Error failed(const Error& error);
    template <class T>
    [[nodiscard]] Result<T> changed(Result<T> result);

    std::unique_ptr<Library> library_;
    std::optional<RedoNotes> notes_;
    VolumeInfo info_;
    VolumeHealth health_;
    VolumeOptions options_;
    Keys keys_;
    std::list<Snapshot> snapshots_;  // the last first
    std::uint64_t last_snapshot_ = 0;
    std::uint64_t changes_ = 0;  // operations that have changed something
    std::optional<s64> free_clusters_;
    bool left_out_seen_ = false;
    bool marked_ = false;    // by this process or its predecessor since it was last settled
    bool changing_ = false;  // an operation is under way
    bool writing_ = false;   // what it has staged is on its way to the device
};

template <class T>
Result<T> NtfsVolume::seen(Result<T> result) {
    return result ? std::move(result) : Result<T>(health_.seen(result.error()));
}

template <class T>
Result<T> NtfsVolume::changed(Result<T> result) {
    if (!result) {
        return failed(result.error());
    }
    changing_ = false;
    return result;
}

}  // namespace plugfs::storage::ntfs
