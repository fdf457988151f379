// Session: transactions with an MTP responder, one at a time (PTP 9.3, MTP 4.7; on USB: Still Image Class 1.0, 7).
//
//   idle ─ begin() ─> data phase (device to us; may be absent) ─ read_data() ... ─> response phase ─ finish() ─> idle
//                          └ abort(): Cancel request, halts cleared, everything drained ─> idle
//
// A transaction is one command container from us, at most one data container from the device, one response container.
// Everything in them is checked: container length, type, code, transaction id. A device that breaks the rules gets the
// transaction aborted and the caller an error that names the field; if that repeats, the device is reset and the
// session opened anew, step by step (recover()).
//
// Deadlines: the first bytes of an answer may take `first_answer`, each further piece `next_piece`: a deadline is
// extended while bytes move.
#pragma once

#include "drivers/mtp/bulk_pipe.h"
#include "drivers/mtp/codes.h"

#include <plugfs/bytes.h>
#include <plugfs/usb.h>

#include <array>
#include <chrono>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

namespace plugfs::mtp {

// The endpoints of a still-image interface; Still Image Class 1.0, 4.
struct Endpoints {
    std::uint8_t interface_number = 0;
    std::uint8_t bulk_in = 0;
    std::uint8_t bulk_out = 0;
    std::uint8_t interrupt_in = 0;  // 0: none
    std::size_t bulk_in_packet = 0;
    std::size_t bulk_out_packet = 0;
    std::size_t interrupt_packet = 0;
};

// "GetObjectInfo", or the code in hexadecimal, for messages.
[[nodiscard]] std::string operation_name(std::uint16_t operation);
// The errno and words for a response code other than OK.
[[nodiscard]] Error response_error(std::uint16_t operation, std::uint16_t response);

struct Response {
    std::uint16_t code = 0;
    std::array<std::uint32_t, 5> parameters{};
};

class Session {
  public:
    using Parameters = std::initializer_list<std::uint32_t>;

    // `device` must outlive it; the interface has been claimed.
    Session(usb::Device& device, const Endpoints& endpoints);

    // Brings the device to a known state, whatever a predecessor left in it, and opens a session. Tries, in this order:
    // opening, the class's Cancel and Device Reset, a USB reset.
    Result<void> open();
    void close();

    // A transaction with a dataset as its data: GetDeviceInfo, GetObjectInfo, ... An answer other than OK is an error;
    // so is one of more than `limit` bytes.
    Result<std::vector<std::byte>> dataset(std::uint16_t operation, Parameters parameters,
                                           std::size_t limit = std::size_t{64} << 20U);
    // A transaction without data.
    Result<Response> command(std::uint16_t operation, Parameters parameters);
    // A transaction whose data goes to `out`. Returns its length, at most out.size().
    Result<std::size_t> data_into(std::uint16_t operation, Parameters parameters, std::span<std::byte> out);

    // The same in steps, for an object that is read as it arrives. `expected`: bytes of data to ask for at first.
    Result<void> begin(std::uint16_t operation, Parameters parameters, std::size_t expected);
    // The next bytes of the data phase; 0 at its end.
    Result<std::size_t> read_data(std::span<std::byte> out);
    // The rest of the transaction. What is left of the data is an error; so is a response other than OK.
    Result<Response> finish();
    // Ends a transaction before its end.
    void abort();
    [[nodiscard]] bool busy() const { return state_ != State::idle; }

    // After an error that came from the device's behaviour, not from its response: gets it back, harder with each
    // failure in a row. ENODEV if it has gone.
    Result<void> recover();

  private:
    enum class State : std::uint8_t { idle, header, data, response, done };

    Result<void> send_command(std::uint16_t operation, Parameters parameters);
    Result<void> fill();          // more bytes into pending_
    Result<void> parse_header();  // pending_ begins with a container
    Result<void> parse_response(std::uint32_t length);
    Result<void> wait_for_header();
    Result<void> guarded(Result<void> result);  // aborts the transaction when it has failed
    [[nodiscard]] Error broken(const std::string& field) const;
    Result<void> open_once();
    Result<void> wait_until_ready(Deadline deadline);

    usb::Device& device_;
    Endpoints endpoints_;
    BulkIn in_;
    std::unique_ptr<usb::Transfer> out_;
    State state_ = State::idle;
    std::uint16_t operation_ = 0;
    std::uint32_t transaction_ = 0;  // id of the one under way; PTP 9.3.1
    std::uint64_t data_left_ = 0;
    bool data_endless_ = false;    // length field 0xFFFFFFFF: ends with a short packet
    bool transfer_ended_ = false;  // the last transfer was shorter than asked for
    bool had_data_ = false;        // the data container's header has come
    bool data_began_ = false;      // and some of its content
    bool first_piece_ = true;
    std::span<const std::byte> pending_;  // of the last transfer, not yet taken
    std::array<std::byte, 12> header_{};  // being collected
    std::size_t header_length_ = 0;
    std::size_t asked_ = 0;
    Response response_;
    unsigned failures_ = 0;  // in a row
};

}  // namespace plugfs::mtp
