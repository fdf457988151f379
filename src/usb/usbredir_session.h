// UsbredirSession: one device at the other end of a usbredir stream, as requests and their answers.
//
// It knows what the peer has said about the device (connected or not, its endpoints now), sends requests, matches the
// answers, and runs the stream until what somebody waits for has happened. When the stream breaks or the device goes,
// every request is finished with ENODEV, and nothing waits any more.
#pragma once

#include "usb/usbredir_interrupts.h"
#include "usb/usbredir_requests.h"
#include "usb/usbredir_stream.h"

#include <array>
#include <functional>
#include <optional>

namespace plugfs::usb {

// How long a cancelled request is waited for before it is abandoned.
inline constexpr auto cancel_limit = std::chrono::seconds(1);

class UsbredirSession final : private UsbredirEvents {
  public:
    // What the peer says about an endpoint at the moment (usb_redir_ep_info).
    struct EndpointInfo {
        std::uint8_t type = usb_redir_type_invalid;
        std::uint8_t interface = 0;
        std::uint16_t max_packet_size = 0;  // bytes, without the "additional transactions" bits
    };

    // Returns when the peer has introduced itself and its device. ETIMEDOUT; ENODEV: closed; EPROTO; ENOTSUP: the peer
    // lacks 32-bit bulk lengths (capabilities of 2012), without which it cannot move more than 64 KiB at a time.
    static Result<std::unique_ptr<UsbredirSession>> open(UniqueFd socket, Deadline deadline);

    [[nodiscard]] Speed speed() const;
    [[nodiscard]] const EndpointInfo& endpoint(std::uint8_t address) const;
    [[nodiscard]] InterruptStreams& interrupts() { return interrupts_; }

    // Starts a transfer of `request.asked` bytes: kind, endpoint, in (or `out`, for an OUT endpoint) are filled in.
    // Interrupt IN requests join their stream, all others are sent. The request must be ended (finish, or abort())
    // before it is destroyed.
    [[nodiscard]] Result<void> submit(Request& request, std::span<const std::byte> out);
    // Sends a control request and waits for its answer; returns the bytes moved.
    [[nodiscard]] Result<std::size_t> control(const Setup& setup, Request& request, std::span<const std::byte> out,
                                              Deadline deadline);
    // Asks the peer to cancel; the request is finished by the peer's answer.
    void cancel(Request& request);
    // Cancels, waits for the answer (cancel_limit; not again from a peer that has not answered since), abandons: the
    // request is finished when this returns. Says ETIMEDOUT or whatever `reason` is in place of ECANCELED.
    void abort(Request& request, const Error& reason);

    // Control packets of the usbredir kind; they wait for the peer's answer.
    [[nodiscard]] Result<std::uint8_t> get_configuration(Deadline deadline);
    [[nodiscard]] Result<void> set_alternate_setting(std::uint8_t interface, std::uint8_t setting, Deadline deadline);
    // Ends all transfers with ECANCELED and asks for a reset, which has no answer of its own.
    [[nodiscard]] Result<void> reset();

    // Runs the stream until `done()` (true), or the deadline has passed (false), or the device is gone (ENODEV).
    [[nodiscard]] Result<bool> run_until(const std::function<bool()>& done, Deadline deadline, int wake_fd = -1);
    // ENODEV once the device is gone.
    [[nodiscard]] Result<void> check() const { return gone_; }
    // The connection is of no use any more: from now on everything says ENODEV.
    void lose(const Error& why);

  private:
    UsbredirSession();
    [[nodiscard]] Result<void> enter(Request& request);
    [[nodiscard]] Result<void> wait_for(Request& request, Deadline deadline, std::string_view stage);
    void send_data(const Request& request, std::span<const std::byte> out);
    void act(InterruptStreams::Action action, std::uint8_t endpoint);
    void complain(const std::string& line);
    [[nodiscard]] Request* answered(std::uint64_t id, Request::Kind kind, std::uint8_t endpoint);
    void finish_data(Request& request, std::uint8_t status, std::size_t length, std::span<const std::byte> data);

    void on_hello() override { hello_ = true; }
    void on_device_connect(const usb_redir_device_connect_header& header) override;
    void on_device_disconnect() override;
    void on_interface_info(const usb_redir_interface_info_header& header) override;
    void on_ep_info(const usb_redir_ep_info_header& header) override;
    void on_configuration_status(std::uint64_t id, const usb_redir_configuration_status_header& header) override;
    void on_alt_setting_status(std::uint64_t id, const usb_redir_alt_setting_status_header& header) override;
    void on_interrupt_receiving_status(const usb_redir_interrupt_receiving_status_header& header) override;
    void on_control_packet(std::uint64_t id, const usb_redir_control_packet_header& header,
                           std::span<const std::byte> data) override;
    void on_bulk_packet(std::uint64_t id, const usb_redir_bulk_packet_header& header,
                        std::span<const std::byte> data) override;
    void on_interrupt_packet(std::uint64_t id, const usb_redir_interrupt_packet_header& header,
                             std::span<const std::byte> data) override;

    RequestTable table_;
    InterruptStreams interrupts_;
    std::unique_ptr<UsbredirStream> stream_;
    Result<void> gone_;
    bool hello_ = false;
    bool interfaces_known_ = false;
    bool endpoints_known_ = false;
    std::optional<std::uint8_t> speed_;  // when the device is connected
    std::array<EndpointInfo, 32> endpoints_{};
    bool silent_ = false;  // the last cancellation was not answered in time, nor anything since
    unsigned complaints_ = 0;
};

}  // namespace plugfs::usb
