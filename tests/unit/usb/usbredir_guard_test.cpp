// What the guard lets through, whatever the pieces it comes in.
#include "usb/usbredir_guard.h"

#include "scripted_host.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::usb;
using namespace plugfs::usb::test;

namespace {

Bytes hello(std::size_t size = 68) {
    return raw_packet(usb_redir_hello, 0, Bytes(size), static_cast<std::uint32_t>(size), false);
}

Bytes joined(std::initializer_list<Bytes> parts) {
    Bytes all;
    for (const Bytes& part : parts) {
        all.insert(all.end(), part.begin(), part.end());
    }
    return all;
}

}  // namespace

TEST_CASE("good packets pass in pieces of any size") {
    const std::size_t limit = 1000;
    const Bytes first = hello();
    const Bytes rest =
        joined({raw_packet(usb_redir_ep_info, 0, Bytes(288)), raw_packet(usb_redir_device_disconnect, 0, {}),
                raw_packet(usb_redir_bulk_packet, 7, Bytes(10 + limit)),
                raw_packet(usb_redir_control_packet, 8, Bytes(10 + 65535)),
                raw_packet(usb_redir_interrupt_packet, 8, Bytes(4 + 64))});
    for (const std::size_t piece : {1U, 2U, 3U, 7U, 16U, 1000U, 100'000U}) {
        CAPTURE(piece);
        PacketGuard guard(limit);
        REQUIRE(guard.check(first));
        guard.use_wide_ids();
        for (std::size_t at = 0; at < rest.size(); at += piece) {
            REQUIRE(guard.check(std::span(rest).subspan(at, std::min(piece, rest.size() - at))));
        }
    }
}

TEST_CASE("the first packet must be hello, and no other") {
    const std::size_t limit = 1000;
    PacketGuard first(limit);
    CHECK(!first.check(raw_packet(usb_redir_device_disconnect, 0, {}, 0, false)));
    PacketGuard second(limit);
    REQUIRE(second.check(hello()));
    CHECK(!second.check(hello()));
    PacketGuard third(limit);
    CHECK(!third.check(hello(129)));
}

TEST_CASE("lengths and types that are not for us are refused with the header's last byte") {
    const std::size_t limit = 1000;
    const auto refused = [&](std::uint32_t type, std::uint32_t announced) {
        PacketGuard guard(limit);
        REQUIRE(guard.check(hello()));
        const Bytes packet = raw_packet(type, 1, {}, announced, false);
        REQUIRE(guard.check(std::span(packet).first(packet.size() - 1)));
        return !guard.check(std::span(packet).last(1));
    };
    CHECK(refused(usb_redir_bulk_packet, 10 + 1001));
    CHECK(refused(usb_redir_bulk_packet, 0xffffffff));
    CHECK(refused(usb_redir_bulk_packet, 0x80000000));
    CHECK(!refused(usb_redir_bulk_packet, 10 + 1000));
    CHECK(refused(usb_redir_control_packet, 10 + 65536));
    CHECK(refused(usb_redir_interrupt_packet, 4 + 65536));
    CHECK(refused(usb_redir_ep_info, 513));
    for (const std::uint32_t type :
         {usb_redir_reset + 0U, usb_redir_set_configuration + 0U, usb_redir_cancel_data_packet + 0U,
          usb_redir_filter_filter + 0U, usb_redir_iso_packet + 0U, usb_redir_buffered_bulk_packet + 0U,
          usb_redir_device_disconnect_ack + 0U, 28U, 99U, 105U, 0xffffffffU}) {
        CAPTURE(type);
        CHECK(refused(type, 0));
    }
}

TEST_CASE("the bulk limit is the one of the moment") {
    std::size_t limit = 100;
    PacketGuard guard(limit);
    REQUIRE(guard.check(hello()));
    REQUIRE(guard.check(raw_packet(usb_redir_bulk_packet, 1, Bytes(110), 110, false)));
    limit = 50;
    CHECK(!guard.check(raw_packet(usb_redir_bulk_packet, 1, Bytes(110), 110, false)));
}
