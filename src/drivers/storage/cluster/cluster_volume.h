// ClusterVolume: FAT and exFAT as a Volume.
//
// Every change is written so that a pulled cable leaves the volume whole at each moment, with clusters that belong to
// nobody at worst: first what is new and that nobody refers to, then, behind a barrier, the entry in the folder, then
// what is not needed any more. Where an entry moves between two blocks of the medium, which cannot be written at once,
// it has both places for one barrier, and nothing is lost.
//
// One entry goes through three structures: Node (what is on the medium), Folder (what is remembered of a folder), Key.
#pragma once

#include "drivers/storage/cluster/volume_format.h"
#include "drivers/storage/volume_health.h"
#include "drivers/storage/volume_options.h"

namespace plugfs::storage {

class ClusterVolume : public Volume {
  public:
    struct Parts {
        std::unique_ptr<ClusterHeap> heap;
        std::unique_ptr<FolderSlots> slots;
        std::unique_ptr<VolumeFormat> format;
        Folder root;
        VolumeInfo info;
        std::string read_only_because;
        bool marked = false;  // as being changed, by somebody before
    };
    // Completes what a MoveNote says first, if the volume can be written to.
    [[nodiscard]] static Result<std::unique_ptr<Volume>> create(BlockDevice& device, Parts parts,
                                                                const VolumeOptions& options, VolumeReport report);

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
    ClusterVolume(BlockDevice& device, Parts parts, const VolumeOptions& options, VolumeReport report);

    using Slots = std::vector<std::byte>;

    // cluster_volume.cpp: what every operation needs.
    Error failed(const Error& error);  // of an operation that changes something
    // Each operation calls one of them before its first write: begin_adding() what makes things and fills them, whose
    // entries are written after what they are of (BlockDevice::write_ranked()), and need not wait for one another;
    // begin() everything else.
    [[nodiscard]] Result<void> begin();
    [[nodiscard]] Result<void> begin_adding();
    template <class T>
    [[nodiscard]] Result<T> finish(Result<T> result);
    [[nodiscard]] Result<Folder*> folder(Key key);
    [[nodiscard]] Result<Node> node(Key key, bool named);
    [[nodiscard]] Result<Node> file_to_change(Key key);
    [[nodiscard]] static Entry entry(const Node& node);
    [[nodiscard]] std::int64_t now() const;
    [[nodiscard]] Result<void> store(Node& node, BlockDevice::Rank rank);

    // cluster_volume_names.cpp: making and removing.
    [[nodiscard]] Result<Entry> do_create(Key folder, const std::string& name, Kind kind);
    [[nodiscard]] Result<void> do_remove(Key key);
    [[nodiscard]] Result<void> check_empty(Folder& folder);
    [[nodiscard]] Result<std::u16string> check_name(const std::string& name) const;

    // cluster_volume_folders.cpp: entries in their folder.
    [[nodiscard]] Result<void> load_index(Folder& folder);
    [[nodiscard]] Result<std::optional<Node>> find(Folder& folder, const std::u16string& name);
    [[nodiscard]] Result<std::uint32_t> reserve(Folder& folder, std::uint32_t count);
    [[nodiscard]] Result<void> use_end(Folder& folder, std::uint32_t first, std::uint32_t count);
    [[nodiscard]] Result<void> end_at(const Folder& folder, std::uint32_t slot);
    [[nodiscard]] Result<void> grow(Folder& folder);
    [[nodiscard]] Result<void> insert(Node& node, const Slots& slots, std::uint32_t first);
    [[nodiscard]] Result<void> erase(const Node& node);
    void index_names(const Node& node, bool add);

    // cluster_volume_rename.cpp
    struct Unit {  // slots of a folder that reach the medium together
        std::uint32_t first = 0;
        Slots slots;
        [[nodiscard]] bool has(std::uint32_t slot) const {
            return slot >= first && slot < first + slots.size() / slot_size;
        }
        [[nodiscard]] std::span<std::byte> at(std::uint32_t slot) {
            return std::span(slots).subspan((slot - first) * slot_size);
        }
    };
    [[nodiscard]] Result<Entry> do_rename(Key key, Key target_key, const std::string& name,
                                          std::optional<Key> replaced);
    [[nodiscard]] Result<Entry> move(Node& source, Folder& target, const std::u16string& name);
    [[nodiscard]] Result<bool> move_beside(const Node& source, Node& moved);
    [[nodiscard]] Result<bool> copy(const Node& source, Content& content);
    [[nodiscard]] Result<void> drop_copied(const Node& source);
    [[nodiscard]] Result<void> move_away(const Node& source, Node& moved);
    [[nodiscard]] Result<Entry> replace(Node& source, Node& target);
    [[nodiscard]] Result<void> switch_over(const Node& source, Node& result);
    [[nodiscard]] Result<Unit> unit_without(const Node& source);
    [[nodiscard]] Result<void> erase_rest(const Node& source);

    // cluster_volume_moves.cpp: entries that are in two places for a moment.
    [[nodiscard]] Result<void> note_move(const Node& source, const Node& moved);
    [[nodiscard]] Result<void> complete_move();
    [[nodiscard]] Result<std::optional<std::uint32_t>> cluster_at(std::uint64_t offset);

    // cluster_volume_writing.cpp
    [[nodiscard]] Result<void> do_write(Key key, std::uint64_t offset, std::span<const std::byte> bytes);
    [[nodiscard]] Result<void> do_resize(Key key, std::uint64_t size);
    [[nodiscard]] Result<void> put(Node& node, std::uint64_t offset, std::span<const std::byte> bytes);
    [[nodiscard]] Result<void> fill(Node& node, std::uint64_t size);
    [[nodiscard]] Result<void> lengthen(Node& node, std::uint64_t size);
    [[nodiscard]] Result<void> shorten(Node& node, std::uint64_t size);
    [[nodiscard]] Result<void> check_room(const Node& node, std::uint64_t size);

    BlockDevice& device_;
    std::unique_ptr<ClusterHeap> heap_;
    std::unique_ptr<FolderSlots> slots_;
    std::unique_ptr<VolumeFormat> format_;
    Folders folders_;
    VolumeInfo info_;
    VolumeHealth health_;
    VolumeOptions options_;
    bool was_marked_;      // when it was opened: the mark stays
    bool marked_ = false;  // by this process since it was last settled
    bool added_ = false;   // by begin_adding() since the last begin()
};

template <class T>
Result<T> ClusterVolume::finish(Result<T> result) {
    if (!result) {
        return failed(result.error());
    }
    if (auto done = device_.commit(); !done) {
        return failed(done.error());
    }
    return result;
}

}  // namespace plugfs::storage
