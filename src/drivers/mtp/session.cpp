#include "drivers/mtp/session.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace plugfs::mtp {

namespace {

using std::chrono::milliseconds;

// A posted buffer costs by its size: this is what a dataset usually needs.
constexpr std::size_t dataset_post = std::size_t{16} << 10U;
constexpr std::size_t part_size = std::size_t{512} << 10U;
// Data beyond what was posted with the command comes in pieces of this size, two of them posted ahead.
constexpr std::size_t piece_size = std::size_t{256} << 10U;
constexpr std::size_t pieces_ahead = 2;
// Still served by devices on a full-speed bus that has other work: 256 bytes a millisecond.
constexpr std::size_t slowest_bytes_per_ms = 256;

// A file's own bytes: what a reader that is interrupted was waiting for.
bool gives_content(std::uint16_t operation) {
    return operation == operation::get_object || operation == operation::get_partial_object ||
           operation == operation::get_partial_object_64;
}

}  // namespace

Session::Session(usb::Device& device, const Endpoints& endpoints, const Timing& timing)
    : device_(device),
      endpoints_(endpoints),
      timing_(timing),
      in_(device, endpoints.bulk_in, endpoints.bulk_in_packet),
      next_retry_(timing.retry) {}

Error Session::broken(const std::string& field) {
    failure_ = Failure::broken;
    return fail(EIO, operation_name(operation_), field);
}

milliseconds Session::patience() const {
    if (opening_) {
        return timing_.opening;
    }
    if (sends_) {
        return refused_early_ ? timing_.control : timing_.storing;
    }
    if (!first_piece_) {
        return timing_.next_piece;
    }
    if (patience_.count() > 0) {
        return patience_;
    }
    const bool walks_database =
        operation_ == operation::get_object_handles || operation_ == operation::get_object_prop_list;
    return walks_database ? timing_.listing : timing_.first_answer;
}

Result<void> Session::send_command(std::uint16_t operation, ParameterList parameters) {
    const auto container = command_container(operation, transaction_, {parameters.begin(), parameters.size()});
    if (!out_) {
        PLUGFS_ASSIGN(out_, device_.create_transfer(endpoints_.bulk_out, largest_message));
    }
    std::copy(container.begin(), container.end(), out_->buffer().begin());
    return out_->submit(container.size(), container.size() % endpoints_.bulk_out_packet == 0);
}

Result<void> Session::begin(std::uint16_t operation, ParameterList parameters, std::size_t first, std::uint64_t whole) {
    prepare(operation);
    whole_ = whole;
    // Command, data and response are queued together, so that the bus does not wait for us between them.
    PLUGFS_TRY(guarded(send_command(operation, parameters)));
    // In parts: while we copy one, the next is on its way.
    for (std::size_t left = container_header_size + first; left > 0;) {
        const std::size_t part = left >= 2 * part_size ? part_size : left;
        PLUGFS_TRY(guarded(in_.post(part)));
        left -= part;
    }
    if (first > 0 && whole <= first) {
        PLUGFS_TRY(guarded(in_.post(container_header_size)));
    }
    return command_sent();
}

void Session::prepare(std::uint16_t operation) {
    if (busy()) {
        abort();
    }
    operation_ = operation;
    // OpenSession has 0, then they count up, leaving out 0 and 0xFFFFFFFF (PTP 9.3.1).
    if (operation == operation::open_session) {
        transaction_ = 0;
    } else {
        transaction_ = transaction_ >= 0xFFFFFFFE ? 1 : transaction_ + 1;
    }
    state_ = State::header;
    whole_ = 0;
    data_left_ = 0;
    transfer_ended_ = had_data_ = data_began_ = false;
    first_piece_ = true;
    sends_ = false;
    patience_ = milliseconds(0);
    stale_ = 0;
    pending_ = {};
    response_ = {};
    failure_ = Failure::none;
}

Result<void> Session::command_sent() {
    const auto sent = out_->wait(Deadline::after(opening_ ? timing_.opening : timing_.command));
    if (!sent) {
        out_halted_ = sent.error().code == EPIPE;
        return guarded(fail(sent.error().code, operation_name(operation_), "command phase: " + sent.error().text()));
    }
    return {};
}

// Whatever ends a transaction early passes here, so that none is left half done, and what it was is on record.
Result<void> Session::guarded(const Result<void>& result) {
    if (result) {
        return {};
    }
    Error error = result.error();
    if (error.code == ENODEV) {
        failure_ = Failure::gone;
    } else if (error.code == ECANCELED && failure_ != Failure::broken) {
        failure_ = Failure::called_off;
    } else if (failure_ != Failure::broken) {
        failure_ = error.code == ETIMEDOUT ? Failure::silent : Failure::broken;
        error.code = EIO;
    }
    abort();
    return error;
}

Result<void> Session::post_ahead() {
    while (state_ == State::data && in_.transfers_posted() < pieces_ahead && in_.bytes_posted() < data_left_) {
        const auto rest = data_left_ - in_.bytes_posted();
        PLUGFS_TRY(in_.post(static_cast<std::size_t>(std::min<std::uint64_t>(rest, piece_size))));
    }
    return in_.transfers_posted() > 0 ? Result<void>() : in_.post(container_header_size);
}

Result<void> Session::fill() {
    PLUGFS_TRY(post_ahead());
    const milliseconds moving(in_.next_length() / slowest_bytes_per_ms);
    const auto deadline = Deadline::after(patience() + moving);
    const auto piece = in_.next(gives_content(operation_) ? deadline.unless_called_off() : deadline);
    if (!piece) {
        const char* phase = state_ == State::data ? "data phase: " : (had_data_ ? "response phase: " : "no answer: ");
        return fail(piece.error().code, operation_name(operation_), phase + piece.error().text());
    }
    first_piece_ = false;
    pending_ = piece->bytes;
    transfer_ended_ = piece->ended;
    return {};
}

Result<void> Session::wait_for_header() {
    const State before = state_;
    // An empty packet after data that filled its last one is normal; more of them are not.
    int empty = 0;
    std::array<std::byte, container_header_size> header{};
    std::size_t have = 0;
    while (state_ == before) {
        if (pending_.empty()) {
            if (have > 0 && transfer_ended_) {
                return broken("container of " + std::to_string(have) + " bytes, shorter than its header");
            }
            PLUGFS_TRY(fill());
            if (pending_.empty() && ++empty > 2) {
                return broken("empty packets where a container was expected");
            }
            continue;
        }
        const std::size_t count = std::min(pending_.size(), header.size() - have);
        std::copy_n(pending_.begin(), count, header.begin() + static_cast<std::ptrdiff_t>(have));
        pending_ = pending_.subspan(count);
        have += count;
        if (have == header.size()) {
            have = 0;
            PLUGFS_TRY(parse_header(read_container_header(header)));
        }
    }
    return {};
}

Result<void> Session::parse_header(const ContainerHeader& header) {
    const bool is_response = header.is(ContainerType::response);
    if (!is_response && !header.is(ContainerType::data)) {
        return broken("container type is " + std::to_string(header.type));
    }
    if (header.transaction != transaction_) {
        // While opening: what a dead predecessor did not fetch any more.
        if (opening_ && is_response && ++stale_ <= 4) {
            pending_ = {};
            return {};
        }
        return broken("transaction id is " + std::to_string(header.transaction) + ", not " +
                      std::to_string(transaction_));
    }
    if (header.length < container_header_size || (is_response && header.length > largest_message)) {
        return broken("container length is " + std::to_string(header.length));
    }
    if (!is_response) {
        return data_header(header);
    }
    response_.code = header.code;
    return parse_response(header.length);
}

Result<void> Session::data_header(const ContainerHeader& header) {
    if (had_data_) {
        return broken("a second data container");
    }
    if (header.code != operation_) {
        return broken("operation code of the data is " + std::to_string(header.code));
    }
    data_left_ = header.length - container_header_size;
    const std::uint64_t whole_length = whole_ + container_header_size;
    if (header.length == length_not_in_32_bits) {
        if (whole_ == 0) {
            return broken("container length is not given");
        }
        data_left_ = whole_;
    } else if (whole_length > length_not_in_32_bits && header.length == static_cast<std::uint32_t>(whole_length)) {
        data_left_ = whole_;  // some devices cut the length off instead
    }
    had_data_ = true;
    state_ = data_left_ > 0 ? State::data : State::response;
    return {};
}

Result<void> Session::parse_response(std::uint32_t length) {
    std::array<std::byte, largest_message> bytes{};
    const std::size_t wanted = length - container_header_size;
    std::size_t have = 0;
    while (have < wanted) {
        if (pending_.empty()) {
            if (transfer_ended_) {
                return broken("response container is shorter than its length " + std::to_string(length));
            }
            PLUGFS_TRY(fill());
            continue;
        }
        const std::size_t count = std::min(pending_.size(), wanted - have);
        std::copy_n(pending_.begin(), count, bytes.begin() + static_cast<std::ptrdiff_t>(have));
        have += count;
        pending_ = pending_.subspan(count);
    }
    response_.parameters = read_parameters(std::span<const std::byte>(bytes).first(have));
    pending_ = {};
    // A transfer that was posted for a response that came earlier, in the data's place.
    in_.cancel();
    state_ = State::done;
    return {};
}

Result<std::size_t> Session::read_data(std::span<std::byte> out) {
    if (state_ == State::header) {
        PLUGFS_TRY(guarded(wait_for_header()));
    }
    std::size_t done = 0;
    while (state_ == State::data && done < out.size()) {
        if (pending_.empty()) {
            // A short transfer ends the data. Only the header may have been sent apart, in a transfer of its own.
            if (transfer_ended_ && data_began_) {
                PLUGFS_TRY(guarded(
                    broken("container length promises " + std::to_string(data_left_) + " bytes more than came")));
            }
            PLUGFS_TRY(guarded(fill()));
            if (pending_.empty() && !std::exchange(data_began_, true)) {
                transfer_ended_ = false;  // one empty packet may follow a header sent apart
            }
            continue;
        }
        const auto room = std::min<std::uint64_t>(out.size() - done, data_left_);
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(pending_.size(), room));
        std::memcpy(out.data() + done, pending_.data(), count);
        pending_ = pending_.subspan(count);
        done += count;
        data_began_ = true;
        data_left_ -= count;
        if (data_left_ == 0) {
            state_ = State::response;
        }
    }
    return done;
}

Result<Response> Session::finish() {
    if (state_ == State::header) {
        PLUGFS_TRY(guarded(wait_for_header()));
    }
    if (state_ == State::data) {
        PLUGFS_TRY(guarded(broken(std::to_string(data_left_) + " bytes more data than expected")));
    }
    if (state_ == State::response) {
        PLUGFS_TRY(guarded(wait_for_header()));
    }
    state_ = State::idle;
    failures_ = 0;
    if (response_.code != response::ok) {
        failure_ = Failure::refused;
        return response_error(operation_, response_.code);
    }
    return response_;
}

Result<Response> Session::command(std::uint16_t operation, ParameterList parameters, milliseconds patience) {
    PLUGFS_TRY(begin(operation, parameters, 0));
    patience_ = patience;
    return finish();
}

Result<std::size_t> Session::data_into(std::uint16_t operation, ParameterList parameters, std::span<std::byte> out) {
    PLUGFS_TRY(begin(operation, parameters, out.size(), out.size()));
    PLUGFS_ASSIGN(const auto length, read_data(out));
    PLUGFS_TRY(finish());
    return length;
}

Result<std::vector<std::byte>> Session::dataset(std::uint16_t operation, ParameterList parameters, std::size_t limit) {
    PLUGFS_TRY(begin(operation, parameters, dataset_post - container_header_size));
    std::vector<std::byte> data;
    std::array<std::byte, 16384> piece;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read_data()
    while (true) {
        PLUGFS_ASSIGN(const auto length, read_data(piece));
        if (length == 0) {
            break;
        }
        if (data.size() + length > limit) {
            PLUGFS_TRY(guarded(broken("dataset of more than " + std::to_string(limit) + " bytes")));
        }
        data.insert(data.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(length));
    }
    PLUGFS_TRY(finish());
    return data;
}

}  // namespace plugfs::mtp
