#include "common/log.h"

#include <doctest/doctest.h>

TEST_CASE("quoted() leaves nothing that could forge a log line or drive a terminal") {
    CHECK(plugfs::quoted("Walkman") == "\"Walkman\"");
    CHECK(plugfs::quoted("a\nb\x1b[2J") == "\"a\\x0ab\\x1b[2J\"");
    CHECK(plugfs::quoted("say \"hi\" \\") == "\"say \\\"hi\\\" \\\\\"");
    CHECK(plugfs::quoted("abcdef", 3) == "\"abc\"...");
}

TEST_CASE("visible() shows control characters, C1 too, and leaves other text as it is") {
    CHECK(plugfs::log::visible("a\x1b[2J\n\x7f") == "a\\x1b[2J\\x0a\\x7f");
    CHECK(plugfs::log::visible("\xc2\x9b"
                               "31m") ==
          "\\xc2\x9b"
          "31m");
    CHECK(plugfs::log::visible("Gr\xc3\xbc\xc3\x9f") == "Gr\xc3\xbc\xc3\x9f");
}
