// VolumeFormat: what differs between FAT and exFAT: how an entry is written in its folder, which names there can be,
// and how the volume is marked. ClusterVolume does the rest.
//
// An entry is a set of slots in a row, of which one, the key slot, says where the content lies: the last one on FAT
// (the short name, behind the parts of the long one), the first one on exFAT.
#pragma once

#include "drivers/storage/cluster/folder_slots.h"

namespace plugfs::storage {

// An entry of a folder, as it is on the medium or is to be.
struct Node {
    Folder* folder = nullptr;  // that it is in
    std::uint32_t first_slot = 0;
    std::uint32_t slot_count = 0;
    std::uint32_t slot = 0;  // the key slot
    std::u16string name;     // as it is there
    std::string shown_name;  // UTF-8
    Kind kind = Kind::file;
    Content content;
    std::uint64_t size = 0;   // of a file, bytes
    std::uint64_t valid = 0;  // what has been written of it; the rest is zeroes (on FAT, all of it)
    std::optional<std::int64_t> modified;
    bool write_protected = false;  // by its attribute
    std::vector<std::byte> raw;    // FAT: the key slot; exFAT: all slots

    enum class State : std::uint8_t {
        good,
        hidden,  // the volume's own: it has slots, but nobody sees it
        broken,  // what it says cannot be
    };
    State state = State::good;
    std::string damage;  // what is wrong with it, also where it can be served nevertheless
};

class VolumeFormat {
  public:
    virtual ~VolumeFormat() = default;
    VolumeFormat() = default;
    VolumeFormat(const VolumeFormat&) = delete;
    VolumeFormat& operator=(const VolumeFormat&) = delete;

    // The largest file, in bytes.
    [[nodiscard]] virtual std::uint64_t file_limit() const = 0;
    // Whether the part of a file that has not been written reads as zeroes by what its entry says.
    [[nodiscard]] virtual bool knows_valid_length() const = 0;

    // Reading. The next entry, or that there are no more, or none of either after some thousand slots.
    struct Step {
        std::optional<Node> node;
        bool end = false;
        std::uint32_t end_slot = 0;  // with `end`: the first that was never used
    };
    [[nodiscard]] virtual Result<Step> next(Folder& folder, SlotReader& reader) = 0;
    // The entry with this key slot; `named`: with its name, its number of slots. ESTALE: there is none. EUCLEAN: it is
    // broken.
    [[nodiscard]] virtual Result<Node> at(Folder& folder, std::uint32_t slot, bool named) = 0;

    // Names. EINVAL, ENAMETOOLONG: it cannot be one.
    [[nodiscard]] virtual Result<void> check_name(const std::u16string& name) const = 0;
    [[nodiscard]] virtual std::uint64_t hash(const std::u16string& name) const = 0;
    [[nodiscard]] virtual bool is_named(const Node& node, const std::u16string& name) const = 0;
    // All that the entry is found by.
    [[nodiscard]] virtual std::vector<std::uint64_t> hashes(const Node& node) const = 0;

    // Writing. The slots of `node` with its new `name`; attributes and times are those of node.raw if it has any. Sets
    // raw, slot_count. `index` is that of the folder it will be in, without the entry itself.
    [[nodiscard]] virtual Result<std::vector<std::byte>> encode(Node& node, const NameIndex& index) = 0;
    // Which of `count` slots is the key slot.
    [[nodiscard]] virtual std::uint32_t key_slot(std::uint32_t count) const = 0;
    // How many of its slots must reach the medium together with the key slot.
    [[nodiscard]] virtual std::uint32_t slots_with_key() const = 0;
    // Puts content, size and time into raw; returns the slots from the key slot on that have changed.
    [[nodiscard]] virtual std::vector<std::byte> update(Node& node) const = 0;
    // Takes over everything but name and place from another entry.
    virtual void take_over(Node& node, const Node& from) const = 0;
    // Marks a slot as not used any more.
    virtual void free_slot(std::span<std::byte> slot) const = 0;

    // Folders. What the first cluster of a new one begins with.
    [[nodiscard]] virtual std::vector<std::byte> folder_start(const Node& node) const = 0;
    // The folder lies in another one now.
    [[nodiscard]] virtual Result<void> folder_moved(const Node& node) = 0;
    // Where its slot lies that says so, from the start of the folder's content, and what that is to say: for a
    // MoveNote. Nothing: there is none.
    struct ParentSlot {
        std::uint64_t offset = 0;
        std::uint32_t cluster = 0;
    };
    [[nodiscard]] virtual std::optional<ParentSlot> parent_slot(const Node& node) const = 0;
    virtual void put_parent(std::span<std::byte> slot, std::uint32_t cluster) const = 0;
    // Whether the folder's own entry says how long it is.
    [[nodiscard]] virtual bool knows_folder_length() const = 0;

    // Moves between units. Where a MoveNote can lie on the device; 0: nowhere.
    [[nodiscard]] virtual std::uint64_t note_offset() = 0;
    // The first cluster by the last of the slots that must reach the medium together (slots_with_key()); nothing: it is
    // not one that is used.
    [[nodiscard]] virtual std::optional<std::uint32_t> cluster_in(std::span<const std::byte> slot) const = 0;

    // The mark on the volume that it is being changed.
    [[nodiscard]] virtual Result<void> mark(bool changing) = 0;
    // Hints for the next one who opens it: free clusters.
    [[nodiscard]] virtual Result<void> write_summary() = 0;
};

}  // namespace plugfs::storage
