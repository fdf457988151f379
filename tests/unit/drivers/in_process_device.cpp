#include "drivers/in_process_device.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

namespace plugfs::test {

namespace {

std::string hexadecimal(unsigned value) {
    std::ostringstream out;
    out << std::hex << value;
    return out.str();
}

}  // namespace

class InProcessDevice::BusTransfer : public usb::Transfer {
  public:
    BusTransfer(InProcessDevice& device, std::uint8_t endpoint, std::size_t capacity)
        : device_(device), endpoint_(endpoint), buffer_(capacity) {
        ++device_.transfers_;
    }
    ~BusTransfer() override {
        BusTransfer::cancel();
        --device_.transfers_;
    }
    BusTransfer(const BusTransfer&) = delete;
    BusTransfer& operator=(const BusTransfer&) = delete;

    std::span<std::byte> buffer() override { return buffer_; }
    Result<void> submit_to_stream(std::uint16_t stream, std::size_t length) override {
        REQUIRE(stream > 0);
        return start(length, stream);
    }
    Result<void> submit(std::size_t length, bool zero_length_packet) override {
        if (device_.ends_by_short_packets && (endpoint_ & 0x80U) == 0) {
            const std::size_t packet = device_.packet_size(endpoint_);
            const bool fills = length % packet == 0;
            REQUIRE((zero_length_packet ? fills : (!fills || length > packet)));
        }
        return start(length, 0);
    }
    Result<void> start(std::size_t length, std::uint16_t stream) {
        REQUIRE_FALSE(waiting_);
        stream_ = stream;
        REQUIRE(length <= buffer_.size());
        length_ = length;
        moved_ = 0;
        error_ = 0;
        limit_.reset();
        if (const auto called = device_.call("submit"); !called) {
            error_ = called.error().code;
            return called;
        }
        if ((endpoint_ & 0x80U) == 0) {
            return device_.send(*this);
        }
        // A device that fills a packet which does not fit would be an overflow.
        REQUIRE(length % device_.packet_size(endpoint_) == 0);
        waiting_ = true;
        device_.waiting_[endpoint_].push_back(this);
        // A wait that is going to be called off sees no more than it has to.
        if (device_.call_off_after_ && device_.call_off_after_->first == endpoint_) {
            limit_ = device_.call_off_after_->second;
            device_.call_off_after_.reset();
        }
        device_.pump(endpoint_, Deadline::Clock::now());
        return {};
    }
    Result<std::size_t> wait(Deadline deadline) override {
        if (const auto called = device_.call("wait"); !called) {
            end(called.error().code);
        }
        if (limit_) {
            device_.pump(endpoint_, deadline.moment());
            REQUIRE(deadline.may_be_called_off());
            limit_.reset();
            end(ECANCELED);
        }
        if (waiting_) {
            device_.pump(endpoint_, deadline.moment());
        }
        if (waiting_) {
            end(ETIMEDOUT);
        }
        return error_ == 0 ? Result<std::size_t>(moved_) : fail(error_, "wait", std::strerror(error_));
    }
    [[nodiscard]] std::size_t moved() const override { return moved_; }
    [[nodiscard]] bool in_flight() const override { return waiting_; }
    void cancel() override {
        if (waiting_) {
            end(ECANCELED);
        }
    }

  private:
    friend class InProcessDevice;
    void end(int error) {
        std::erase(device_.waiting_[endpoint_], this);
        waiting_ = false;
        error_ = error;
    }

    InProcessDevice& device_;
    std::uint8_t endpoint_;
    std::vector<std::byte> buffer_;
    std::uint16_t stream_ = 0;
    std::size_t length_ = 0;
    std::size_t moved_ = 0;
    std::optional<std::size_t> limit_;  // no more than this comes before it is called off
    int error_ = 0;
    bool waiting_ = false;
};

InProcessDevice::InProcessDevice(virtual_usb::VirtualDevice& device) : device_(device) {
    identity_.vendor_id = device.description().vendor_id;
    identity_.product_id = device.description().product_id;
    identity_.speed = device.description().speed;
    identity_.product = device.description().product;
}

std::size_t InProcessDevice::in_flight() const {
    std::size_t count = 0;
    for (const auto& [endpoint, waiting] : waiting_) {
        count += waiting.size();
    }
    return count;
}

void InProcessDevice::fail_call(std::size_t number, int code) {
    calls_until_failure_ = number;
    failure_ = code;
    failed_ = false;
}

Result<void> InProcessDevice::call(const char* stage) {
    if (calls_until_failure_ > 0 && --calls_until_failure_ == 0) {
        failed_ = true;
        gone_ = gone_ || failure_ == ENODEV;
        return fail(failure_, stage, "as the test wants it");
    }
    return gone_ ? Result<void>(fail(ENODEV, stage)) : Result<void>();
}

std::size_t InProcessDevice::packet_size(std::uint8_t endpoint) const {
    for (const auto& interface : device_.description().interfaces) {
        for (const auto& item : interface.endpoints) {
            if (item.address == endpoint) {
                return item.max_packet_size;
            }
        }
    }
    FAIL("no such endpoint");
    return 1;
}

Result<void> InProcessDevice::send(BusTransfer& transfer) {
    const auto bytes = std::span<const std::byte>(transfer.buffer_).first(transfer.length_);
    if (deaf) {
        transfer.waiting_ = true;
        return {};
    }
    if (halted_.count(transfer.endpoint_) != 0) {
        transfer.error_ = EPIPE;
        return {};
    }
    if (watch_out) {
        watch_out(bytes);
    }
    const bool taken = transfer.stream_ == 0 ? device_.out(transfer.endpoint_, bytes)
                                             : device_.out_on_stream(transfer.endpoint_, transfer.stream_, bytes);
    if (!taken) {
        halted_.insert(transfer.endpoint_);
        transfer.error_ = EPIPE;
    } else {
        transfer.moved_ = bytes.size();
    }
    pump_all();
    return {};
}

void InProcessDevice::pump_all() {
    for (const auto& [endpoint, waiting] : waiting_) {
        pump(endpoint, Deadline::Clock::now());
    }
}

void InProcessDevice::end_all(std::uint8_t endpoint, int code) {
    while (!waiting_[endpoint].empty()) {
        waiting_[endpoint].front()->end(code);
    }
}

void InProcessDevice::pump(std::uint8_t endpoint, Deadline::Clock::time_point until) {
    auto& transfers = device_.in(endpoint);
    auto& waiting = waiting_[endpoint];
    const std::size_t packet = packet_size(endpoint);
    if (halted_.count(endpoint) != 0) {
        end_all(endpoint, EPIPE);
    }
    std::size_t at = 0;
    while (!waiting.empty() && at < transfers.size() && transfers[at].not_before <= until) {
        auto& from = transfers[at];
        const auto place = transfers.begin() + static_cast<std::ptrdiff_t>(at);
        if (from.stall) {
            transfers.erase(place);
            halted_.insert(endpoint);
            end_all(endpoint, EPIPE);
            return;
        }
        const auto wanted = std::find_if(waiting.begin(), waiting.end(),
                                         [&](const BusTransfer* each) { return each->stream_ == from.stream; });
        if (wanted == waiting.end()) {
            REQUIRE((from.stream == 0) == ((*waiting.front()).stream_ == 0));
            ++at;
            continue;
        }
        BusTransfer& to = **wanted;
        const std::size_t room = std::min(to.length_, to.limit_.value_or(to.length_)) - to.moved_;
        if (room == 0) {
            return;
        }
        const std::uint64_t before = from.bytes.size();
        const auto bytes = from.bytes.take(room);
        std::copy(bytes.begin(), bytes.end(), to.buffer_.begin() + static_cast<std::ptrdiff_t>(to.moved_));
        to.moved_ += bytes.size();
        const bool full = to.moved_ == to.length_;
        const bool over = from.bytes.size() == 0;
        // The last packet was short, or an empty one follows it.
        const bool short_end = over && before % packet != 0;
        const bool empty_end = over && before % packet == 0 && from.zero_length_packet && !full;
        if (short_end || empty_end || (over && !from.zero_length_packet)) {
            transfers.erase(place);
        }
        if (full || short_end || empty_end) {
            to.end(0);
        }
    }
}

Result<void> InProcessDevice::claim(std::uint8_t interface_number) {
    asked.push_back("claim " + hexadecimal(interface_number));
    return call("claim");
}

Result<void> InProcessDevice::release(std::uint8_t /*interface_number*/) {
    return call("release");
}

Result<void> InProcessDevice::set_alternate_setting(std::uint8_t /*interface_number*/, std::uint8_t alternate_setting,
                                                    Deadline /*deadline*/) {
    asked.push_back("setting " + hexadecimal(alternate_setting));
    return call("set_alternate_setting");
}

Result<std::size_t> InProcessDevice::control_in(const usb::Setup& setup, std::span<std::byte> data,
                                                Deadline /*deadline*/) {
    asked.push_back("control " + hexadecimal(setup.request));
    PLUGFS_TRY(call("control_in"));
    const auto answer = device_.control(setup, true, {}, data.size());
    if (!answer) {
        return fail(EPIPE, "control_in");
    }
    const auto length = std::min(answer->size(), data.size());
    std::copy_n(answer->begin(), length, data.begin());
    return length;
}

Result<std::size_t> InProcessDevice::control_out(const usb::Setup& setup, std::span<const std::byte> data,
                                                 Deadline /*deadline*/) {
    asked.push_back("control " + hexadecimal(setup.request));
    PLUGFS_TRY(call("control_out"));
    const bool known = device_.control(setup, false, data, 0).has_value();
    return known ? Result<std::size_t>(data.size()) : fail(EPIPE, "control_out");
}

Result<std::unique_ptr<usb::Transfer>> InProcessDevice::create_transfer(std::uint8_t endpoint, std::size_t capacity) {
    PLUGFS_TRY(call("create_transfer"));
    return std::unique_ptr<usb::Transfer>(std::make_unique<BusTransfer>(*this, endpoint, capacity));
}

Result<std::uint16_t> InProcessDevice::allocate_streams(std::span<const std::uint8_t> endpoints, std::uint16_t count) {
    asked.emplace_back("streams");
    PLUGFS_TRY(call("allocate_streams"));
    for (const auto& interface : device_.description().interfaces) {
        for (const auto& item : interface.endpoints) {
            if (std::find(endpoints.begin(), endpoints.end(), item.address) != endpoints.end()) {
                count = std::min(count, item.stream_limit);
            }
        }
    }
    return count == 0 ? Result<std::uint16_t>(fail(ENOTSUP, "allocate_streams")) : count;
}

Result<void> InProcessDevice::listen(std::uint8_t /*endpoint*/, std::size_t /*packet_size*/) {
    return call("listen");
}

Result<void> InProcessDevice::clear_halt(std::uint8_t endpoint, Deadline /*deadline*/) {
    asked.push_back("clear_halt " + hexadecimal(endpoint));
    PLUGFS_TRY(call("clear_halt"));
    halted_.erase(endpoint);
    device_.halt_cleared(endpoint);
    return {};
}

Result<void> InProcessDevice::reset(Deadline /*deadline*/) {
    asked.emplace_back("reset");
    PLUGFS_TRY(call("reset"));
    for (const auto& [endpoint, waiting] : waiting_) {
        end_all(endpoint, ECANCELED);
    }
    halted_.clear();
    device_.reset();
    return {};
}

}  // namespace plugfs::test
