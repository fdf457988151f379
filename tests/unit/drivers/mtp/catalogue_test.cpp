#include "drivers/mtp/catalogue.h"

#include <doctest/doctest.h>

#include <map>
#include <set>

using namespace plugfs;
using namespace plugfs::mtp;

namespace {

constexpr Key music = 100;  // folders' keys: any numbers that are not objects'
constexpr Key other = 200;

ObjectInfo object(std::uint32_t handle, const std::string& name, std::uint64_t size = 1) {
    ObjectInfo info;
    info.handle = handle;
    info.filename = name;
    info.size = size;
    info.storage_id = 0x10001;
    info.object_format = format::mp3;
    return info;
}
ObjectInfo folder(std::uint32_t handle, const std::string& name) {
    ObjectInfo info = object(handle, name, 0);
    info.object_format = format::association;
    return info;
}

}  // namespace

TEST_CASE("an object has a key, and keeps it") {
    Catalogue catalogue;
    const Key key = catalogue.take_in(music, object(1, "a"), 1);
    REQUIRE(key != 0);
    CHECK((key >> 34U) == 1);  // beyond storages' keys
    CHECK(catalogue.take_in(music, object(1, "a"), 2) == key);
    CHECK(catalogue.take_in(music, object(2, "b"), 2) != key);
    const auto* found = catalogue.find(key);
    REQUIRE(found != nullptr);
    CHECK(found->key == key);
    CHECK(found->folder == music);
    CHECK(found->handle == 1);
    CHECK(found->storage == 0x10001);
    CHECK(found->size == 1);
    CHECK_FALSE(found->directory);
    CHECK(catalogue.current(*found));
    CHECK(catalogue.find_handle(1) == found);
    CHECK(catalogue.size() == 2);
    CHECK(catalogue.find(12345) == nullptr);
    CHECK(catalogue.find_handle(3) == nullptr);
}

TEST_CASE("an object that changes or moves keeps its key within a session") {
    Catalogue catalogue;
    const Key key = catalogue.take_in(music, object(1, "a", 10), 1);
    CHECK(catalogue.take_in(other, object(1, "renamed", 20), 0) == key);
    CHECK(catalogue.find(key)->folder == other);
    CHECK(catalogue.find(key)->size == 20);
    // Its new place is where it is found after a new session.
    catalogue.new_session();
    CHECK(catalogue.take_in(music, object(5, "a", 10), 2) != key);
    CHECK(catalogue.take_in(other, object(6, "renamed", 20), 3) == key);
}

TEST_CASE("a handle that was given to an object of the other kind is another object") {
    Catalogue catalogue;
    const Key file = catalogue.take_in(music, object(1, "a"), 1);
    const Key directory = catalogue.take_in(music, folder(1, "a"), 2);
    CHECK(directory != file);
    CHECK(catalogue.find(file) == nullptr);
    CHECK(catalogue.find(directory)->directory);
    CHECK(catalogue.size() == 1);
}

TEST_CASE("erasing") {
    Catalogue catalogue;
    const Key key = catalogue.take_in(music, object(1, "a"), 1);
    catalogue.erase(key);
    CHECK(catalogue.find(key) == nullptr);
    CHECK(catalogue.find_handle(1) == nullptr);
    CHECK(catalogue.size() == 0);
    catalogue.erase(key);
    catalogue.erase(999);
    catalogue.new_session();
    CHECK(catalogue.take_in(music, object(1, "a"), 2) != key);
}

TEST_CASE("after a new session an object is found again by its folder and name") {
    Catalogue catalogue;
    const Key a = catalogue.take_in(music, object(1, "a"), 1);
    const Key b = catalogue.take_in(music, object(2, "b"), 1);
    catalogue.new_session();
    CHECK_FALSE(catalogue.current(*catalogue.find(a)));
    CHECK(catalogue.find_handle(1) == nullptr);
    // Handles are given in another order now.
    CHECK(catalogue.take_in(music, object(1, "b"), 2) == b);
    CHECK(catalogue.take_in(music, object(2, "a"), 2) == a);
    CHECK(catalogue.find(a)->handle == 2);
    CHECK(catalogue.find_handle(1)->key == b);
    CHECK(catalogue.current(*catalogue.find(a)));
    CHECK(catalogue.take_in(music, object(3, "c"), 2) != a);
}

TEST_CASE("a name in another folder, or of the other kind, is not the object of before") {
    Catalogue catalogue;
    const Key key = catalogue.take_in(music, object(1, "a"), 1);
    catalogue.new_session();
    CHECK(catalogue.take_in(other, object(2, "a"), 2) != key);
    CHECK(catalogue.take_in(music, folder(3, "a"), 2) != key);
    CHECK(catalogue.take_in(music, object(4, "a"), 2) == key);
}

TEST_CASE("of several objects with one name each is found once, by its size where that tells") {
    Catalogue catalogue;
    const Key small = catalogue.take_in(music, object(1, "twice", 10), 1);
    const Key large = catalogue.take_in(music, object(2, "twice", 20), 1);
    CHECK(small != large);
    SUBCASE("in the other order") {
        catalogue.new_session();
        CHECK(catalogue.take_in(music, object(7, "twice", 20), 2) == large);
        CHECK(catalogue.take_in(music, object(8, "twice", 10), 2) == small);
    }
    SUBCASE("with other sizes") {
        catalogue.new_session();
        std::set<Key> keys;
        for (std::uint32_t handle = 7; handle < 10; ++handle) {
            keys.insert(catalogue.take_in(music, object(handle, "twice", 30), 2));
        }
        CHECK(keys.size() == 3);
        CHECK(keys.count(small) == 1);
        CHECK(keys.count(large) == 1);
    }
}

TEST_CASE("a listing sweeps away what it has not seen") {
    Catalogue catalogue;
    const Key a = catalogue.take_in(music, object(1, "a"), 1);
    const Key b = catalogue.take_in(music, object(2, "b"), 1);
    const Key elsewhere = catalogue.take_in(other, object(3, "c"), 2);
    catalogue.sweep(music, 1);
    CHECK(catalogue.size() == 3);
    // An event brings one while the next listing is under way.
    (void)catalogue.take_in(music, object(1, "a"), 3);
    const Key added = catalogue.take_in(music, object(4, "new"), 0);
    catalogue.sweep(music, 3);
    CHECK(catalogue.find(a) != nullptr);
    CHECK(catalogue.find(b) == nullptr);
    CHECK(catalogue.find(added) != nullptr);
    CHECK(catalogue.find(elsewhere) != nullptr);
    // An event about a known one does not make it look as if no listing had seen it.
    (void)catalogue.take_in(music, object(1, "a"), 0);
    catalogue.sweep(music, 4);
    CHECK(catalogue.find(a) == nullptr);
}

TEST_CASE("after a new session a listing sweeps away what is not there any more") {
    Catalogue catalogue;
    const Key a = catalogue.take_in(music, object(1, "a"), 1);
    const Key b = catalogue.take_in(music, object(2, "b"), 1);
    catalogue.sweep(music, 1);
    catalogue.new_session();
    CHECK(catalogue.take_in(music, object(2, "a"), 2) == a);
    catalogue.sweep(music, 2);
    CHECK(catalogue.find(b) == nullptr);
    // Erasing the one of before has not taken the handle from the one that has it now.
    REQUIRE(catalogue.find_handle(2) != nullptr);
    CHECK(catalogue.find_handle(2)->key == a);
}

TEST_CASE("many sessions, many objects: keys stay with their names, and nothing is left over") {
    Catalogue catalogue;
    std::map<std::string, Key> keys;
    constexpr std::uint32_t count = 500;
    for (std::uint32_t session = 1; session <= 20; ++session) {
        for (std::uint32_t i = 0; i < count; ++i) {
            // Another order each time, names that repeat.
            const std::uint32_t which = (i * 7 + session * 13) % count;
            const std::string name = "track " + std::to_string(which);
            const Key key = catalogue.take_in(music, object(1000 * session + i, name, which), session);
            const auto [known, fresh] = keys.try_emplace(name, key);
            CHECK(known->second == key);
            CHECK(fresh == (session == 1));
        }
        catalogue.sweep(music, session);
        CHECK(catalogue.size() == count);
        catalogue.new_session();
    }
}
