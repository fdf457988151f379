#include "kit/tree.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::kit;

namespace {

Entry file(Key key, std::string name, std::uint64_t size = 0) {
    return {.key = key, .name = std::move(name), .kind = Kind::file, .size = size};
}
Entry folder(Key key, std::string name) {
    return {.key = key, .name = std::move(name), .kind = Kind::directory};
}

}  // namespace

TEST_CASE("inodes follow from the path, so another worker comes to the same ones") {
    const auto build = [](bool reversed) {
        Tree tree;
        auto& music = *tree.add(tree.root(), folder(reversed ? 90 : 10, "Music"))->node;
        std::map<std::string, std::uint64_t> inodes;
        for (int i = 0; i < 100; ++i) {
            const int number = reversed ? 99 - i : i;
            const auto name = "track " + std::to_string(number);
            inodes[name] = tree.add(music, file(static_cast<Key>(1000 + i), name))->node->inode;
        }
        return inodes;
    };
    CHECK(build(false) == build(true));
}

TEST_CASE("names are made safe and unique, and stay so when the entry is listed again") {
    Tree tree;
    const auto first = tree.add(tree.root(), file(1, "a/b"));
    const auto second = tree.add(tree.root(), file(2, "a/b"));
    REQUIRE(first.ok());
    REQUIRE(second.ok());
    CHECK(first->node->name ==
          "a\xE2\x88\x95"
          "b");
    CHECK(second->node->name ==
          "a\xE2\x88\x95"
          "b (2)");
    const auto again = tree.add(tree.root(), file(2, "a/b", 7));
    CHECK_FALSE(again->appeared);
    CHECK(again->content_changed);
    CHECK(again->node == second->node);
    CHECK(Tree::child(tree.root(), second->node->name) == second->node);
}

TEST_CASE("a folder's own listings do not count as its parent's having seen it") {
    Tree tree;
    tree.root().listings = 1;
    auto& card = *tree.add(tree.root(), folder(1, "SD card"))->node;
    CHECK(card.seen_in == 1);
    card.listings = 2;
    REQUIRE(tree.add(card, file(2, "a")).ok());
    CHECK(card.seen_in == 1);
    CHECK(tree.find_key(2)->seen_in == 2);
}

TEST_CASE("a rename and a move keep the inode and say where the entry was") {
    Tree tree;
    auto& one = *tree.add(tree.root(), folder(1, "one"))->node;
    auto& two = *tree.add(tree.root(), folder(2, "two"))->node;
    const auto made = tree.add(one, file(3, "x"));
    const auto inode = made->node->inode;
    const auto moved = tree.add(two, file(3, "y"));
    CHECK(moved->node->inode == inode);
    CHECK(moved->old_parent == one.inode);
    CHECK(moved->old_name == "x");
    CHECK(Tree::child(one, "x") == nullptr);
    CHECK(Tree::path(*moved->node) == "/two/y");
}

TEST_CASE("a device that says a folder lies in itself is refused") {
    Tree tree;
    auto& a = *tree.add(tree.root(), folder(1, "a"))->node;
    auto& b = *tree.add(a, folder(2, "b"))->node;
    CHECK(tree.add(b, folder(1, "a")).error().code == EINVAL);
    CHECK(tree.add(a, folder(1, "a")).error().code == EINVAL);
    CHECK(tree.add(b, folder(root_key, "root")).error().code == EINVAL);
    CHECK(tree.add(tree.root(), file(2, "b")).error().code == EEXIST);
    CHECK(Tree::path(b) == "/a/b");
}

TEST_CASE("what has gone stays until the kernel forgets it, however deep") {
    Tree tree;
    Node* at = &tree.root();
    for (Key key = 1; key <= 20'000; ++key) {
        at = tree.add(*at, folder(key, "d"))->node;
    }
    at->lookups = 2;
    const auto deepest = at->inode;
    tree.remove(*tree.find_key(1));
    CHECK(tree.size() == 2);
    CHECK(tree.find(deepest) != nullptr);
    CHECK(tree.find_key(20'000) == nullptr);
    tree.forget(deepest, 1);
    CHECK(tree.find(deepest) != nullptr);
    tree.forget(deepest, 5);
    CHECK(tree.find(deepest) == nullptr);
    tree.forget(root_inode, 100);
    CHECK(tree.find(root_inode) != nullptr);
}

TEST_CASE("after a new session entries are found again by name and identity, with the same inodes") {
    Tree tree;
    auto& music = *tree.add(tree.root(), folder(1, "Music"))->node;
    music.listed = Listed::yes;
    auto entry = file(2, "a.mp3", 10);
    entry.persistent_identity = "A";
    const auto a = tree.add(music, entry)->node->inode;
    const auto first_twin = tree.add(music, file(3, "twin"))->node->inode;
    const auto second_twin = tree.add(music, file(4, "twin"))->node->inode;
    tree.unbind_all();
    CHECK(tree.find_key(2) == nullptr);
    CHECK(music.listed == Listed::no);
    CHECK_FALSE(tree.find(a)->bound);
    CHECK(tree.root().bound);

    CHECK(tree.add(tree.root(), folder(101, "Music"))->node == &music);
    CHECK(tree.add(music, file(103, "twin"))->node->inode == first_twin);
    CHECK(tree.add(music, file(104, "twin"))->node->inode == second_twin);
    // Another object under the old name is another file.
    entry.key = 102;
    entry.persistent_identity = "B";
    tree.reference(*tree.find(a));
    const auto other = tree.add(music, entry);
    CHECK(other->replaced == a);
    CHECK(other->node->inode != a);
    CHECK(other->node->name == "a.mp3");
    CHECK(other->appeared);
    // With another size it is other bytes than those that somebody has open.
    const auto b = other->node->inode;
    tree.reference(*other->node);
    tree.unbind_all();
    CHECK(tree.add(tree.root(), folder(201, "Music"))->node == &music);
    entry.key = 105;
    entry.size = 11;
    const auto again = tree.add(music, entry);
    CHECK(again->replaced == b);
    CHECK(again->node->inode != b);
    CHECK(again->appeared);
    CHECK(tree.find_key(105)->bound);
}

TEST_CASE("what was being written to is the same file, whatever object a device has made of it") {
    Tree tree;
    auto entry = file(2, "a.mp3", 10);
    entry.persistent_identity = "A";
    const auto a = tree.add(tree.root(), entry)->node->inode;
    tree.will_be_written(*tree.find(a));
    auto& moved = *tree.add(tree.root(), folder(3, "Music"))->node;
    moved.identity = "M";
    tree.unbind_all();
    entry.key = 102;
    entry.persistent_identity = "B";
    entry.size = 20;
    CHECK(tree.add(tree.root(), entry)->node->inode == a);
    // A folder is known by its name: what is in it is looked at itself.
    auto same = folder(103, "Music");
    same.persistent_identity = "N";
    CHECK(tree.add(tree.root(), same)->node == &moved);
    // Two of one name: each finds its own.
    auto x = file(5, "twin");
    x.persistent_identity = "X";
    auto y = file(6, "twin");
    y.persistent_identity = "Y";
    const auto first = tree.add(tree.root(), x)->node->inode;
    const auto second = tree.add(tree.root(), y)->node->inode;
    tree.unbind_all();
    x.key = 105;
    y.key = 106;
    CHECK(tree.add(tree.root(), y)->node->inode == second);
    CHECK(tree.add(tree.root(), x)->node->inode == first);
}

namespace {
// What an observer would keep.
struct Notes : TreeObserver {
    std::map<std::uint64_t, NodeNote> kept;
    void note(const NodeNote& note) override { kept[note.inode] = note; }
    void take_back(std::uint64_t inode) override { kept.erase(inode); }
    [[nodiscard]] std::vector<NodeNote> list() const {
        std::vector<NodeNote> notes;
        for (const auto& [inode, note] : kept) {
            notes.push_back(note);
        }
        return notes;
    }
};
}  // namespace

TEST_CASE("what the kernel has references to is noted with its folders, and restored by a successor") {
    Notes notes;
    Tree tree;
    tree.observe(notes);
    auto& music = *tree.add(tree.root(), folder(1, "Music"))->node;
    auto& album = *tree.add(music, folder(2, "Album"))->node;
    auto entry = file(3, "a/b.mp3", 10);
    entry.modified = 77;
    entry.persistent_identity = "A";
    auto& track = *tree.add(album, entry)->node;
    (void)tree.add(album, file(4, "nobody looked at it"));
    CHECK(notes.kept.empty());
    tree.reference(track);
    REQUIRE(notes.kept.size() == 3);
    entry.size = 12;
    (void)tree.add(album, entry);
    CHECK(notes.kept.at(track.inode).size == 12);

    Tree successor;
    CHECK(successor.restore(notes.list()) == 3);
    Node* found = successor.find(track.inode);
    REQUIRE(found != nullptr);
    CHECK_FALSE(found->bound);
    CHECK(Tree::path(*found) == Tree::path(track));
    CHECK(found->parent->inode == album.inode);
    // The device's listings find it again.
    auto& music_again = *successor.add(successor.root(), folder(101, "Music"))->node;
    CHECK(music_again.inode == music.inode);
    auto& album_again = *successor.add(music_again, folder(102, "Album"))->node;
    entry.key = 103;
    CHECK(successor.add(album_again, entry)->node == found);
    CHECK(found->bound);
    CHECK_FALSE(successor.add(album_again, entry)->content_changed);

    tree.forget(track.inode, 1);
    CHECK(notes.kept.count(track.inode) == 0);
    tree.reference(track);
    tree.remove(music);
    CHECK(notes.kept.empty());
}

TEST_CASE("notes that do not hang together are left out") {
    const auto note = [](std::uint64_t inode, std::uint64_t parent, std::string name, Kind kind = Kind::directory) {
        return NodeNote{inode, parent, std::move(name), "", "", kind, 0, std::nullopt};
    };
    Tree tree;
    CHECK(tree.restore({note(100, root_inode, "good"), note(101, 100, "below", Kind::file), note(102, 101, "in a file"),
                        note(103, 104, "circle"), note(104, 103, "circle"), note(105, 999, "no parent"),
                        note(1, root_inode, "root"), note(2, root_inode, "self"), note(106, root_inode, "a/b"),
                        note(107, root_inode, ".."), note(108, root_inode, ""), note(109, 109, "itself"),
                        note(UINT64_MAX, root_inode, "too large"), note(110, 100, "below")}) == 2);
    CHECK((tree.find(101) != nullptr) != (tree.find(110) != nullptr));
    CHECK(tree.find(103) == nullptr);
}

TEST_CASE("what we move keeps its inode and content, under a new name, in a new folder, with a new key") {
    Tree tree;
    auto& one = *tree.add(tree.root(), folder(1, "one"))->node;
    auto& two = *tree.add(tree.root(), folder(2, "two"))->node;
    auto& node = *tree.add(one, file(3, "old", 10))->node;
    const auto inode = node.inode;
    const auto version = node.version;
    const auto moved = tree.move(node, two, file(30, "new", 12));
    REQUIRE(moved.ok());
    CHECK(moved->node == &node);
    CHECK_FALSE(moved->content_changed);
    CHECK(node.inode == inode);
    CHECK(node.version == version);
    CHECK(node.size == 12);
    CHECK(Tree::path(node) == "/two/new");
    CHECK(one.children.empty());
    CHECK(tree.find_key(3) == nullptr);
    CHECK(tree.find_key(30) == &node);
}

TEST_CASE("a move that the device has reported itself already is no second one") {
    Tree tree;
    auto& one = *tree.add(tree.root(), folder(1, "one"))->node;
    auto& node = *tree.add(one, file(3, "old"))->node;
    tree.reference(node);
    SUBCASE("as a new object, and the old one gone") {
        (void)tree.add(one, file(4, "new"));
        tree.remove(node);
    }
    SUBCASE("as a new object only") {
        (void)tree.add(one, file(4, "new"));
    }
    const auto moved = tree.move(node, one, file(4, "new"));
    REQUIRE(moved.ok());
    CHECK(moved->node == &node);
    CHECK(Tree::path(node) == "/one/new");
    CHECK(one.children.size() == 1);
    CHECK(tree.find_key(4) == &node);
}

TEST_CASE("a folder is not moved into itself, whatever the device says") {
    Tree tree;
    auto& one = *tree.add(tree.root(), folder(1, "one"))->node;
    auto& below = *tree.add(one, folder(2, "below"))->node;
    CHECK_FALSE(tree.move(one, below, folder(1, "one")).ok());
    CHECK(one.parent == &tree.root());
}

TEST_CASE("what is being written to is the same file, whatever its size; what was written is not news") {
    Notes notes;
    Tree tree;
    tree.observe(notes);
    auto entry = file(1, "file", 10);
    entry.modified = 5;
    auto& node = *tree.add(tree.root(), entry)->node;
    tree.reference(node);
    tree.will_be_written(node);
    CHECK(notes.kept.at(node.inode).written);

    Tree successor;
    CHECK(successor.restore(notes.list()) == 1);
    auto after = file(11, "file", 999);
    after.modified = 6;
    const auto found = successor.add(successor.root(), after);
    REQUIRE(found.ok());
    CHECK(found->node->inode == node.inode);
    CHECK(found->replaced == 0);
    CHECK_FALSE(found->content_changed);
    CHECK(found->node->size == 999);

    tree.refresh(node, after);
    CHECK_FALSE(notes.kept.at(node.inode).written);
    CHECK(notes.kept.at(node.inode).size == 999);
    // From now on it is recognised by size and time again.
    Tree strict;
    CHECK(strict.restore(notes.list()) == 1);
    const auto other = strict.add(strict.root(), file(21, "file", 998));
    REQUIRE(other.ok());
    CHECK(other->replaced == node.inode);

    tree.will_be_written(node);
    tree.was_not_written(node);
    CHECK_FALSE(notes.kept.at(node.inode).written);
}
