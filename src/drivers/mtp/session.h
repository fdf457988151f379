// Session: transactions with an MTP responder, one at a time (PTP 9.3, MTP 4.7; on USB: Still Image Class 1.0, 7).
//
// (Data to the device: session_sending.cpp.)
//
//   idle ─ begin() ─> data phase (device to us; may be absent) ─ read_data() ... ─> response phase ─ finish() ─> idle
//                          └ abort(): Cancel request, halts cleared, everything drained ─> idle
//
// A transaction is one command container from us, at most one data container from the device, one response container.
// Everything in them is checked: container length, type, code, transaction id. A device that breaks the rules gets the
// transaction aborted and the caller an error that names the field; if that repeats, the device is reset and the
// session opened anew, step by step (recover()). A device that does not come back even then is left alone for a while,
// so that requests to it fail at once (ready()).
//
// Every wait has a deadline, by Timing: a device that sends nothing costs no more than first_answer, one that stops in
// the middle next_piece; both are extended while bytes move.
#pragma once

#include "drivers/mtp/bulk_pipe.h"
#include "drivers/mtp/container.h"

#include <plugfs/usb.h>

#include <array>
#include <chrono>
#include <functional>
#include <initializer_list>
#include <memory>
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

// How long a device may take; each is a length that a real device was seen to need, and some more.
struct Timing {
    std::chrono::milliseconds command{5000};        // to take a command
    std::chrono::milliseconds first_answer{10000};  // to begin an answer
    std::chrono::milliseconds listing{20000};       // the same where it has to walk its database
    std::chrono::milliseconds next_piece{5000};     // between pieces of an answer, and 1 ms more for each 256 bytes
    std::chrono::milliseconds taking{20000};        // to take a piece of data; storage that is written to pauses
    std::chrono::milliseconds storing{60000};       // to answer when it has all of it
    std::chrono::milliseconds copying{60000};       // to copy an object by itself, and 1 ms more for each KiB
    std::chrono::milliseconds opening{3000};        // while a session is being opened, in place of the above
    std::chrono::milliseconds control{1000};        // a control request
    std::chrono::milliseconds ready{3000};          // to be done with cancelling or resetting
    std::chrono::milliseconds drain{100};           // silence after which nothing more is on its way
    std::chrono::milliseconds reset{5000};          // a USB reset
    std::chrono::milliseconds retry{2000};          // until a device that did not come back is tried again; doubles
};

// "GetObjectInfo", or the code in hexadecimal, for messages.
[[nodiscard]] std::string operation_name(std::uint16_t operation);
// The errno and words for a response code other than OK.
[[nodiscard]] Error response_error(std::uint16_t operation, std::uint16_t response);

struct Response {
    std::uint16_t code = 0;
    Parameters parameters{};
};

class Session {
  public:
    using ParameterList = std::initializer_list<std::uint32_t>;

    // `device` must outlive it; the interface has been claimed.
    Session(usb::Device& device, const Endpoints& endpoints, const Timing& timing = {});

    // Brings the device to a known state, whatever a predecessor left in it, and opens a session. Tries, in this order:
    // opening (and closing, if one is open), the class's Cancel, its Device Reset, a USB reset.
    // `sending`: a predecessor may have died while it sent something. What we send then is more of that to the device,
    // so the first thing is the Cancel.
    Result<void> open(bool sending = false);
    void close();
    [[nodiscard]] const Timing& timing() const { return timing_; }
    // Bytes of a packet from the device.
    [[nodiscard]] std::size_t packet_size() const { return endpoints_.bulk_in_packet; }
    // How often a session has been opened: object handles of an earlier one need not mean anything now (PTP 9.2).
    [[nodiscard]] unsigned generation() const { return generation_; }

    // A transaction with a dataset as its data: GetDeviceInfo, GetObjectInfo, ... An answer other than OK is an error;
    // so is one of more than `limit` bytes.
    Result<std::vector<std::byte>> dataset(std::uint16_t operation, ParameterList parameters,
                                           std::size_t limit = std::size_t{64} << 20U);
    // A transaction without data. `patience`: how long the device may take to answer, where that is longer than usual.
    Result<Response> command(std::uint16_t operation, ParameterList parameters,
                             std::chrono::milliseconds patience = std::chrono::milliseconds(0));
    // A transaction whose data goes to `out`. Returns its length, at most out.size().
    Result<std::size_t> data_into(std::uint16_t operation, ParameterList parameters, std::span<std::byte> out);

    // Gives the next bytes of what is sent, all that are asked for.
    using Source = std::function<Result<void>(std::span<std::byte>)>;
    // A transaction with `size` bytes of data to the device. An error of `source` ends it, and is returned.
    Result<Response> send(std::uint16_t operation, ParameterList parameters, std::uint64_t size, const Source& source);

    // The same in steps, for an object that is read as it arrives. `first`: bytes of data to ask for at once; `whole`:
    // bytes that the data should have, for containers whose length does not fit their field; 0: must say it themselves.
    Result<void> begin(std::uint16_t operation, ParameterList parameters, std::size_t first, std::uint64_t whole = 0);
    // The next bytes of the data phase; 0 at its end.
    Result<std::size_t> read_data(std::span<std::byte> out);
    // Whether the device has more of the data to send.
    [[nodiscard]] bool data_pending() const { return state_ == State::data; }
    // The rest of the transaction. What is left of the data is an error; so is a response other than OK.
    Result<Response> finish();
    // Ends a transaction before its end.
    void abort();
    [[nodiscard]] bool busy() const { return state_ != State::idle; }

    // What the last error was.
    enum class Failure : std::uint8_t {
        none,
        refused,  // the device answered with another response than OK; nothing is wrong with it
        broken,   // it broke the protocol: the transaction was aborted
        silent,   // it did not answer in time: the same
        gone,
        called_off,  // nobody wants the answer any more: the same
    };
    [[nodiscard]] Failure failure() const { return failure_; }
    // After broken or silent: gets the device back, harder with each failure in a row. An error: it could not be done.
    Result<void> recover();
    // After called_off: the same, if the device did not come to rest. It has done nothing wrong.
    Result<void> settle();
    // Whether it is worth asking the device. EIO at once while a device that did not come back is left alone; when that
    // time is over, it is tried again here.
    Result<void> ready();

  private:
    enum class State : std::uint8_t { idle, header, data, response, done };

    void prepare(std::uint16_t operation);  // the state of a new transaction
    Result<void> command_sent();
    Result<void> send_command(std::uint16_t operation, ParameterList parameters);
    Result<void> post_ahead();
    Result<void> fill();  // more bytes into pending_
    Result<void> wait_for_header();
    Result<void> parse_header(const ContainerHeader& header);
    Result<void> data_header(const ContainerHeader& header);
    Result<void> parse_response(std::uint32_t length);
    Result<void> send_data(std::uint64_t size, const Source& source);
    Result<void> wait_sent(usb::Transfer& transfer);
    void stop_sending();
    Result<void> guarded(const Result<void>& result);  // aborts the transaction when it has failed
    [[nodiscard]] Error broken(const std::string& field);
    [[nodiscard]] std::chrono::milliseconds patience() const;

    // session_recovery.cpp
    Result<void> open_step();
    Result<void> climb();
    bool end_transaction();
    Result<void> wait_until_ready(Deadline deadline);
    bool drain();
    Result<std::size_t> class_request(std::uint8_t request, std::span<const std::byte> data);

    usb::Device& device_;
    Endpoints endpoints_;
    Timing timing_;
    BulkIn in_;
    std::unique_ptr<usb::Transfer> out_;
    std::array<std::unique_ptr<usb::Transfer>, 2> senders_;

    // The transaction under way.
    State state_ = State::idle;
    std::uint16_t operation_ = 0;
    std::uint32_t transaction_ = 0;  // PTP 9.3.1
    std::uint64_t whole_ = 0;
    std::uint64_t data_left_ = 0;
    bool transfer_ended_ = false;  // the last transfer was shorter than asked for
    bool had_data_ = false;        // the data container's header has come
    bool data_began_ = false;      // and some of its content
    bool first_piece_ = true;
    std::span<const std::byte> pending_;  // of the last transfer, not yet taken
    Response response_;
    bool sends_ = false;
    std::chrono::milliseconds patience_{0};  // as in command()
    bool refused_early_ = false;  // the device would not have the data: its response is there, or does not come
    std::optional<Error> source_failed_;

    Failure failure_ = Failure::none;
    bool opening_ = false;
    bool out_halted_ = false;  // a command ended in a halt, which has not been cleared
    unsigned stale_ = 0;       // answers to a predecessor, skipped while opening
    bool clean_ = true;        // the last abort() left the device ready
    unsigned failures_ = 0;    // in a row
    unsigned generation_ = 0;
    std::optional<Deadline> left_alone_until_;
    std::chrono::milliseconds next_retry_;
};

}  // namespace plugfs::mtp
