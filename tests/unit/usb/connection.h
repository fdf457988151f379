// An opened usbredir device and the scripted host at its other end, as most tests of the transport need them.
#pragma once

#include "scripted_host.h"
#include "usb/backend.h"

#include <doctest/doctest.h>

#include <functional>
#include <memory>

namespace plugfs::usb::test {

inline Deadline soon() {
    return Deadline::after(std::chrono::seconds(10));
}

struct Connection {
    std::unique_ptr<ScriptedHost> host;
    std::unique_ptr<Backend> device;

    // Hooks need the host; it is theirs through this pointer, set before the first hook can run.
    explicit Connection(const std::function<ScriptedHost::Hooks(ScriptedHost*&)>& hooks = nullptr, Model model = {}) {
        auto [ours, theirs] = socket_pair();
        ScriptedHost::Hooks made = hooks ? hooks(self) : ScriptedHost::Hooks{};
        // The host may only be used by a hook once the device asks for something, which is after this constructor has
        // set `self`: opening alone triggers none.
        host = std::make_unique<ScriptedHost>(std::move(theirs), std::move(model), std::move(made));
        self = host.get();
        auto opened = open_usbredir(std::move(ours), soon());
        REQUIRE_MESSAGE(opened.ok(), (opened ? "" : opened.error().text()));
        device = std::move(opened).value();
    }
    // Closes our end and waits until the host has seen everything.
    void close() {
        device.reset();
        host->stop();
    }
    ScriptedHost* self = nullptr;
};

// Makes hooks that answer bulk packets with `answer`.
using BulkHook =
    std::function<void(ScriptedHost&, std::uint64_t, const usb_redir_bulk_packet_header&, std::span<const std::byte>)>;
inline std::function<ScriptedHost::Hooks(ScriptedHost*&)> on_bulk(BulkHook answer) {
    return [answer = std::move(answer)](ScriptedHost*& host) {
        ScriptedHost::Hooks hooks;
        hooks.bulk = [&host, answer](auto id, const auto& header, auto data) { answer(*host, id, header, data); };
        return hooks;
    };
}

inline std::size_t length_of(const usb_redir_bulk_packet_header& header) {
    return (std::size_t{header.length_high} << 16U) | header.length;
}

}  // namespace plugfs::usb::test
