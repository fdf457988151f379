#include <plugfs/driver.h>

#include <doctest/doctest.h>

TEST_CASE("quoted() leaves nothing that could forge a log line or drive a terminal") {
    CHECK(plugfs::quoted("Walkman") == "\"Walkman\"");
    CHECK(plugfs::quoted("a\nb\x1b[2J") == "\"a\\x0ab\\x1b[2J\"");
    CHECK(plugfs::quoted("say \"hi\" \\") == "\"say \\\"hi\\\" \\\\\"");
    CHECK(plugfs::quoted("abcdef", 3) == "\"abc\"...");
}
