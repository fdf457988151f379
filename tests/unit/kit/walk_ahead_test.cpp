#include "kit/walk_ahead.h"

#include <doctest/doctest.h>

using namespace plugfs::kit;
using std::chrono::milliseconds;

namespace {
const auto start = WalkAhead::Clock::now();
}

TEST_CASE("a look here and there is no walk") {
    WalkAhead ahead;
    CHECK_FALSE(ahead.looked_into(10, 1, start));
    CHECK_FALSE(ahead.looked_into(20, 2, start));
    CHECK_FALSE(ahead.walking(start));
    ahead.come({30, 31});
    CHECK(ahead.next(start) == 0);
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
    CHECK(ahead.next(start) == 100);
    CHECK(ahead.next(start) == 101);
    CHECK(ahead.next(start) == 11);
    // It is known that he walks.
    CHECK_FALSE(ahead.looked_into(100, 10, start));
    ahead.come({1000});
    CHECK(ahead.next(start) == 1000);
    CHECK(ahead.next(start) == 12);
    CHECK(ahead.next(start) == 0);
}

TEST_CASE("no more is listed ahead than a few folders, until they are looked into") {
    WalkAhead ahead;
    ahead.looked_into(1, 0, start);
    ahead.looked_into(10, 1, start);
    ahead.come({11, 12, 13, 14, 15, 16, 17});
    for (std::size_t i = 0; i < WalkAhead::ahead_limit; ++i) {
        CHECK(ahead.next(start) == 11 + i);
    }
    CHECK(ahead.next(start) == 0);
    ahead.looked_into(11, 1, start);
    CHECK(ahead.next(start) == 15);
    ahead.forget(12);
    CHECK(ahead.next(start) == 16);
    CHECK(ahead.next(start) == 0);
}

TEST_CASE("a folder that was reached in another way is not listed ahead any more") {
    WalkAhead ahead;
    ahead.looked_into(1, 0, start);
    ahead.looked_into(10, 1, start);
    ahead.come({11, 12});
    ahead.looked_into(11, 1, start);
    CHECK(ahead.next(start) == 12);
}

TEST_CASE("a walk that has stopped is over, and what was to come is forgotten") {
    WalkAhead ahead;
    ahead.looked_into(1, 0, start);
    ahead.looked_into(10, 1, start);
    ahead.come({11, 12});
    const auto later = start + WalkAhead::walk_pause + milliseconds(1);
    CHECK(ahead.next(later) == 0);
    ahead.looked_into(50, 5, later);
    CHECK(ahead.looked_into(60, 50, later));
    CHECK(ahead.next(later) == 0);
}
