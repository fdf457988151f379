// A bulk or interrupt transfer over usbredir.
#pragma once

#include "usb/usbredir_session.h"

#include <plugfs/usb.h>

#include <vector>

namespace plugfs::usb {

class UsbredirTransfer final : public Transfer {
  public:
    // `session` must outlive the transfer; `kind` is bulk or interrupt, and the endpoint is known to be of that kind.
    UsbredirTransfer(UsbredirSession& session, Request::Kind kind, std::uint8_t endpoint, std::size_t capacity);
    ~UsbredirTransfer() override;
    UsbredirTransfer(const UsbredirTransfer&) = delete;
    UsbredirTransfer& operator=(const UsbredirTransfer&) = delete;

    [[nodiscard]] std::span<std::byte> buffer() override { return buffer_; }
    [[nodiscard]] Result<void> submit(std::size_t length, bool zero_length_packet) override;
    [[nodiscard]] Result<std::size_t> wait(Deadline deadline) override;
    [[nodiscard]] std::size_t moved() const override { return request_.moved; }
    [[nodiscard]] bool in_flight() const override { return !request_.finished || !empty_packet_.finished; }
    void cancel() override;

  private:
    void abort(const Error& reason);

    UsbredirSession& session_;
    std::vector<std::byte> buffer_;
    Request request_;
    Request empty_packet_;  // the empty packet that follows, when one was asked for
    bool submitted_ = false;
};

}  // namespace plugfs::usb
