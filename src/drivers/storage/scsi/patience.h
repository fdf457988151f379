// Patience: what to do about a command that did not end well, and how often.
//
// One for each command that is to succeed. It reads status and sense data, and says what comes next; everything that is
// tried again is counted or timed, so a device that answers the same for ever gets an error in the end.
#pragma once

#include "drivers/storage/scsi/sense.h"
#include "drivers/storage/scsi/transport.h"

#include <plugfs/deadline.h>

#include <optional>

namespace plugfs::storage {

enum class Verdict : std::uint8_t {
    done,     // it has been executed
    again,    // at once
    later,    // after pause()
    start,    // after START STOP UNIT
    changed,  // the medium may have been changed
    failed,   // error() says why
};

class Patience {
  public:
    Patience();

    [[nodiscard]] Verdict judge(const ScsiCommand& command, const Result<ScsiOutcome>& result);
    // Why the last judgement was not done. Its code is one of logical_unit.h, or ENOTSUP: the device does not know the
    // command or something in it.
    [[nodiscard]] const Error& error() const { return error_; }
    // How long to wait before the next attempt: longer each time.
    [[nodiscard]] std::chrono::milliseconds pause();

  private:
    Verdict judge_error(const Error& error);
    Verdict judge_sense(const ScsiCommand& command, const ScsiOutcome& outcome);
    Verdict judge_not_ready(const Sense& sense);
    Verdict judge_attention(const Sense& sense);
    // One attempt less of those left; failed when none is left, and with error() as it is.
    static Verdict if_any(unsigned& left, Verdict verdict);
    Verdict until_ready(Verdict verdict) const;
    Verdict fail_with(int code);

    Deadline ready_until_;
    unsigned bus_errors_;
    unsigned timeouts_;
    unsigned attentions_;
    unsigned aborts_;
    unsigned starts_;
    std::chrono::milliseconds pause_;
    Error error_;
};

}  // namespace plugfs::storage
