// UTF-16 from devices, and devices that answer string requests badly.
#include "usb/string_descriptors.h"

#include "scripted_host.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

using namespace plugfs;
using namespace plugfs::usb;
using namespace plugfs::usb::test;

namespace {

// A device that has nothing but control requests, answered by a function.
class ControlOnly : public Device {
  public:
    using Answer = std::function<Result<Bytes>(const Setup&, std::size_t length)>;
    explicit ControlOnly(Answer answer) : answer_(std::move(answer)) {}
    unsigned requests = 0;

    Result<std::size_t> control_in(const Setup& setup, std::span<std::byte> data, Deadline /*deadline*/) override {
        ++requests;
        PLUGFS_ASSIGN(const Bytes answer, answer_(setup, data.size()));
        REQUIRE(answer.size() <= data.size());
        std::ranges::copy(answer, data.begin());
        return answer.size();
    }
    const Identity& identity() const override { return identity_; }
    std::span<const Interface> interfaces() const override { return {}; }
    Result<void> claim(std::uint8_t) override { return fail(EINVAL, "claim"); }
    Result<void> release(std::uint8_t) override { return fail(EINVAL, "release"); }
    Result<void> set_alternate_setting(std::uint8_t, std::uint8_t, Deadline) override { return fail(EINVAL, "set"); }
    Result<std::size_t> control_out(const Setup&, std::span<const std::byte>, Deadline) override {
        return fail(EINVAL, "out");
    }
    Result<std::unique_ptr<Transfer>> create_transfer(std::uint8_t, std::size_t) override {
        return fail(EINVAL, "create");
    }
    Result<void> listen(std::uint8_t, std::size_t) override { return fail(EINVAL, "listen"); }
    Result<void> clear_halt(std::uint8_t, Deadline) override { return fail(EINVAL, "clear"); }
    Result<void> reset(Deadline) override { return fail(EINVAL, "reset"); }

  private:
    Answer answer_;
    Identity identity_;
};

Deadline soon() {
    return Deadline::after(std::chrono::seconds(10));
}

Bytes cut(Bytes bytes, std::size_t length) {
    bytes.resize(std::min(bytes.size(), length));
    return bytes;
}

}  // namespace

TEST_CASE("UTF-16 becomes UTF-8") {
    CHECK(utf8_from_utf16le({}).empty());
    CHECK(utf8_from_utf16le(bytes({'a', 0, 0xe4, 0, 0xac, 0x20})) == "a\xc3\xa4\xe2\x82\xac");
    CHECK(utf8_from_utf16le(bytes({0x3d, 0xd8, 0x00, 0xde})) == "\xf0\x9f\x98\x80");
    CHECK(utf8_from_utf16le(bytes({'a', 0, 0, 0, 0, 0})) == "a");
    CHECK(utf8_from_utf16le(bytes({'a', 0, 0, 0, 'b', 0})) == std::string("a\0b", 3));
}

TEST_CASE("halves of surrogate pairs and odd bytes become U+FFFD") {
    const std::string bad = "\xef\xbf\xbd";
    CHECK(utf8_from_utf16le(bytes({0x3d, 0xd8})) == bad);
    CHECK(utf8_from_utf16le(bytes({0x3d, 0xd8, 'a', 0})) == bad + "a");
    CHECK(utf8_from_utf16le(bytes({0x00, 0xde, 'a', 0})) == bad + "a");
    CHECK(utf8_from_utf16le(bytes({0x3d, 0xd8, 0x3d, 0xd8, 0x00, 0xde})) == bad + "\xf0\x9f\x98\x80");
    CHECK(utf8_from_utf16le(bytes({'a', 0, 'b'})) == "a" + bad);
}

TEST_CASE("strings are asked for in the device's first language") {
    ControlOnly device([](const Setup& setup, std::size_t length) -> Result<Bytes> {
        CHECK(setup.request == 6);
        if (setup.value == 0x0300) {
            return cut(bytes({6, 3, 0x07, 0x04, 0x09, 0x04}), length);
        }
        CHECK(setup.index == 0x0407);
        return cut(bytes({4, 3, '0' + (setup.value & 0xff), 0}), length);
    });
    StringReader reader(device, soon());
    CHECK(reader.read(0).empty());
    CHECK(reader.read(5) == "5");
    CHECK(reader.read(6) == "6");
    CHECK(device.requests == 3);
}

TEST_CASE("a device that stalls when asked for more than it has is asked for less") {
    ControlOnly device([](const Setup& setup, std::size_t length) -> Result<Bytes> {
        const Bytes whole = setup.value == 0x0300 ? bytes({4, 3, 9, 4}) : bytes({6, 3, 'o', 0, 'k', 0});
        if (length > whole.size()) {
            return fail(EPIPE, "control");
        }
        return cut(whole, length);
    });
    CHECK(StringReader(device, soon()).read(1) == "ok");
}

TEST_CASE("a device that lists no languages is asked in English") {
    ControlOnly device([](const Setup& setup, std::size_t) -> Result<Bytes> {
        if (setup.value == 0x0300) {
            return fail(EPIPE, "control");
        }
        CHECK(setup.index == 0x0409);
        return bytes({4, 3, 'x', 0});
    });
    CHECK(StringReader(device, soon()).read(1) == "x");
}

TEST_CASE("string descriptors that lie") {
    Bytes answer;
    ControlOnly device([&](const Setup& setup, std::size_t length) -> Result<Bytes> {
        return cut(setup.value == 0x0300 ? bytes({4, 3, 9, 4}) : answer, length);
    });
    StringReader reader(device, soon());
    answer = bytes({200, 3, 'a', 0});  // longer than what came
    CHECK(reader.read(1) == "a");
    answer = bytes({4, 3, 'a', 0, 'b', 0});  // shorter
    CHECK(reader.read(1) == "a");
    for (const Bytes& broken :
         {bytes({}), bytes({4}), bytes({0, 3}), bytes({1, 3}), bytes({2, 3}), bytes({4, 1, 'a', 0})}) {
        answer = broken;
        CHECK(reader.read(1).empty());
    }
}

TEST_CASE("after a string that did not come, no other is waited for") {
    ControlOnly device([](const Setup&, std::size_t) -> Result<Bytes> { return fail(ETIMEDOUT, "control"); });
    StringReader reader(device, soon());
    CHECK(reader.read(1).empty());
    CHECK(reader.read(2).empty());
    CHECK(device.requests == 1);
}
