// Interrupt IN streams; see the header.
#include "usb/usbredir_interrupts.h"

#include <usbredirproto.h>

#include <algorithm>

namespace plugfs::usb {
namespace {

constexpr std::size_t packet_limit = 64;  // waiting packets, as Device::listen() promises
constexpr unsigned restart_limit = 4;     // starts after an error, without a good packet in between

std::string name(std::uint8_t endpoint) {
    return "interrupt endpoint " + std::to_string(endpoint);
}

}  // namespace

void InterruptStreams::start(std::uint8_t endpoint, Stream& stream) {
    if (!stream.running) {
        stream.running = true;
        act_(Action::start, endpoint);
    }
}

Result<void> InterruptStreams::listen(std::uint8_t endpoint, std::size_t packet_size, std::size_t maximum) {
    Stream& stream = streams_[endpoint];
    if (!stream.waiting.empty()) {
        return fail(EINVAL, "listen", "transfers are waiting on endpoint " + std::to_string(endpoint));
    }
    stream.maximum = maximum;
    stream.packet_size = packet_size;
    stream.listening = true;
    while (!stream.early.empty()) {
        keep(endpoint, stream, stream.early.front());
        stream.early.pop_front();
    }
    start(endpoint, stream);
    return {};
}

std::optional<Arrival> InterruptStreams::next_arrival() {
    if (arrivals_.empty()) {
        return std::nullopt;
    }
    Arrival arrival = std::move(arrivals_.front());
    arrivals_.pop_front();
    return arrival;
}

Result<void> InterruptStreams::submit(Request& request, std::size_t maximum) {
    Stream& stream = streams_[request.endpoint];
    if (stream.listening) {
        return fail(EINVAL, "submit", "endpoint " + std::to_string(request.endpoint) + " is listened to");
    }
    stream.maximum = maximum;
    request.finished = false;
    request.error.reset();
    request.moved = 0;
    stream.waiting.push_back(&request);
    while (!stream.early.empty() && !stream.waiting.empty()) {
        const auto packet = std::move(stream.early.front());
        stream.early.pop_front();
        deliver(stream, packet);
    }
    start(request.endpoint, stream);
    return {};
}

void InterruptStreams::withdraw(Request& request, const Error& error) {
    if (const auto found = streams_.find(request.endpoint); found != streams_.end()) {
        std::erase(found->second.waiting, &request);
    }
    if (!request.finished) {
        request.finish(error);
    }
}

void InterruptStreams::fail_waiting(Stream& stream, const Error& error) {
    while (!stream.waiting.empty()) {
        Request* request = stream.waiting.front();
        stream.waiting.pop_front();
        request->finish(error);
    }
}

// One packet for the oldest waiting transfer (USB 2.0, 5.7.3: a transfer ends when it is full or at a short packet).
void InterruptStreams::deliver(Stream& stream, std::span<const std::byte> data) {
    Request& request = *stream.waiting.front();
    const std::size_t room = request.asked - request.moved;
    const std::size_t part = std::min(room, data.size());
    std::copy_n(data.begin(), part, request.in.begin() + static_cast<std::ptrdiff_t>(request.moved));
    request.moved += part;
    const bool too_long = data.size() > room;
    if (too_long || stream.maximum == 0 || data.size() < stream.maximum || request.moved == request.asked) {
        stream.waiting.pop_front();
        request.finish(too_long ? error_of_status(usb_redir_babble, "interrupt transfer") : std::nullopt);
    }
}

void InterruptStreams::keep(std::uint8_t endpoint, Stream& stream, std::span<const std::byte> data) {
    if (!stream.listening) {
        if (stream.early.size() >= packet_limit) {
            stream.early.pop_front();
            complain_(name(endpoint) + ": 64 packets wait, the oldest is dropped");
        }
        stream.early.emplace_back(data.begin(), data.end());
        return;
    }
    if (data.size() > stream.packet_size) {
        complain_(name(endpoint) + ": a packet of " + std::to_string(data.size()) + " bytes is dropped, at most " +
                  std::to_string(stream.packet_size) + " are wanted");
        return;
    }
    if (arrivals_.size() >= packet_limit) {
        arrivals_.pop_front();
        complain_(name(endpoint) + ": 64 packets wait, the oldest is dropped");
    }
    arrivals_.push_back({endpoint, {data.begin(), data.end()}});
}

void InterruptStreams::on_packet(std::uint8_t endpoint, std::uint8_t status, std::span<const std::byte> data) {
    const auto found = streams_.find(endpoint);
    if (found == streams_.end()) {
        complain_("a packet of endpoint " + std::to_string(endpoint) + ", which nobody reads");
        return;
    }
    Stream& stream = found->second;
    if (const auto error = error_of_status(status, "interrupt transfer")) {
        complain_(name(endpoint) + ": " + error->text());
        if (!stream.waiting.empty()) {
            Request* request = stream.waiting.front();
            stream.waiting.pop_front();
            request->finish(error);
        }
        return;
    }
    stream.restarts = 0;
    if (stream.waiting.empty()) {
        keep(endpoint, stream, data);
    } else {
        deliver(stream, data);
    }
}

void InterruptStreams::on_status(std::uint8_t endpoint, std::uint8_t status) {
    const auto found = streams_.find(endpoint);
    const auto error = error_of_status(status, "interrupt transfer");
    if (found == streams_.end() || !error) {
        return;  // success acknowledges a start or a stop
    }
    Stream& stream = found->second;
    stream.running = false;
    fail_waiting(stream, *error);
    if (!stream.listening) {
        return;
    }
    if (stream.restarts >= restart_limit) {
        complain_(name(endpoint) + ": " + error->text() + "; given up");
        return;
    }
    ++stream.restarts;
    complain_(name(endpoint) + ": " + error->text() + "; started again");
    if (error->code == EPIPE) {
        act_(Action::clear_halt, endpoint);
    }
    start(endpoint, stream);
}

void InterruptStreams::pause(std::uint8_t endpoint) {
    const auto found = streams_.find(endpoint);
    if (found != streams_.end() && found->second.running) {
        found->second.running = false;
        act_(Action::stop, endpoint);
    }
}

void InterruptStreams::resume(std::uint8_t endpoint) {
    const auto found = streams_.find(endpoint);
    if (found != streams_.end() && (found->second.listening || !found->second.waiting.empty())) {
        found->second.restarts = 0;
        start(endpoint, found->second);
    }
}

void InterruptStreams::stop_all(const Error& error) {
    for (auto& [endpoint, stream] : streams_) {
        pause(endpoint);
        stream.early.clear();
        fail_waiting(stream, error);
    }
}

void InterruptStreams::forget(std::uint8_t endpoint, const Error& error) {
    pause(endpoint);
    if (const auto found = streams_.find(endpoint); found != streams_.end()) {
        fail_waiting(found->second, error);
        streams_.erase(found);
    }
    std::erase_if(arrivals_, [&](const Arrival& arrival) { return arrival.endpoint == endpoint; });
}

std::vector<std::uint8_t> InterruptStreams::endpoints() const {
    std::vector<std::uint8_t> list;
    for (const auto& [endpoint, stream] : streams_) {
        list.push_back(endpoint);
    }
    return list;
}

}  // namespace plugfs::usb
