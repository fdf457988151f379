// A peer that sends what it likes, as a driver does whose memory is damaged.
#include "virtual/usbredir_server.h"

#include <plugfs/bytes.h>

#include <sys/socket.h>

#include <doctest/doctest.h>

#include <array>
#include <random>

using namespace plugfs;
using namespace plugfs::virtual_usb;

namespace {

class Silent : public VirtualDevice {
  public:
    Silent() {
        description_.interfaces = {{.number = 0,
                                    .alternate_setting = 0,
                                    .interface_class = 6,
                                    .interface_subclass = 1,
                                    .interface_protocol = 1,
                                    .name = {},
                                    .endpoints = {{0x81, 2, 512, 0}, {0x02, 2, 512, 0}, {0x83, 3, 64, 1}}}};
    }
    [[nodiscard]] const DeviceDescription& description() const override { return description_; }
    std::optional<std::vector<std::byte>> control(const usb::Setup&, bool, std::span<const std::byte>,
                                                  std::size_t) override {
        return std::nullopt;
    }
    bool out(std::uint8_t, std::span<const std::byte>) override { return true; }
    std::deque<InTransfer>& in(std::uint8_t) override { return nothing_; }
    void reset() override {}
    void halt_cleared(std::uint8_t) override {}

  private:
    DeviceDescription description_;
    std::deque<InTransfer> nothing_;
};

// A hello packet with all capabilities; usb-redirection-protocol, "usb_redir_hello".
std::vector<std::byte> hello() {
    ByteWriter out;
    out.u32le(0);
    out.u32le(64 + 4);
    out.u32le(0);
    std::array<std::byte, 64> version{};
    version[0] = std::byte{'x'};
    for (const auto byte : version) {
        out.u8(std::to_integer<std::uint8_t>(byte));
    }
    out.u32le(0xff);
    return std::move(out).take();
}

std::vector<std::byte> packet(std::uint32_t type, std::size_t length, std::mt19937& random) {
    ByteWriter out;
    out.u32le(type);
    out.u32le(static_cast<std::uint32_t>(length));
    out.u64le(random() % 4);  // the id, of 64 bits after such a hello
    for (std::size_t i = 0; i < length; ++i) {
        out.u8(static_cast<std::uint8_t>(random() % 3 == 0 ? random() : 0));
    }
    return std::move(out).take();
}

}  // namespace

TEST_CASE("packets of every type, of every length, with anything in them: an answer or the end of the connection") {
    std::mt19937 random(1);
    std::array<std::uint32_t, 40> types{};
    for (std::uint32_t i = 0; i < types.size(); ++i) {
        types.at(i) = i < 30 ? i : 70 + i;  // 100 to 109 are those with data
    }
    for (const std::uint32_t type : types) {
        for (std::size_t length = 0; length < 24; ++length) {
            CAPTURE(type);
            CAPTURE(length);
            std::array<int, 2> ends{};
            REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
            const UniqueFd peer(ends[1]);
            Silent device;
            TrafficCount count;
            auto server = UsbredirServer::create(UniqueFd(ends[0]), device, count);
            REQUIRE(server.ok());
            auto bytes = hello();
            for (int i = 0; i < 3; ++i) {
                const auto more = packet(type, length, random);
                bytes.insert(bytes.end(), more.begin(), more.end());
            }
            REQUIRE(::send(peer.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
            for (int turn = 0; turn < 3 && (*server)->serve(); ++turn) {
                (*server)->pump();
            }
        }
    }
}
