#include "virtual/player/object_store.h"

#include "temporary_folder.h"

#include <poll.h>

using namespace plugfs;
using namespace plugfs::virtual_usb;
using plugfs::test::TemporaryFolder;
using What = ObjectStore::Change::What;

namespace {

struct Fixture {
    TemporaryFolder folder;
    std::unique_ptr<ObjectStore> store;
    std::uint32_t storage = 0;
    Fixture() {
        auto created = ObjectStore::create();
        REQUIRE(created);
        store = std::move(*created);
        storage = *store->add_storage("Internal", folder.path());
    }
    // The changes, once there is one.
    std::vector<ObjectStore::Change> changes() {
        pollfd wait{store->watch_fd(), POLLIN, 0};
        REQUIRE(::poll(&wait, 1, 10'000) == 1);
        return store->changes();
    }
};

}  // namespace

TEST_CASE("storages have ids of their own, also after one was removed") {
    Fixture it;
    const TemporaryFolder other;
    const auto second = it.store->add_storage("Card", other.path());
    REQUIRE(second);
    CHECK(*second != it.storage);
    CHECK((*second & 0xFFFFU) != 0);  // 0 would be a slot without a medium
    CHECK(it.store->remove_storage(it.storage));
    CHECK_FALSE(it.store->remove_storage(it.storage));
    CHECK(it.store->storage(it.storage) == nullptr);
    const auto third = it.store->add_storage("Another", other.path());
    REQUIRE(third);
    CHECK(*third != *second);
    CHECK(it.store->storage(*third)->name == "Another");
}

TEST_CASE("objects, sorted by name") {
    Fixture it;
    it.folder.file("b/inside", std::vector<std::byte>(5));
    it.folder.file("a", {});
    const auto handles = it.store->list(it.storage, 0);
    REQUIRE(handles.size() == 2);
    CHECK(it.store->find(handles[0])->name == "a");
    const auto* folder = it.store->find(handles[1]);
    CHECK(folder->folder);
    CHECK(folder->parent == 0);
    const auto inside = it.store->list(it.storage, handles[1]);
    REQUIRE(inside.size() == 1);
    CHECK(it.store->find(inside[0])->size == 5);
    CHECK(it.store->find(inside[0])->parent == handles[1]);
    CHECK(it.store->list(it.storage, handles[0]).empty());  // no folder
    CHECK(it.store->list(it.storage, 999).empty());
    CHECK(it.store->list(999, 0).empty());
    it.folder.file("b/inside", std::vector<std::byte>(7));
    CHECK(it.store->find(inside[0])->size == 7);
}

TEST_CASE("what happens in folders that were listed is reported, once each") {
    Fixture it;
    it.folder.file("here", {});
    it.folder.file("folder/not listed", {});
    const auto handles = it.store->list(it.storage, 0);
    CHECK(it.store->changes().empty());
    std::filesystem::remove(it.folder.path() / "folder" / "not listed");
    it.folder.file("new", std::vector<std::byte>(3));
    const auto added = it.changes();
    REQUIRE_FALSE(added.empty());
    CHECK(added[0].what == What::added);
    const std::uint32_t handle = added[0].handle;
    CHECK(it.store->find(handle)->name == "new");
    for (const auto& change : added) {
        CHECK(change.handle == handle);
    }
    std::filesystem::rename(it.folder.path() / "here", it.folder.path() / "there");
    const auto moved = it.changes();
    REQUIRE(moved.size() == 2);
    CHECK(moved[0].what == What::removed);
    CHECK(moved[0].handle == handles[1]);
    CHECK(moved[1].what == What::added);
    CHECK(it.store->find(handles[1]) == nullptr);
    std::filesystem::remove(it.folder.path() / "new");
    const auto removed = it.changes();
    REQUIRE(removed.size() == 1);
    CHECK(removed[0].what == What::removed);
    CHECK(removed[0].handle == handle);
}

TEST_CASE("with new handles no old one is known, and nothing is watched") {
    Fixture it;
    it.folder.file("a", {});
    const auto handles = it.store->list(it.storage, 0);
    it.store->new_handles();
    CHECK(it.store->find(handles[0]) == nullptr);
    it.folder.file("b", {});
    CHECK(it.store->changes().empty());
}
