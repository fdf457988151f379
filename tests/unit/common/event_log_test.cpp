#include "common/event_log.h"

#include <doctest/doctest.h>

using plugfs::EventLog;

TEST_CASE("EventLog puts the time in front and gives readers what they have not seen") {
    EventLog log;
    auto reader = log.open();
    CHECK(reader.at_end(log));
    log.append(R"({"event":"attach"})");
    CHECK_FALSE(reader.at_end(log));
    const std::string first(reader.read(log, 0, 4096));
    CHECK(first.starts_with("{\"time\":\"2"));
    CHECK(first.ends_with("Z\",\"event\":\"attach\"}\n"));
    CHECK(reader.at_end(log));
    CHECK(reader.read(log, first.size(), 4096).empty());
    log.append(R"({"event":"detach"})");
    CHECK(reader.read(log, first.size(), 4096).ends_with("\"event\":\"detach\"}\n"));
}

TEST_CASE("EventLog forgets its older half, and a slow reader goes on with whole lines") {
    EventLog log(1000);
    auto reader = log.open();
    for (int i = 0; i < 100; ++i) {
        log.append("{\"event\":" + std::to_string(i) + "}");
        CHECK(log.size() <= 1000);
    }
    const auto part = reader.read(log, 0, 4096);
    CHECK(part.starts_with("{\"time\""));
    CHECK(part.ends_with("\"event\":99}\n"));
    const auto offset = part.size();
    log.append(R"({"event":100})");
    CHECK(reader.read(log, offset, 4096).ends_with("\"event\":100}\n"));
}
