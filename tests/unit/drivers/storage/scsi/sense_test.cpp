// Sense data in both formats, right, cut short, and wrong.
#include "drivers/storage/scsi/sense.h"

#include "virtual/stick/unit.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace plugfs;
using namespace plugfs::storage;

namespace {

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
    std::vector<std::byte> bytes;
    std::transform(values.begin(), values.end(), std::back_inserter(bytes),
                   [](int value) { return static_cast<std::byte>(value); });
    return bytes;
}

}  // namespace

TEST_CASE("fixed format") {
    const auto sense =
        parse_sense(bytes_of({0xf0, 0, 0x63, 0x00, 0x01, 0x02, 0x03, 10, 0, 0, 0, 0, 0x11, 0x04, 0, 0, 0, 0}));
    REQUIRE(sense);
    CHECK(sense->key == SenseKey::medium_error);
    CHECK(sense->code == 0x11);
    CHECK(sense->qualifier == 0x04);
    CHECK_FALSE(sense->deferred);
    CHECK(sense->information == 0x010203U);
    CHECK(sense->text() == "MEDIUM ERROR, unrecovered read error (11/04)");
}

TEST_CASE("fixed format: without VALID the information is none; cut short, fields are 0") {
    CHECK_FALSE(parse_sense(bytes_of({0x70, 0, 0x03, 0, 0, 0, 9, 10, 0, 0, 0, 0, 0x11, 0}))->information);
    CHECK_FALSE(parse_sense(bytes_of({0xf0, 0, 0x03, 0, 0, 0}))->information);
    const auto cut = parse_sense(bytes_of({0x70, 0, 0x02, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x3a}));
    REQUIRE(cut);
    CHECK(cut->code == 0x3a);
    CHECK(cut->qualifier == 0);
    CHECK(parse_sense(bytes_of({0x70, 0, 0x06, 0}))->key == SenseKey::unit_attention);
}

TEST_CASE("descriptor format") {
    const auto bytes = bytes_of({0x72, 0x03, 0x11, 0x00, 0, 0, 0, 20,                // head
                                 0x80, 0x06, 1,    2,    3, 4, 5, 6,                 // another descriptor
                                 0x00, 0x0a, 0x80, 0,    0, 0, 0, 1,  0, 0, 0, 5});  // information
    const auto sense = parse_sense(bytes);
    REQUIRE(sense);
    CHECK(sense->key == SenseKey::medium_error);
    CHECK(sense->information == 0x100000005U);
    // The head alone is enough, and its length may lie.
    CHECK(parse_sense(std::span(bytes).first(8))->code == 0x11);
    CHECK(parse_sense(std::span(bytes).first(4))->key == SenseKey::medium_error);
    CHECK_FALSE(parse_sense(std::span(bytes).first(20))->information);
    auto lying = bytes;
    lying[7] = std::byte{255};
    CHECK(parse_sense(lying)->information == 0x100000005U);
    lying[7] = std::byte{8};
    CHECK_FALSE(parse_sense(lying)->information);
    lying = bytes;
    lying[9] = std::byte{255};  // a descriptor that passes the end
    CHECK_FALSE(parse_sense(lying)->information);
}

TEST_CASE("deferred errors") {
    CHECK(parse_sense(bytes_of({0x71, 0, 3, 0}))->deferred);
    CHECK(parse_sense(bytes_of({0x73, 3, 0x0c, 0}))->deferred);
    CHECK(parse_sense(bytes_of({0x73, 3, 0x0c, 0}))->text() ==
          "MEDIUM ERROR, write error (0c/00), of an earlier command");
}

TEST_CASE("what is no sense data") {
    CHECK_FALSE(parse_sense({}));
    CHECK_FALSE(parse_sense(bytes_of({0x70, 0, 3})));
    CHECK_FALSE(parse_sense(bytes_of({0x00, 0, 3, 0, 0, 0, 0, 0})));
    CHECK_FALSE(parse_sense(bytes_of({0x7f, 0, 3, 0, 0, 0, 0, 0})));
}

TEST_CASE("words: for the qualifier, for the code, or the numbers alone") {
    CHECK(Sense{SenseKey::not_ready, 0x04, 0x01, false, {}}.text() == "NOT READY, becoming ready (04/01)");
    CHECK(Sense{SenseKey::not_ready, 0x04, 0x99, false, {}}.text() == "NOT READY, not ready (04/99)");
    CHECK(Sense{SenseKey::vendor_specific, 0x80, 0x12, false, {}}.text() == "VENDOR SPECIFIC (80/12)");
}

TEST_CASE("what the virtual stick says in either format means the same") {
    for (const bool descriptor : {false, true}) {
        const auto sense = parse_sense(virtual_usb::stick_sense({0x03, 0x11, 0x02, 77}, descriptor));
        REQUIRE(sense);
        CHECK(sense->key == SenseKey::medium_error);
        CHECK(sense->code == 0x11);
        CHECK(sense->qualifier == 0x02);
        CHECK(sense->information == 77);
    }
}
