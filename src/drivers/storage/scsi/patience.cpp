#include "drivers/storage/scsi/patience.h"

#include <algorithm>

namespace plugfs::storage {

namespace {

constexpr std::chrono::seconds ready_limit{30};  // a disk spins up
constexpr std::chrono::milliseconds first_pause{20};
constexpr std::chrono::milliseconds longest_pause{500};
constexpr unsigned bus_error_limit = 3;
constexpr unsigned timeout_limit = 1;     // each costs the command's limit
constexpr unsigned attention_limit = 16;  // a unit may have several to report, one with each command
constexpr unsigned abort_limit = 4;
constexpr unsigned start_limit = 1;

// ADDITIONAL SENSE CODEs that decide something; SPC-4, annex F.
enum SenseCode : std::uint8_t {
    code_not_ready = 0x04,
    code_operation = 0x20,
    code_block_out_of_range = 0x21,
    code_field_in_command = 0x24,
    code_field_in_parameters = 0x26,
    code_write_protected = 0x27,
    code_medium_changed = 0x28,
    code_parameters_changed = 0x2a,
    code_no_medium = 0x3a,
};
constexpr std::uint8_t qualifier_capacity_changed = 0x09;  // of 2Ah
constexpr std::uint8_t qualifier_no_room = 0x07;           // of 27h
// of 04h
enum NotReadyQualifier : std::uint8_t { no_cause = 0, becoming_ready = 1, to_be_started = 2, in_progress = 7 };

}  // namespace

Patience::Patience()
    : ready_until_(Deadline::after(ready_limit)),
      bus_errors_(bus_error_limit),
      timeouts_(timeout_limit),
      attentions_(attention_limit),
      aborts_(abort_limit),
      starts_(start_limit),
      pause_(first_pause) {}

std::chrono::milliseconds Patience::pause() {
    const auto now = pause_;
    pause_ = std::min(2 * pause_, longest_pause);
    return now;
}

Verdict Patience::if_any(unsigned& left, Verdict verdict) {
    if (left == 0) {
        return Verdict::failed;
    }
    --left;
    return verdict;
}

Verdict Patience::until_ready(Verdict verdict) const {
    return ready_until_.expired() ? Verdict::failed : verdict;
}

Verdict Patience::fail_with(int code) {
    error_.code = code;
    return Verdict::failed;
}

Verdict Patience::judge(const ScsiCommand& command, const Result<ScsiOutcome>& result) {
    if (!result) {
        return judge_error(result.error());
    }
    const ScsiOutcome& outcome = *result;
    error_ = fail(EIO, std::string(command.name));
    const std::size_t asked = command.length();
    const auto executed = [&] {
        if (!command.all_or_nothing || outcome.moved == asked) {
            return Verdict::done;
        }
        error_.detail = "the device moved " + std::to_string(outcome.moved) + " of " + std::to_string(asked) + " bytes";
        return if_any(bus_errors_, Verdict::again);
    };
    switch (outcome.status) {
        case ScsiStatus::good:
        case ScsiStatus::condition_met:
            return executed();
        case ScsiStatus::check_condition: {
            const auto verdict = judge_sense(command, outcome);
            return verdict == Verdict::done ? executed() : verdict;
        }
        case ScsiStatus::busy:
        case ScsiStatus::task_set_full:
            error_.detail = "the device is busy";
            return until_ready(Verdict::later);
        case ScsiStatus::reservation_conflict:
            error_.detail = "somebody else has reserved the device";
            return Verdict::failed;
    }
    error_.detail = "status " + std::to_string(static_cast<unsigned>(outcome.status));
    return Verdict::failed;
}

Verdict Patience::judge_error(const Error& error) {
    error_ = error;
    switch (error.code) {
        case ENODEV:
        case ECANCELED:
            return Verdict::failed;
        case ETIMEDOUT:
            return if_any(timeouts_, Verdict::again);
        default:
            error_.code = EIO;
            return if_any(bus_errors_, Verdict::again);
    }
}

Verdict Patience::judge_sense(const ScsiCommand& command, const ScsiOutcome& outcome) {
    const auto sense = parse_sense(outcome.sense);
    if (!sense) {
        error_.detail = "it failed, and the device does not say why";
        return if_any(bus_errors_, Verdict::again);
    }
    error_.detail = sense->text();
    if (sense->information && command.all_or_nothing) {
        error_.detail += ", block " + std::to_string(*sense->information);
    }
    if (sense->code == code_no_medium) {
        return fail_with(ENOMEDIUM);
    }
    switch (sense->key) {
        case SenseKey::no_sense:  // a check condition about nothing
        case SenseKey::recovered_error:
        case SenseKey::completed:
            return sense->deferred ? if_any(aborts_, Verdict::again) : Verdict::done;
        case SenseKey::not_ready:
            return judge_not_ready(*sense);
        case SenseKey::unit_attention:
            return judge_attention(*sense);
        case SenseKey::illegal_request:
            return fail_with(sense->code == code_operation || sense->code == code_field_in_command ||
                                     sense->code == code_field_in_parameters
                                 ? ENOTSUP
                                 : EIO);
        case SenseKey::data_protect:
            return fail_with(sense->code == code_write_protected && sense->qualifier == qualifier_no_room ? ENOSPC
                                                                                                          : EROFS);
        case SenseKey::aborted_command:
            return if_any(aborts_, Verdict::again);
        default:
            return Verdict::failed;
    }
}

Verdict Patience::judge_not_ready(const Sense& sense) {
    if (sense.code != code_not_ready) {
        return Verdict::failed;
    }
    switch (sense.qualifier) {
        case no_cause:
        case becoming_ready:
        case in_progress:
            return until_ready(Verdict::later);
        case to_be_started:
            return starts_ > 0 ? if_any(starts_, Verdict::start) : until_ready(Verdict::later);
        default:
            return Verdict::failed;
    }
}

Verdict Patience::judge_attention(const Sense& sense) {
    const bool changed = sense.code == code_medium_changed ||
                         (sense.code == code_parameters_changed && sense.qualifier == qualifier_capacity_changed);
    return if_any(attentions_, changed ? Verdict::changed : Verdict::again);
}

}  // namespace plugfs::storage
