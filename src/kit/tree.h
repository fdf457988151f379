// Tree: the files and folders of one device as the kernel knows them.
//
// Built from what the driver lists and reports. It gives each entry an inode number, derived from its path, so that a
// later worker comes to the same one, and a name that is valid and unique in its folder. The driver's keys are not
// trusted to be sane: an entry that claims to lie in itself is refused, one that shows up in a second folder has moved.
//
// A driver that began a new session has new keys: then every entry is `unbound` until a listing finds it again, by its
// name and, where the device has one, its persistent identity. Inode and references stay.
//
// Entries that have gone stay in memory, out of reach by name, until the kernel forgets them. Used by the FUSE thread
// alone.
#pragma once

#include <plugfs/result.h>
#include <plugfs/tree.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace plugfs::kit {

// Inode of the device's folder (FUSE_ROOT_ID).
inline constexpr std::uint64_t root_inode = 1;

// Who has the content of a file.
enum class Content : std::uint8_t { driver, text, events };

// How far a folder is known. unlisted: its entries, if any, may be out of date or incomplete; ask before saying "no".
enum class Listed : std::uint8_t { no, running, yes };

struct Node {
    std::uint64_t inode = 0;
    Node* parent = nullptr;   // null for the root, and for what has gone
    std::string name;         // safe and unique in its folder
    std::string device_name;  // as the device has it, where that differs from `name`
    Key key = 0;
    bool bound = true;          // `key` is of the present session
    std::string identity;       // persistent, or empty
    std::uint64_t version = 0;  // goes up when the content has changed
    Kind kind = Kind::file;
    Content content = Content::driver;
    std::uint64_t size = 0;
    std::optional<std::int64_t> modified;
    std::uint64_t lookups = 0;   // references that the kernel holds
    std::uint64_t seen_in = 0;   // the listing of its parent that saw it last
    std::uint64_t listings = 0;  // of itself, so far; the number of the latest
    Listed listed = Listed::no;
    std::map<std::uint64_t, Node*> children;              // by inode, which is also the order of readdir
    std::unordered_map<std::string_view, Node*> by_name;  // keys are the children's own `name`
};

class Tree {
  public:
    Tree();

    [[nodiscard]] Node& root() { return *nodes_.at(root_inode); }
    [[nodiscard]] Node* find(std::uint64_t inode);
    // The entry of the driver with that key; null if it was never listed.
    [[nodiscard]] Node* find_key(Key key);
    [[nodiscard]] static Node* child(const Node& folder, std::string_view name);

    // What add() did, for the kernel's caches.
    struct Change {
        Node* node = nullptr;
        bool appeared = false;         // was not in this folder under this name
        bool content_changed = false;  // size or time differ
        std::uint64_t old_parent = 0;  // where it was before, if it has moved or been renamed
        std::string old_name;
    };
    // Adds the driver's entry to `folder`, or updates it. EINVAL: the key is root_key or the move would make a circle;
    // EEXIST: the key is that of an entry of the other kind.
    Result<Change> add(Node& folder, const Entry& entry);
    // Adds a file of the kit's own to the root. The name must be free.
    Node& add_own(std::string_view name, Content content);

    // All keys are of a session that has ended; what is listed has to be listed again.
    void unbind_all();

    // Takes an entry and all below it out of the tree.
    void remove(Node& node);
    // The kernel has dropped `count` references.
    void forget(std::uint64_t inode, std::uint64_t count);

    // "/storage/Music/a.mp3", for log lines.
    [[nodiscard]] static std::string path(const Node& node);
    [[nodiscard]] std::size_t size() const { return nodes_.size(); }

  private:
    [[nodiscard]] std::uint64_t free_inode(const Node& folder, std::string_view name) const;
    Node& create(Node& folder, std::string name);
    // An unbound entry of the folder that `entry` is, or null.
    Node* find_unbound(Node& folder, const Entry& entry);
    void attach(Node& folder, Node& node);
    static void detach(Node& node);
    void drop_if_unused(Node& node);

    std::unordered_map<std::uint64_t, std::unique_ptr<Node>> nodes_;
    std::unordered_map<Key, Node*> by_key_;
};

}  // namespace plugfs::kit
