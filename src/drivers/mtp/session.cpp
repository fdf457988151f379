#include "drivers/mtp/session.h"

#include <algorithm>
#include <cstring>

namespace plugfs::mtp {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t header_size = 12;
constexpr std::uint32_t endless_length = 0xFFFFFFFF;
constexpr std::size_t dataset_post = std::size_t{16} << 10U;
constexpr std::size_t largest_post = std::size_t{4} << 20U;
constexpr seconds command_deadline{5};
constexpr seconds first_answer{15};
constexpr seconds next_piece{5};

}  // namespace

Session::Session(usb::Device& device, const Endpoints& endpoints)
    : device_(device), endpoints_(endpoints), in_(device, endpoints.bulk_in, endpoints.bulk_in_packet) {}

Error Session::broken(const std::string& field) const {
    return fail(EIO, operation_name(operation_), field);
}

Result<void> Session::send_command(std::uint16_t operation, Parameters parameters) {
    ByteWriter container;
    container.u32le(static_cast<std::uint32_t>(header_size + (4 * parameters.size())));
    container.u16le(static_cast<std::uint16_t>(ContainerType::command));
    container.u16le(operation);
    container.u32le(transaction_);
    for (const std::uint32_t parameter : parameters) {
        container.u32le(parameter);
    }
    if (!out_) {
        PLUGFS_ASSIGN(out_, device_.create_transfer(endpoints_.bulk_out, endpoints_.bulk_out_packet));
    }
    std::memcpy(out_->buffer().data(), container.bytes().data(), container.size());
    return out_->submit(container.size());
}

Result<void> Session::begin(std::uint16_t operation, Parameters parameters, std::size_t expected) {
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
    header_length_ = 0;
    data_left_ = 0;
    data_endless_ = false;
    had_data_ = false;
    data_began_ = false;
    first_piece_ = true;
    pending_ = {};
    response_ = {};
    // Command, data and response are queued together, so that the bus does not wait for us between them.
    asked_ = std::min(header_size + expected, largest_post);
    PLUGFS_TRY(guarded(send_command(operation, parameters)));
    PLUGFS_TRY(guarded(in_.post(asked_)));
    if (expected > 0) {
        PLUGFS_TRY(guarded(in_.post(header_size)));
    }
    const auto sent = out_->wait(Deadline::after(command_deadline));
    return guarded(
        sent ? Result<void>()
             : Result<void>(fail(sent.error().code, operation_name(operation), "command: " + sent.error().text())));
}

Result<void> Session::guarded(Result<void> result) {
    if (!result) {
        abort();
    }
    return result;
}

Result<void> Session::fill() {
    if (!in_.posted()) {
        const std::uint64_t wanted = data_endless_ ? dataset_post : (state_ == State::data ? data_left_ : header_size);
        PLUGFS_TRY(in_.post(static_cast<std::size_t>(std::min<std::uint64_t>(wanted, largest_post))));
    }
    auto bytes = in_.next(Deadline::after(first_piece_ ? first_answer : next_piece));
    if (!bytes) {
        const auto& error = bytes.error();
        const char* phase = state_ == State::data ? "data phase: " : (had_data_ ? "response phase: " : "no answer: ");
        return fail(error.code == ENODEV ? ENODEV : EIO, operation_name(operation_), phase + error.text());
    }
    first_piece_ = false;
    pending_ = *bytes;
    transfer_ended_ = pending_.size() % endpoints_.bulk_in_packet != 0 || pending_.empty();
    return {};
}

Result<void> Session::wait_for_header() {
    // An empty packet after data that filled its last one is normal; more of them are not.
    int empty = 0;
    while (header_length_ < header_size) {
        if (pending_.empty()) {
            PLUGFS_TRY(fill());
            if (pending_.empty() && ++empty > 2) {
                return broken("empty packets where a container was expected");
            }
            continue;
        }
        const std::size_t count = std::min(pending_.size(), header_size - header_length_);
        std::copy_n(pending_.begin(), count, header_.begin() + static_cast<std::ptrdiff_t>(header_length_));
        header_length_ += count;
        pending_ = pending_.subspan(count);
    }
    return parse_header();
}

Result<void> Session::parse_header() {
    header_length_ = 0;
    ByteReader reader(header_);
    const std::uint32_t length = reader.u32le();
    const std::uint16_t type = reader.u16le();
    const std::uint16_t code = reader.u16le();
    const std::uint32_t transaction = reader.u32le();
    const bool data = type == static_cast<std::uint16_t>(ContainerType::data);
    if (!data && type != static_cast<std::uint16_t>(ContainerType::response)) {
        return broken("container type is " + std::to_string(type));
    }
    if (data && had_data_) {
        return broken("a second data container");
    }
    if (length < header_size || (!data && length > header_size + 20)) {
        return broken("container length is " + std::to_string(length));
    }
    if (transaction != transaction_) {
        return broken("transaction id is " + std::to_string(transaction) + ", not " + std::to_string(transaction_));
    }
    if (!data) {
        response_.code = code;
        return parse_response(length);
    }
    if (code != operation_) {
        return broken("operation code of the data is " + std::to_string(code));
    }
    had_data_ = true;
    data_endless_ = length == endless_length;
    data_left_ = data_endless_ ? 0 : length - header_size;
    state_ = data_endless_ || data_left_ > 0 ? State::data : State::response;
    return {};
}

Result<void> Session::parse_response(std::uint32_t length) {
    std::array<std::byte, 20> bytes{};
    std::size_t have = 0;
    while (have < length - header_size) {
        if (pending_.empty()) {
            if (transfer_ended_) {
                return broken("response container is shorter than its length " + std::to_string(length));
            }
            PLUGFS_TRY(fill());
            continue;
        }
        const std::size_t count = std::min<std::size_t>(pending_.size(), length - header_size - have);
        std::copy_n(pending_.begin(), count, bytes.begin() + static_cast<std::ptrdiff_t>(have));
        have += count;
        pending_ = pending_.subspan(count);
    }
    ByteReader reader(std::span<const std::byte>(bytes).first(have));
    for (auto& parameter : response_.parameters) {
        parameter = reader.remaining() >= 4 ? reader.u32le() : 0;
    }
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
            if (transfer_ended_ && !data_endless_ && data_began_) {
                PLUGFS_TRY(guarded(
                    broken("container length promises " + std::to_string(data_left_) + " bytes more than came")));
            }
            PLUGFS_TRY(guarded(fill()));
            if (pending_.empty() && data_endless_) {
                state_ = State::response;
                break;
            }
            continue;
        }
        std::size_t count = std::min(pending_.size(), out.size() - done);
        if (!data_endless_) {
            count = static_cast<std::size_t>(std::min<std::uint64_t>(count, data_left_));
        }
        std::copy_n(pending_.begin(), count, out.begin() + static_cast<std::ptrdiff_t>(done));
        pending_ = pending_.subspan(count);
        done += count;
        data_began_ = true;
        data_left_ -= data_endless_ ? 0 : count;
        const bool over = data_endless_ ? pending_.empty() && transfer_ended_ : data_left_ == 0;
        if (over) {
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
        PLUGFS_TRY(guarded(broken(data_endless_ ? "more data than expected"
                                                : std::to_string(data_left_) + " bytes more data than expected")));
    }
    if (state_ == State::response) {
        PLUGFS_TRY(guarded(wait_for_header()));
        if (state_ != State::done) {
            PLUGFS_TRY(guarded(broken("data where the response was expected")));
        }
    }
    state_ = State::idle;
    failures_ = 0;
    if (response_.code != response::ok) {
        return response_error(operation_, response_.code);
    }
    return response_;
}

Result<Response> Session::command(std::uint16_t operation, Parameters parameters) {
    PLUGFS_TRY(begin(operation, parameters, 0));
    return finish();
}

Result<std::size_t> Session::data_into(std::uint16_t operation, Parameters parameters, std::span<std::byte> out) {
    PLUGFS_TRY(begin(operation, parameters, out.size()));
    PLUGFS_ASSIGN(const auto length, read_data(out));
    PLUGFS_TRY(finish());
    return length;
}

Result<std::vector<std::byte>> Session::dataset(std::uint16_t operation, Parameters parameters, std::size_t limit) {
    PLUGFS_TRY(begin(operation, parameters, dataset_post - header_size));
    std::vector<std::byte> data;
    std::array<std::byte, 4096> piece{};
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
