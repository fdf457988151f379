#include "kit/request_slots.h"

#include <linux/fuse.h>

#include <doctest/doctest.h>

#include <cstring>

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

    // What the kernel does.
    static void deliver(std::span<std::byte> slot, std::uint64_t unique, std::uint32_t length) {
        fuse_in_header header{};
        header.len = length;
        header.unique = unique;
        std::memset(slot.data(), static_cast<int>(unique & 0xffU), length);
        std::memcpy(slot.data(), &header, sizeof header);
    }
    static std::uint64_t unique_of(std::span<const std::byte> slot) {
        fuse_in_header header{};
        std::memcpy(&header, slot.data(), sizeof header);
        return header.unique;
    }
};

}  // namespace

TEST_CASE("small requests move to small slots, large ones stay, and all are found by a successor") {
    Fixture fixture;
    RequestSlots slots(fixture.vault);
    const auto small = slots.reading_slot();
    Fixture::deliver(small, 7, 100);
    const auto moved = slots.settle(small, 100);
    CHECK(moved.data() != small.data());
    CHECK(moved[99] == std::byte{7});
    const auto large = slots.reading_slot();
    CHECK(large.data() == small.data());
    Fixture::deliver(large, 5, 500'000);
    CHECK(slots.settle(large, 500'000).data() == large.data());

    RequestSlots successor(fixture.vault);
    const auto left = successor.unanswered();
    REQUIRE(left.size() == 2);
    CHECK(Fixture::unique_of(left[0]) == 5);
    CHECK(Fixture::unique_of(left[1]) == 7);
    successor.answered(5);
    successor.answered(7);
    successor.answered(99);
    CHECK(RequestSlots(fixture.vault).unanswered().empty());
}

TEST_CASE("a request that was being moved when the worker died is found once") {
    Fixture fixture;
    Fixture::deliver(fixture.vault.large_slot(0), 11, 200);
    Fixture::deliver(fixture.vault.small_slot(3), 11, 200);
    RequestSlots successor(fixture.vault);
    CHECK(successor.unanswered().size() == 1);
    successor.answered(11);
    CHECK(RequestSlots(fixture.vault).unanswered().empty());
}

TEST_CASE("requests that want no reply are not played again") {
    Fixture fixture;
    for (const std::uint32_t opcode : {FUSE_FORGET, FUSE_BATCH_FORGET, FUSE_INTERRUPT}) {
        fuse_in_header header{};
        header.len = sizeof header + 8;
        header.opcode = opcode;
        header.unique = opcode;
        std::memcpy(fixture.vault.large_slot(opcode % large_slot_count).data(), &header, sizeof header);
        RequestSlots slots(fixture.vault);
        CHECK(slots.unanswered().empty());
        CHECK(slots.damaged() == 0);
    }
}

TEST_CASE("a successor can give up what is there, when the kernel is asked again") {
    Fixture fixture;
    Fixture::deliver(fixture.vault.small_slot(5), 21, 100);
    Fixture::deliver(fixture.vault.large_slot(1), 22, 100'000);
    RequestSlots slots(fixture.vault);
    CHECK_FALSE(slots.find(21).empty());
    CHECK(slots.find(23).empty());
    slots.give_up_unanswered();
    CHECK(slots.unanswered().empty());
    CHECK(RequestSlots(fixture.vault).unanswered().empty());
}

TEST_CASE("nonsense in a slot is thrown away, and counted") {
    Fixture fixture;
    Fixture::deliver(fixture.vault.small_slot(0), 1, 100);
    const std::uint32_t too_long = small_slot_size + 1;
    std::memcpy(fixture.vault.small_slot(0).data(), &too_long, sizeof too_long);
    Fixture::deliver(fixture.vault.small_slot(1), 2, 100);
    const std::uint32_t too_short = 8;
    std::memcpy(fixture.vault.small_slot(1).data(), &too_short, sizeof too_short);
    // The kernel has no request 0: a reply to it would be a notification.
    Fixture::deliver(fixture.vault.small_slot(2), 0, 100);
    CHECK(RequestSlots(fixture.vault).damaged() == 3);
    CHECK(RequestSlots(fixture.vault).unanswered().empty());
}

TEST_CASE("with all large slots taken nothing more is read until one is answered") {
    Fixture fixture;
    RequestSlots slots(fixture.vault);
    for (std::uint64_t unique = 1; unique <= large_slot_count; ++unique) {
        const auto slot = slots.reading_slot();
        REQUIRE_FALSE(slot.empty());
        Fixture::deliver(slot, unique, 100'000);
        (void)slots.settle(slot, 100'000);
    }
    CHECK(slots.reading_slot().empty());
    slots.answered(2);
    CHECK_FALSE(slots.reading_slot().empty());
}
