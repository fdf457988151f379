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
//
// What the kernel has references to is noted elsewhere (TreeObserver), for a successor of this process: it restores
// those entries, unbound, and everything goes on as after a new session.
#pragma once

#include <plugfs/result.h>
#include <plugfs/tree.h>

#include <functional>
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

// What an entry is, and who has its content. Only what the driver listed has a key.
enum class Content : std::uint8_t {
    driver,
    text,       // device.json
    events,     // the stream of them
    controls,   // the folder of controls, and
    control,    // one of them, by its name
    view,       // a folder of links that the kit makes: tracks/ and what is in it
    link,       // a second name of another entry: the kernel sees that entry's inode
    attribute,  // a file whose content is an attribute of another one
};

// How far a folder is known. unlisted: its entries, if any, may be out of date or incomplete; ask before saying "no".
enum class Listed : std::uint8_t { no, running, yes };

// How often the same thing is asked of the driver again because its keys were of a session that has ended.
inline constexpr unsigned stale_limit = 3;

// Inodes 1 and 2 serve as the readdir offsets of "." and "..", and offsets must fit a signed 64-bit number.
inline constexpr std::uint64_t first_inode = 16;
inline constexpr std::uint64_t inode_mask = (std::uint64_t{1} << 62U) - 1;

// What a successor has to know of an entry.
struct NodeNote {
    std::uint64_t inode = 0;
    std::uint64_t parent = 0;  // inode
    std::string name;
    std::string device_name;
    std::string identity;
    Kind kind = Kind::file;
    std::uint64_t size = 0;
    std::optional<std::int64_t> modified;
    bool written = false;
    Content content = Content::driver;
};

// Told of every entry that the kernel has references to, before it gets the first, when what is noted of it changes,
// and when it has none any more.
class TreeObserver {
  public:
    virtual ~TreeObserver() = default;
    virtual void note(const NodeNote& note) = 0;
    virtual void take_back(std::uint64_t inode) = 0;
};

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
    std::uint64_t lookups = 0;  // references that the kernel holds; see Tree::reference()
    bool noted = false;         // the observer knows it
    bool settable = false;      // a control that can be set
    // Written to by us, so that its size and time may differ from what is known, and it is the same file nevertheless.
    bool written = false;
    // Its size is known only when it has been found on the device: a predecessor was writing to it.
    [[nodiscard]] bool size_unknown() const { return written && !bound; }
    std::uint64_t target = 0;          // inode of the entry that a link or an attribute belongs to; 0: not known yet
    std::vector<std::uint64_t> links;  // the links to this entry, by their own numbers
    std::uint64_t seen_in = 0;         // the listing of its parent that saw it last
    std::uint64_t listings = 0;        // of itself, so far; the number of the latest
    unsigned begun_again = 0;          // how often the driver has called for the running one to begin again
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
        std::uint64_t replaced = 0;  // inode of another entry that had this place and has gone
    };
    // Adds the driver's entry to `folder`, or updates it. EINVAL: the key is root_key or the move would make a circle;
    // EEXIST: the key is that of an entry of the other kind.
    Result<Change> add(Node& folder, const Entry& entry);
    // The driver has moved `node` at our request: it is `entry` now, in `folder`, perhaps with a new key. What had its
    // name there has to be gone by then. The content is the same. Errors as for add().
    Result<Change> move(Node& node, Node& folder, const Entry& entry);
    // What the driver says of a file that was written to at our request. The content is not news.
    void refresh(Node& node, const Entry& entry);
    // From now on its size and time may be any (Node::written).
    void will_be_written(Node& node);
    void was_not_written(Node& node);
    // An entry of the kit's own, with that name or, if it is taken by something else, one like it. One that is there
    // already stays.
    Node& add_own(Node& folder, std::string_view name, Kind kind, Content content);
    // A second name for an entry. It goes with the entry.
    Node& add_link(Node& folder, std::string_view name, Node& target);
    // The entry itself, or the one that it is a link to; never null.
    [[nodiscard]] Node& resolved(Node& node);
    // Called before a link goes because its target does.
    std::function<void(const Node& link)> link_goes;

    // All keys are of a session that has ended; what is listed has to be listed again.
    void unbind_all();

    // Takes an entry and all below it out of the tree.
    void remove(Node& node);
    // The kernel is about to be given a reference, or did not take it after all.
    void reference(Node& node);
    void unreference(Node& node) { forget(node.inode, 1); }
    // The kernel has dropped `count` references.
    void forget(std::uint64_t inode, std::uint64_t count);

    // From now on; `observer` must outlive the tree.
    void observe(TreeObserver& observer) { observer_ = &observer; }
    // Entries that the kernel knows from a predecessor; the tree must be new. They are unbound. What does not hang
    // together (no parent, a circle, a name twice) is left out. Returns how many there are.
    std::size_t restore(std::vector<NodeNote> notes);
    // All that is noted, folders before what is in them.
    void each_note(const std::function<void(const NodeNote&)>& give) const;

    // The names from the root to an entry, as the device has them.
    [[nodiscard]] static std::vector<std::string> device_path(const Node& node);
    // "/storage/Music/a.mp3", for log lines.
    [[nodiscard]] static std::string path(const Node& node);
    [[nodiscard]] std::size_t size() const { return nodes_.size(); }

  private:
    [[nodiscard]] std::uint64_t free_inode(const Node& folder, std::string_view name) const;
    Node& create(Node& folder, std::string name);
    // An unbound entry of the folder that `entry` is, or null.
    Node* find_unbound(Node& folder, const Entry& entry);
    [[nodiscard]] static bool same_identity(const Node& node, const Entry& entry);
    [[nodiscard]] static bool same_content(const Node& node, const Entry& entry);
    void attach(Node& folder, Node& node);
    static void detach(Node& node);
    void unlink(Node& node);
    void drop_if_unused(Node& node);
    [[nodiscard]] static NodeNote note_of(const Node& node);
    void note(Node& node);
    void take_back(Node& node);

    TreeObserver* observer_ = nullptr;
    std::unordered_map<std::uint64_t, std::unique_ptr<Node>> nodes_;
    std::unordered_map<Key, Node*> by_key_;
};

}  // namespace plugfs::kit
