#include "common/names.h"

#include <doctest/doctest.h>

#include <set>

using plugfs::safe_device_name;
using plugfs::safe_name;
using plugfs::unique_name;

TEST_CASE("safe_name() keeps good names and repairs bad ones") {
    CHECK(safe_name("Sigur Rós - Ára bátur.mp3") == "Sigur Rós - Ára bátur.mp3");
    CHECK(safe_name(".hidden") == ".hidden");
    CHECK(safe_name("AC/DC") ==
          "AC\xE2\x88\x95"
          "DC");
    CHECK(safe_name("a\nb\x1b[31m") == "a_b_[31m");
    CHECK(safe_name(std::string_view("a\0b", 3)) == "a_b");
    CHECK(safe_name(".") == "_.");
    CHECK(safe_name("..") == "_..");
    CHECK(safe_name("") == "unnamed");
    CHECK(safe_name("\xE2\x80\xAEgpj.exe") == "_gpj.exe");  // right-to-left override
}

TEST_CASE("safe_name() replaces what is no UTF-8") {
    CHECK(safe_name("a\xff") == "a\xEF\xBF\xBD");
    CHECK(safe_name("\xc0\xaf") == "\xEF\xBF\xBD\xEF\xBF\xBD");                  // overlong '/'
    CHECK(safe_name("\xed\xa0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // a surrogate
    CHECK(safe_name("\xe2\x82") == "\xEF\xBF\xBD\xEF\xBF\xBD");                  // cut off
}

TEST_CASE("safe_name() cuts long names between characters and keeps the extension") {
    std::string text;
    for (int i = 0; i < 200; ++i) {
        text += "\xC3\xA4";
    }
    const auto name = safe_name(text + ".flac");
    CHECK(name.size() <= 255);
    CHECK(name.ends_with(".flac"));
    CHECK(safe_name(name) == name);
}

TEST_CASE("safe_device_name() is fit to be typed") {
    CHECK(safe_device_name("  Walkman\t") == "Walkman");
    CHECK(safe_device_name("") == "device");
    CHECK(safe_device_name("   ") == "device");
    CHECK(safe_device_name(".control") == "_control");
    CHECK(safe_device_name("../../etc") ==
          "_.\xE2\x88\x95..\xE2\x88\x95"
          "etc");
}

TEST_CASE("unique_name() counts before the extension") {
    const std::set<std::string> names = {"a.mp3", "a (2).mp3", "b"};
    const auto taken = [&](const std::string& name) { return names.count(name) != 0; };
    CHECK(unique_name("c.mp3", taken) == "c.mp3");
    CHECK(unique_name("a.mp3", taken) == "a (3).mp3");
    CHECK(unique_name("b", taken) == "b (2)");
    const std::string longest(255, 'x');
    CHECK(unique_name(longest, [&](const std::string& name) { return name == longest; }).size() <= 255);
}
