#include "drivers/mtp/storages.h"

#include "dataset_writer.h"
#include "scripted_responder.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::mtp;
using namespace plugfs::mtp::test;

namespace {

struct Fixture : Scripted {
    Storages storages{session, host};
    std::map<std::uint32_t, Bytes> infos;  // by id; others are refused
    std::uint16_t refusal = response::store_not_available;

    explicit Fixture(std::initializer_list<std::uint32_t> ids) {
        show(ids);
        responder.on(operation::get_storage_info, [this](const Command& command) {
            const auto found = infos.find(command.parameters[0]);
            if (found == infos.end()) {
                responder.respond(command, refusal);
                return;
            }
            responder.data(command, found->second);
            responder.respond(command, response::ok);
        });
    }
    void show(std::initializer_list<std::uint32_t> ids) {
        responder.gives(operation::get_storage_ids, handle_array(ids));
    }
    std::vector<std::uint32_t> listed() {
        std::vector<std::uint32_t> ids;
        for (const auto& storage : storages.list()) {
            ids.push_back(storage.id);
        }
        return ids;
    }
};

}  // namespace

TEST_CASE("storages are those with a medium, each once, with their names") {
    Fixture it({0x20001, 0x10001, 0x20001, 0x30000, 0xFFFFFFFF, 0});
    it.infos = {{0x10001, storage_info(u"Internal", u"LABEL")}, {0x20001, storage_info(u"", u"SD")}};
    const auto changed = it.storages.refresh();
    REQUIRE(changed);
    CHECK(*changed);
    CHECK(it.listed() == std::vector<std::uint32_t>{0x10001, 0x20001});
    CHECK(it.storages.list()[0].name() == "Internal");
    CHECK(it.storages.list()[1].name() == "SD");
    CHECK_FALSE(it.storages.incomplete());
    CHECK_FALSE(*it.storages.refresh());
    CHECK_FALSE(*it.storages.changed());
    CHECK(it.responder.count(operation::get_storage_info) == 4);
    CHECK(it.host.lines.empty());
}

TEST_CASE("storages that come, go, or get another name are a change") {
    Fixture it({0x10001});
    it.infos = {{0x10001, storage_info(u"A", u"")}, {0x20001, storage_info(u"", u"")}};
    CHECK(*it.storages.refresh());
    it.show({0x10001, 0x20001});
    CHECK(*it.storages.changed());
    CHECK(it.listed().size() == 1);  // changed() only asks
    CHECK(*it.storages.refresh());
    CHECK(it.storages.list()[1].name() == "Storage");
    it.infos[0x10001] = storage_info(u"B", u"");
    CHECK_FALSE(*it.storages.changed());
    CHECK(*it.storages.refresh());
    it.show({});
    CHECK(*it.storages.changed());
    CHECK(*it.storages.refresh());
    CHECK(it.storages.list().empty());
    CHECK(it.storages.incomplete());
}

TEST_CASE("a storage that is refused is left out and said once, until it is given") {
    Fixture it({0x10001, 0x20001});
    it.infos = {{0x10001, storage_info(u"A", u"")}};
    CHECK(*it.storages.refresh());
    CHECK(it.listed() == std::vector<std::uint32_t>{0x10001});
    CHECK(it.storages.incomplete());
    CHECK_FALSE(*it.storages.refresh());
    CHECK(it.host.lines.size() == 1);
    CHECK(it.host.logged("storage 131073: GetStorageInfo: the device answered Store_Not_Available"));
    it.infos[0x20001] = storage_info(u"B", u"");
    CHECK(*it.storages.refresh());
    CHECK_FALSE(it.storages.incomplete());
}

TEST_CASE("a storage whose info makes no sense is there all the same") {
    Fixture it({0x10001});
    it.infos = {{0x10001, bytes({1, 2, 3})}};
    CHECK(*it.storages.refresh());
    REQUIRE(it.storages.list().size() == 1);
    CHECK(it.storages.list()[0].name() == "Storage");
    CHECK(it.host.logged("StorageInfo: FilesystemType"));
}

TEST_CASE("an answer that is no list of storages changes nothing") {
    Fixture it({0x10001});
    it.infos = {{0x10001, storage_info(u"A", u"")}};
    CHECK(*it.storages.refresh());
    const auto keeps = [&](int code) {
        const auto refreshed = it.storages.refresh();
        REQUIRE_FALSE(refreshed);
        CHECK(refreshed.error().code == code);
        CHECK_FALSE(it.storages.changed());
        CHECK(it.listed() == std::vector<std::uint32_t>{0x10001});
    };
    it.responder.gives(operation::get_storage_ids, bytes({255, 255, 255, 255, 1, 0, 1, 0}));
    keeps(EIO);
    it.responder.gives(operation::get_storage_ids, {});
    keeps(EIO);
    ByteWriter many;
    many.u32le(65);
    for (std::uint32_t i = 0; i < 65; ++i) {
        many.u32le(0x10001 + i);
    }
    it.responder.gives(operation::get_storage_ids, Bytes(many.bytes().begin(), many.bytes().end()));
    keeps(EIO);
    it.responder.gives(operation::get_storage_ids, Bytes(100'000));
    keeps(EIO);
    it.responder.refuses(operation::get_storage_ids, response::session_not_open);
    keeps(ECONNRESET);
}

TEST_CASE("a device that misbehaves over one storage's info changes nothing") {
    Fixture it({0x10001, 0x20001});
    it.infos = {{0x10001, storage_info(u"A", u"")}, {0x20001, storage_info(u"B", u"")}};
    CHECK(*it.storages.refresh());
    it.infos[0x10001] = storage_info(u"C", u"");
    it.responder.once(operation::get_storage_info, [&](const Command&) { it.responder.stall(); });
    CHECK_FALSE(it.storages.refresh());
    CHECK(it.storages.list()[0].name() == "A");
    REQUIRE(it.session.recover());
    CHECK(*it.storages.refresh());
    CHECK(it.storages.list()[0].name() == "C");
}

TEST_CASE("space is the sum, and never more than there can be") {
    Fixture it({0x10001, 0x20001, 0x30001});
    const auto info = [](std::uint64_t total, std::uint64_t available) {
        auto bytes = storage_info(u"", u"");
        for (std::size_t i = 0; i < 8; ++i) {
            bytes[6 + i] = static_cast<std::byte>(total >> (8 * i));
            bytes[14 + i] = static_cast<std::byte>(available >> (8 * i));
        }
        return bytes;
    };
    CHECK(it.storages.space().total == 0);
    it.infos = {{0x10001, info(100, 40)}, {0x20001, info(50, 60)}, {0x30001, info(0, 0)}};
    CHECK(*it.storages.refresh());
    CHECK(it.storages.space().total == 150);
    CHECK(it.storages.space().available == 90);  // not more than there is of it
    it.infos[0x30001] = info(UINT64_MAX, UINT64_MAX);
    (void)it.storages.refresh();
    CHECK(it.storages.space().total == UINT64_MAX);
    CHECK(it.storages.space().available <= it.storages.space().total);
}
