#include "common/channel.h"

#include "common/worker_contract.h"

#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string_view>
#include <vector>

namespace plugfs {

using nlohmann::json;

namespace {

// Ours have three levels. A deep value costs a recursion as deep whenever it is copied.
constexpr std::size_t depth_limit = 16;

// How many brackets are open at the same time, at most; those in strings do not count.
std::size_t depth_of(std::string_view text) {
    std::size_t open = 0;
    std::size_t most = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            i += c == '\\' ? 1 : 0;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            most = std::max(most, ++open);
        } else if ((c == ']' || c == '}') && open > 0) {
            --open;
        }
    }
    return most;
}

}  // namespace

Channel::Channel(UniqueFd socket) : socket_(std::move(socket)) {}
Channel::~Channel() = default;

Result<std::pair<UniqueFd, UniqueFd>> Channel::create_pair() {
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
        return fail(errno, "socketpair");
    }
    return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

Result<void> Channel::send(const json& message) {
    // Text from a device may be no UTF-8: replaced, never thrown at.
    const std::string text = message.dump(-1, ' ', true, json::error_handler_t::replace);
    if (text.size() > worker::message_limit) {
        return fail(EMSGSIZE, "send message", std::to_string(text.size()) + " bytes");
    }
    if (::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0) {
        return fail(errno, "send message");
    }
    return {};
}

Result<std::optional<json>> Channel::receive() {
    std::vector<char> buffer(worker::message_limit);
    ssize_t length = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_TRUNC);
    if (length < 0 && errno == ECONNRESET) {
        // The other side has ended without reading all that we sent. Linux says so once, ahead of what it had sent us.
        length = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_TRUNC);
    }
    if (length < 0) {
        if (errno == EAGAIN || errno == EINTR) {
            return std::optional<json>();
        }
        return fail(errno, "receive message");
    }
    if (length == 0) {
        return fail(EPIPE, "receive message", "closed");
    }
    if (static_cast<std::size_t>(length) > buffer.size()) {
        return fail(EPROTO, "receive message", std::to_string(length) + " bytes are too many");
    }
    if (depth_of(std::string_view(buffer.data(), static_cast<std::size_t>(length))) > depth_limit) {
        return fail(EPROTO, "receive message", "nested too deep");
    }
    json message = json::parse(buffer.data(), buffer.data() + length, nullptr, false);
    if (!message.is_object() || !message.contains("type") || !message["type"].is_string()) {
        return fail(EPROTO, "receive message", "no JSON object with a type");
    }
    return std::optional<json>(std::move(message));
}

}  // namespace plugfs
