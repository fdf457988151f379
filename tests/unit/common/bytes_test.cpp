#include <plugfs/bytes.h>

#include <doctest/doctest.h>

#include <array>

using plugfs::ByteReader;
using plugfs::ByteWriter;

TEST_CASE("ByteReader reads both byte orders") {
    const std::array bytes = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}, std::byte{5}, std::byte{6}};
    ByteReader reader(bytes);
    CHECK(reader.u16le() == 0x0201);
    CHECK(reader.u32be() == 0x03040506);
    CHECK(reader.ok());
    CHECK(reader.remaining() == 0);
}

TEST_CASE("ByteReader fails for good at the first read past the end, and says where") {
    const std::array bytes = {std::byte{1}, std::byte{2}, std::byte{3}};
    ByteReader reader(bytes);
    (void)reader.u8();
    CHECK(reader.u32le() == 0);
    CHECK_FALSE(reader.ok());
    CHECK(reader.failed_at() == 1);
    CHECK(reader.u8() == 0);
    CHECK(reader.take(0).empty());
    CHECK(reader.offset() == 1);
}

TEST_CASE("ByteWriter writes what ByteReader reads") {
    ByteWriter writer;
    writer.u8(0xfe);
    writer.u16be(0x1234);
    writer.u64le(0x1122334455667788);
    writer.u64be(0x1122334455667788);
    ByteReader reader(writer.bytes());
    CHECK(reader.u8() == 0xfe);
    CHECK(reader.u16be() == 0x1234);
    CHECK(reader.u64le() == 0x1122334455667788);
    CHECK(reader.u64be() == 0x1122334455667788);
    CHECK(reader.ok());
}
