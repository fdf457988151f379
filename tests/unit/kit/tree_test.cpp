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
    const auto other = tree.add(music, entry);
    CHECK(other->node->inode != a);
    CHECK(other->appeared);
    entry.key = 105;
    entry.persistent_identity = "A";
    entry.size = 11;
    const auto again = tree.add(music, entry);
    CHECK(again->node->inode == a);
    CHECK(again->content_changed);
    CHECK(again->node->version == 2);
    CHECK(tree.find_key(105)->bound);
}
