// What units say about themselves: right, short, and wrong.
#include "drivers/storage/scsi/answers.h"

#include <plugfs/bytes.h>

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::storage;

namespace {

using Bytes = std::vector<std::byte>;

Bytes text(const std::string& head, std::size_t length = 0) {
    Bytes bytes;
    for (const char each : head) {
        bytes.push_back(static_cast<std::byte>(each));
    }
    bytes.resize(std::max(length, bytes.size()), std::byte{' '});
    return bytes;
}

Bytes page(std::uint8_t code, const Bytes& body, int length = -1) {
    ByteWriter out;
    out.u8(0);
    out.u8(code);
    out.u16be(static_cast<std::uint16_t>(length < 0 ? static_cast<int>(body.size()) : length));
    out.append(body);
    return std::move(out).take();
}

Bytes numbers(std::initializer_list<std::uint32_t> values) {
    ByteWriter out;
    for (const auto value : values) {
        out.u32be(value);
    }
    return std::move(out).take();
}

template <class T>
void check_refused(const Result<T>& result, const std::string& because) {
    REQUIRE_FALSE(result);
    CHECK(result.error().code == EIO);
    CHECK_MESSAGE(result.error().text().find(because) != std::string::npos, result.error().text());
}

}  // namespace

TEST_CASE("INQUIRY") {
    ByteWriter out;
    out.u32be(0x00800602);
    out.u32be(31U << 24U);
    out.append(text("  Maker", 8));
    out.append(text("A stick", 16));
    out.append(text("1.0\0"));
    out.u8(0);
    const auto answer = parse_inquiry(out.bytes());
    REQUIRE(answer);
    CHECK(answer->present);
    CHECK(answer->device_type == 0);
    CHECK(answer->version == 6);
    CHECK(answer->identity.removable);
    CHECK(answer->identity.vendor == "Maker");
    CHECK(answer->identity.product == "A stick");
    CHECK(answer->identity.revision == "1.0");
    // Old devices leave out names; what is less than a head is refused.
    CHECK(parse_inquiry(out.bytes().first(5))->identity.product.empty());
    CHECK(parse_inquiry(out.bytes().first(20))->identity.product == "A st");
    check_refused(parse_inquiry(out.bytes().first(4)), "4 of 5");
    check_refused(parse_inquiry({}), "0 of 5");
}

TEST_CASE("INQUIRY: no such unit, and other devices than disks") {
    Bytes bytes(36);
    bytes[0] = std::byte{0x7f};
    CHECK_FALSE(parse_inquiry(bytes)->present);
    bytes[0] = std::byte{0x05};
    CHECK(parse_inquiry(bytes)->device_type == 5);
}

TEST_CASE("READ CAPACITY") {
    CHECK(parse_capacity_10(numbers({4095, 512}))->last_block == 4095);
    CHECK_FALSE(too_large_for_10(*parse_capacity_10(numbers({4095, 512}))));
    CHECK(too_large_for_10(*parse_capacity_10(numbers({0xffffffffU, 512}))));
    check_refused(parse_capacity_10(Bytes(7)), "7 of 8");
    const auto sixteen = parse_capacity_16(numbers({1, 5, 4096, 0x0000c000}));
    REQUIRE(sixteen);
    CHECK(sixteen->last_block == 0x100000005U);
    CHECK(sixteen->block_size == 4096);
    CHECK(sixteen->provisioning);
    CHECK_FALSE(parse_capacity_16(numbers({1, 5, 4096}))->provisioning);
    check_refused(parse_capacity_16(Bytes(11)), "11 of 12");
}

TEST_CASE("a medium has blocks of 512 to 4096 bytes, and fits 63 bits") {
    for (const std::uint32_t size : {512U, 1024U, 2048U, 4096U}) {
        const auto medium = medium_of({.last_block = 9, .block_size = size});
        REQUIRE(medium);
        CHECK(medium->block_count == 10);
        CHECK(medium->block_size == size);
    }
    for (const std::uint32_t size : {0U, 1U, 256U, 513U, 520U, 8192U, 0x80000000U, 0xffffffffU}) {
        check_refused(medium_of({.last_block = 9, .block_size = size}), "LOGICAL BLOCK LENGTH");
    }
    check_refused(medium_of({.last_block = ~std::uint64_t{0}, .block_size = 512}), "LOGICAL BLOCK ADDRESS");
    check_refused(medium_of({.last_block = 0x7fffffffffffffffU / 512, .block_size = 512}), "LOGICAL BLOCK ADDRESS");
    const auto largest = medium_of({.last_block = (0x7fffffffffffffffU / 512) - 1, .block_size = 512});
    REQUIRE(largest);
    CHECK(largest->block_count <= 0x7fffffffffffffffU / largest->block_size);
}

TEST_CASE("write protection") {
    CHECK(*parse_mode_sense_6_write_protect(numbers({0x03008000})));
    CHECK_FALSE(*parse_mode_sense_6_write_protect(numbers({0x03000000})));
    check_refused(parse_mode_sense_6_write_protect(Bytes(2)), "2 of 3");
    CHECK(*parse_mode_sense_10_write_protect(numbers({0x00060080})));
    CHECK_FALSE(*parse_mode_sense_10_write_protect(numbers({0x00060000})));
    check_refused(parse_mode_sense_10_write_protect(Bytes(3)), "3 of 4");
}

TEST_CASE("REPORT LUNS") {
    using Units = std::vector<std::uint8_t>;
    CHECK(*parse_report_luns(numbers({16, 0, 0, 0, 0x00010000, 0})) == Units{0, 1});
    // Repeated ones, other levels and addressing methods are left out; the length is not believed.
    CHECK(*parse_report_luns(numbers({0xffffffffU, 0, 0, 0, 0, 0, 0x00020000, 1, 0x40030000, 0})) == Units{0});
    CHECK(*parse_report_luns(numbers({8, 0, 0, 0, 0x00010000, 0})) == Units{0});
    CHECK(parse_report_luns(numbers({0, 0}))->empty());
    check_refused(parse_report_luns(Bytes(7)), "7 of 8");
    ByteWriter many;
    many.u64be(std::uint64_t{255 * 8} << 32U);
    for (std::uint64_t unit = 0; unit < 255; ++unit) {
        many.u64be(unit << 48U);
    }
    CHECK(parse_report_luns(many.bytes())->size() == unit_limit);
}

TEST_CASE("VPD pages") {
    CHECK(*parse_serial_number(page(0x80, text("  A1 b "))) == "A1 b");
    CHECK(*parse_serial_number(page(0x80, text("A1b"), 2)) == "A1");
    CHECK(*parse_serial_number(page(0x80, text("A1b"), 200)) == "A1b");
    check_refused(parse_serial_number(page(0x83, text("A1"))), "PAGE CODE is 131");
    check_refused(parse_serial_number(Bytes(3)), "3 of 4");
    CHECK(parse_supported_pages(page(0, {std::byte{0}, std::byte{0x80}}))->size() == 2);

    auto limits = parse_block_limits(page(0xb0, numbers({0, 100, 50, 0, 7, 3, 0, 0})));
    REQUIRE(limits);
    CHECK(limits->longest_transfer == 100);
    CHECK(limits->best_transfer == 50);
    CHECK(limits->unmap_blocks == 7);
    CHECK(limits->unmap_ranges == 3);
    limits = parse_block_limits(page(0xb0, numbers({0, 100, 50})));  // SBC-2 has no more
    REQUIRE(limits);
    CHECK(limits->unmap_blocks == 0);
    limits = parse_block_limits(page(0xb0, numbers({0, 100, 50, 0, 7})));  // one without the other is none
    REQUIRE(limits);
    CHECK(limits->unmap_blocks == 0);
    check_refused(parse_block_limits(page(0xb0, numbers({0, 100}))), "of 16");

    CHECK(*parse_offers_unmap(page(0xb2, numbers({0x00800000}))));
    CHECK_FALSE(*parse_offers_unmap(page(0xb2, numbers({0x00600000}))));
    check_refused(parse_offers_unmap(page(0xb2, Bytes(1))), "of 6");
}
