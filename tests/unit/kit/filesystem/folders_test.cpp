#include "kit/filesystem/folders.h"

#include "kit/filesystem/listed_device.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>

using namespace plugfs;
using namespace plugfs::kit;
using Keys = std::vector<Key>;

namespace {

struct Fixture : test::ListedDevice {
    Fixture() {
        content[root_key] = {{1, "a", Kind::file}, {2, "b", Kind::directory}, {3, "c", Kind::file}};
        content[2] = {{4, "d", Kind::file}};
    }
    // What when_listed() and when_bound() end with: an error, or 0; -1: not yet.
    Folders::Done into(int& result) {
        result = -1;
        return [&result](const Error* failed) { result = failed != nullptr ? failed->code : 0; };
    }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "who waits for a folder is called after each part, until he has what he wants") {
    std::vector<std::size_t> seen;
    folders.await(core.tree.root(), [&](const Error* failed) {
        CHECK(failed == nullptr);
        seen.push_back(core.tree.root().children.size());
        return Tree::child(core.tree.root(), "b") != nullptr;
    });
    int whole = -1;
    folders.when_listed(root_inode, into(whole));
    CHECK(turn());
    CHECK(turn());
    CHECK(seen == std::vector<std::size_t>{1, 2});
    CHECK_FALSE(folders.is_known(core.tree.root()));
    CHECK(whole == -1);
    run();
    CHECK(whole == 0);
    CHECK(seen.size() == 2);
    CHECK(asked == Keys{0, 0, 0});
    CHECK(appeared == std::vector<std::string>{"a", "b", "c"});
    // What is known is not asked for again.
    folders.when_listed(root_inode, into(whole));
    CHECK(whole == 0);
    CHECK_FALSE(turn());
}

TEST_CASE_FIXTURE(Fixture, "a listing that fails ends for all who wait, and the next look begins anew") {
    error = EIO;
    int first = -1;
    int second = -1;
    folders.when_listed(root_inode, into(first));
    folders.when_listed(root_inode, into(second));
    run();
    CHECK(first == EIO);
    CHECK(second == EIO);
    CHECK(asked.size() == 1);
    error = 0;
    folders.when_listed(root_inode, into(first));
    run();
    CHECK(first == 0);
}

TEST_CASE_FIXTURE(Fixture, "after a new session with the device a folder is found again by its name, and listed") {
    int known = -1;
    folders.when_listed(root_inode, into(known));
    run();
    REQUIRE(known == 0);
    const std::uint64_t inode = node("b").inode;
    content[root_key] = {{11, "a", Kind::file}, {12, "b", Kind::directory}, {13, "c", Kind::file}};
    content[12] = std::move(content[2]);
    content.erase(2);
    asked.clear();
    folders.when_listed(inode, into(known));
    run();
    CHECK(known == 0);
    CHECK(asked.front() == 2);
    CHECK(std::count(asked.begin(), asked.end(), Key{12}) == 1);
    CHECK(node("b").inode == inode);
    CHECK(node("b").key == 12);
    CHECK(node("b").children.size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a device whose sessions never last is given up") {
    int known = -1;
    folders.when_listed(root_inode, into(known));
    run();
    content.erase(2);
    asked.clear();
    folders.when_listed(node("b").inode, into(known));
    run();
    CHECK(known == ESTALE);
    CHECK(std::count(asked.begin(), asked.end(), Key{2}) == 1 + static_cast<int>(stale_limit));
}

TEST_CASE_FIXTURE(Fixture, "what a later listing has and has not is told to the kernel; the first one is no news") {
    int known = -1;
    folders.when_listed(root_inode, into(known));
    run();
    CHECK(told.empty());
    content[root_key] = {{1, "a", Kind::file}, {2, "b", Kind::directory}, {5, "e", Kind::file}};
    folders.list_again(root_key);
    run();
    CHECK(told == std::vector<std::string>{"name e", "removed c"});
    CHECK(Tree::child(core.tree.root(), "c") == nullptr);
    // What the device reports by itself.
    told.clear();
    folders.added(root_key, {6, "f", Kind::file});
    folders.removed(1);
    CHECK(told == std::vector<std::string>{"name f", "removed a"});
    folders.removed(99);
    folders.added(99, {7, "g", Kind::file});
    CHECK(told.size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "what is not in its folder any more is not bound any more") {
    int known = -1;
    folders.when_listed(root_inode, into(known));
    run();
    Node& gone = node("c");
    int bound = -1;
    folders.when_bound(gone, into(bound));
    CHECK(bound == 0);
    folders.keys_lost(gone, gone.key);
    CHECK_FALSE(gone.bound);
    error = ENODEV;
    folders.when_bound(gone, into(bound));
    run();
    CHECK(bound == ENODEV);
}
