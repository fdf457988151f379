#include "kit/walk_ahead.h"

#include <doctest/doctest.h>

#include <numeric>
#include <set>
#include <vector>

using namespace plugfs::kit;
using std::chrono::milliseconds;

namespace {
const auto start = WalkAhead::Clock::now();

// Where the device answers at once.
std::uint64_t next(WalkAhead& ahead, WalkAhead::Clock::time_point now = start) {
    return ahead.next(now, [](std::uint64_t) { return false; });
}
}  // namespace

TEST_CASE("a look here and there is no walk") {
    WalkAhead ahead;
    CHECK_FALSE(ahead.looked_into(10, 1, start));
    CHECK_FALSE(ahead.looked_into(20, 2, start));
    CHECK_FALSE(ahead.walking(start));
    ahead.come({30, 31});
    CHECK(next(ahead) == 0);
    // Down, but long after.
    CHECK_FALSE(ahead.looked_into(40, 20, start + WalkAhead::walk_pause + milliseconds(1)));
}

TEST_CASE("who looks into a folder and then into one in it walks: what is read next is listed first") {
    WalkAhead ahead;
    CHECK_FALSE(ahead.looked_into(1, 0, start));
    CHECK(ahead.looked_into(10, 1, start));
    CHECK(ahead.walking(start));
    ahead.come({11, 12});    // beside it
    ahead.come({100, 101});  // in it
    CHECK(next(ahead) == 100);
    CHECK(next(ahead) == 101);
    CHECK(next(ahead) == 11);
    // It is known that he walks.
    CHECK_FALSE(ahead.looked_into(100, 10, start));
    ahead.come({1000});
    CHECK(next(ahead) == 1000);
    CHECK(next(ahead) == 12);
    CHECK(next(ahead) == 0);
}

TEST_CASE("no more is listed ahead than a few folders, until they are looked into") {
    WalkAhead ahead;
    ahead.looked_into(1, 0, start);
    ahead.looked_into(10, 1, start);
    std::vector<std::uint64_t> beside(WalkAhead::ahead_limit + 3);
    std::iota(beside.begin(), beside.end(), 11);
    ahead.come(beside);
    for (std::size_t i = 0; i < WalkAhead::ahead_limit; ++i) {
        CHECK(next(ahead) == 11 + i);
    }
    CHECK(next(ahead) == 0);
    ahead.looked_into(11, 1, start);
    CHECK(next(ahead) == 11 + WalkAhead::ahead_limit);
    ahead.forget(12);
    CHECK(next(ahead) == 12 + WalkAhead::ahead_limit);
    CHECK(next(ahead) == 0);
}

TEST_CASE("the device is asked for few at a time, so that what is in the first comes before the rest") {
    WalkAhead ahead;
    ahead.looked_into(1, 0, start);
    ahead.looked_into(10, 1, start);
    ahead.come({11, 12, 13, 14});
    std::set<std::uint64_t> asked;
    const auto ask = [&] {
        const auto folder = ahead.next(start, [&](std::uint64_t each) { return asked.count(each) != 0; });
        asked.insert(folder);
        return folder;
    };
    CHECK(ask() == 11);
    CHECK(ask() == 12);
    CHECK(ask() == 0);
    asked.erase(11);  // it has been listed
    ahead.come({110, 111});
    CHECK(ask() == 110);
    CHECK(ask() == 0);
    // One that is looked into while the device is asked for it is waited for, not listed ahead any more.
    ahead.looked_into(12, 1, start);
    CHECK(ask() == 111);
    CHECK(ask() == 0);
}

TEST_CASE("a folder that was reached in another way is not listed ahead any more") {
    WalkAhead ahead;
    ahead.looked_into(1, 0, start);
    ahead.looked_into(10, 1, start);
    ahead.come({11, 12});
    ahead.looked_into(11, 1, start);
    CHECK(next(ahead) == 12);
}

TEST_CASE("a walk that has stopped is over, and what was to come is forgotten") {
    WalkAhead ahead;
    ahead.looked_into(1, 0, start);
    ahead.looked_into(10, 1, start);
    ahead.come({11, 12});
    const auto later = start + WalkAhead::walk_pause + milliseconds(1);
    CHECK(next(ahead, later) == 0);
    ahead.looked_into(50, 5, later);
    CHECK(ahead.looked_into(60, 50, later));
    CHECK(next(ahead, later) == 0);
}
