#include "common/channel.h"

#include "common/worker_contract.h"

#include <sys/socket.h>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using nlohmann::json;
using plugfs::Channel;

TEST_CASE("a message that is nested too deep is refused before it is read; brackets in strings do not count") {
    auto ends = Channel::create_pair();
    REQUIRE(ends.ok());
    Channel receiver(std::move(ends->first));
    const auto send = [&](const std::string& text) {
        REQUIRE(::send(ends->second.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    };
    send(R"({"type":"x","y":")" + std::string(1000, '[') + R"(\"[","z":[[1]]})");
    CHECK(receiver.receive().ok());
    send(R"({"type":"x","y":)" + std::string(8000, '[') + std::string(8000, ']') + "}");
    const auto refused = receiver.receive();
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == EPROTO);
    CHECK(refused.error().detail == "nested too deep");
}

TEST_CASE("Channel carries messages, and says when there is none and when the other side has gone") {
    auto ends = Channel::create_pair();
    REQUIRE(ends.ok());
    Channel a(std::move(ends->first));
    {
        Channel b(std::move(ends->second));
        auto none = a.receive();
        REQUIRE(none.ok());
        CHECK_FALSE(none->has_value());
        REQUIRE(b.send({{"type", "ready"}, {"name", "bad \xff byte"}}).ok());
        auto message = a.receive();
        REQUIRE(message.ok());
        CHECK((**message)["type"] == "ready");
        CHECK(b.send({{"type", std::string(plugfs::worker::message_limit, 'x')}}).error().code == EMSGSIZE);
    }
    CHECK(a.receive().error().code == EPIPE);
    CHECK(a.send({{"type", "stop"}}).error().code == EPIPE);
}

TEST_CASE("what the other side said last arrives, though it never read what we said") {
    auto ends = Channel::create_pair();
    REQUIRE(ends.ok());
    Channel a(std::move(ends->first));
    {
        Channel b(std::move(ends->second));
        REQUIRE(a.send({{"type", "start"}}).ok());
        REQUIRE(b.send({{"type", "identity"}}).ok());
    }
    const auto message = a.receive();
    REQUIRE(message.ok());
    REQUIRE(message->has_value());
    CHECK((**message)["type"] == "identity");
    CHECK(a.receive().error().code == EPIPE);
}

TEST_CASE("Channel refuses what is no message") {
    auto ends = Channel::create_pair();
    REQUIRE(ends.ok());
    const int raw = ends->first.get();
    Channel channel(std::move(ends->second));
    for (const std::string text : {"{", "[]", "17", "{\"kind\":1}", "{\"type\":1}", "\xff\xff"}) {
        REQUIRE(::send(raw, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
        CHECK(channel.receive().error().code == EPROTO);
    }
    const std::string large(plugfs::worker::message_limit + 1, ' ');
    REQUIRE(::send(raw, large.data(), large.size(), 0) > 0);
    CHECK(channel.receive().error().code == EPROTO);
}
