// Channel: JSON messages over a SOCK_SEQPACKET socket, between the supervisor and one worker.
//
// The other side may be hostile: a message that is too long, no JSON, or no object with a string "type" is an error,
// and no message makes the receiver wait.
#pragma once

#include "common/unique_fd.h"

#include <plugfs/result.h>

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <utility>

namespace plugfs {

class Channel {
  public:
    explicit Channel(UniqueFd socket);
    Channel(Channel&&) noexcept = default;
    Channel& operator=(Channel&&) noexcept = default;
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;
    ~Channel();

    // A connected pair; both ends are non-blocking and close on exec.
    static Result<std::pair<UniqueFd, UniqueFd>> create_pair();

    [[nodiscard]] int fd() const { return socket_.get(); }

    // Sends one message. EAGAIN: the other side does not read; EMSGSIZE: longer than message_limit.
    Result<void> send(const nlohmann::json& message);

    // The next message, or nothing when there is none yet. EPIPE: the other side has closed. EPROTO: not a message.
    Result<std::optional<nlohmann::json>> receive();

  private:
    UniqueFd socket_;
};

}  // namespace plugfs
