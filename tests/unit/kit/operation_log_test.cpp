#include "kit/operation_log.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <optional>

using namespace plugfs;
using namespace plugfs::kit;

namespace {

struct Fixture {
    UniqueFd fd;
    VaultMapping vault = [this] {
        auto made = VaultMapping::create(fd);
        REQUIRE(made.ok());
        return std::move(*made);
    }();
    std::optional<OperationLog> log{std::in_place, vault};

    // As a successor finds it.
    std::vector<OperationLog::Left> die() {
        log.emplace(vault);
        auto left = log->left();
        REQUIRE(left.ok());
        return std::move(*left);
    }
    OperationLog::Record prepare(const Operation& operation) {
        const auto record = log->prepare(operation);
        REQUIRE(record.ok());
        return *record;
    }
};

Operation rename(std::uint64_t unique) {
    return {unique, Operation::What::rename, 77, 88, {"folder", "old \xff name"}, {"another", ""}};
}

}  // namespace

TEST_CASE("a successor finds what the device was asked, and what it said") {
    Fixture fixture;
    const auto refused = fixture.prepare({5, Operation::What::create_folder, 0, 0, {"made"}, {}});
    const auto asked = fixture.prepare(rename(6));
    const auto worked = fixture.prepare({7, Operation::What::remove, 9, 0, {"a", "b", "c"}, {}});
    for (const auto record : {refused, asked, worked}) {
        fixture.log->acting(record);
    }
    fixture.log->done(refused, ENOSPC);
    fixture.log->done(worked, 0);

    auto left = fixture.die();
    REQUIRE(left.size() == 3);
    CHECK(fixture.log->under_way() == 3);
    for (const auto& each : left) {
        if (each.operation.unique == 5) {
            CHECK(each.result == ENOSPC);
            CHECK(each.operation.path == Operation::Path{"made"});
        } else if (each.operation.unique == 6) {
            CHECK_FALSE(each.result.has_value());
            CHECK(each.operation == rename(6));
        } else {
            CHECK(each.result == 0);
            CHECK(each.operation.inode == 9);
        }
        fixture.log->release(each.record);
    }
    CHECK(fixture.die().empty());
    CHECK(fixture.log->under_way() == 0);
}

TEST_CASE("what was only prepared, or is to be asked again, did not happen") {
    Fixture fixture;
    (void)fixture.prepare(rename(1));
    const auto again = fixture.prepare(rename(2));
    fixture.log->acting(again);
    fixture.log->again(again);
    CHECK(fixture.die().empty());
    CHECK(fixture.log->under_way() == 0);
}

TEST_CASE("there is an end to the records, and to what fits into one") {
    Fixture fixture;
    std::vector<OperationLog::Record> records;
    for (std::size_t i = 0; i < operation_count; ++i) {
        records.push_back(fixture.prepare(rename(i)));
    }
    const auto full = fixture.log->prepare(rename(99));
    REQUIRE_FALSE(full.ok());
    CHECK(full.error().code == EAGAIN);
    fixture.log->release(records.front());
    Operation deep = rename(99);
    deep.path.assign(operation_size / 200, std::string(200, 'x'));
    const auto too_long = fixture.log->prepare(deep);
    REQUIRE_FALSE(too_long.ok());
    CHECK(too_long.error().code == ENAMETOOLONG);
    // And it has taken none.
    CHECK(fixture.log->under_way() == operation_count - 1);
}

TEST_CASE("a damaged record is refused, whatever byte it is") {
    Fixture fixture;
    const auto record = fixture.prepare(rename(1));
    fixture.log->acting(record);
    const auto bytes = fixture.vault.operation(record);
    // From the length on to the end of what was noted; the state itself is the next test's.
    for (std::size_t at = 8; at < 16 + 25 + 2 * 2 + 2 * 4 + 16 + 7; ++at) {
        INFO("byte ", at);
        const auto good = bytes[at];
        bytes[at] ^= std::byte{0x10};
        const auto left = OperationLog(fixture.vault).left();
        REQUIRE_FALSE(left.ok());
        CHECK(left.error().code == EPROTO);
        bytes[at] = good;
    }
    CHECK(fixture.die().size() == 1);
}

TEST_CASE("a state or an error that there is not is refused") {
    Fixture fixture;
    const auto record = fixture.prepare(rename(1));
    const auto bytes = fixture.vault.operation(record);
    bytes[0] = std::byte{4};
    CHECK_FALSE(OperationLog(fixture.vault).left().ok());
    fixture.log->done(record, 5000);
    const auto left = fixture.log->left();
    REQUIRE_FALSE(left.ok());
    CHECK(left.error().detail.find("error is 5000") != std::string::npos);
}
