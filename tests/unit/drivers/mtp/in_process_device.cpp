#include "in_process_device.h"

#include "drivers/mtp/mtp_driver.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace plugfs::mtp::test {

class InProcessDevice::BusTransfer : public usb::Transfer {
  public:
    BusTransfer(InProcessDevice& device, std::uint8_t endpoint, std::size_t capacity)
        : device_(device), endpoint_(endpoint), buffer_(capacity) {}
    ~BusTransfer() override { BusTransfer::cancel(); }

    std::span<std::byte> buffer() override { return buffer_; }
    Result<void> submit(std::size_t length, bool zero_length_packet) override {
        REQUIRE_FALSE(waiting_);
        REQUIRE(length <= buffer_.size());
        PLUGFS_TRY(device_.call("submit"));
        length_ = length;
        moved_ = 0;
        error_ = 0;
        if ((endpoint_ & 0x80U) == 0) {
            // A command, or the end of data, that fills its last packet would run on into what comes next. Pieces of
            // data before the last do.
            const bool fills = length % device_.packet_size(endpoint_) == 0;
            REQUIRE((zero_length_packet ? fills : (!fills || length > device_.packet_size(endpoint_))));
            return device_.send(*this);
        }
        // A device that fills a packet which does not fit would be an overflow.
        REQUIRE(length % device_.packet_size(endpoint_) == 0);
        waiting_ = true;
        device_.waiting_[endpoint_].push_back(this);
        device_.pump(endpoint_, Deadline::Clock::now());
        return {};
    }
    Result<std::size_t> wait(Deadline deadline) override {
        if (const auto called = device_.call("wait"); !called) {
            end(called.error().code);
        }
        if (waiting_) {
            device_.pump(endpoint_, deadline.moment());
        }
        if (waiting_) {
            end(ETIMEDOUT);
        }
        return error_ == 0 ? Result<std::size_t>(moved_) : fail(error_, "wait");
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
    std::size_t length_ = 0;
    std::size_t moved_ = 0;
    int error_ = 0;
    bool waiting_ = false;
};

InProcessDevice::InProcessDevice(virtual_usb::VirtualDevice& device) : device_(device) {
    identity_.vendor_id = device.description().vendor_id;
    identity_.product_id = device.description().product_id;
    identity_.speed = device.description().speed;
    identity_.product = device.description().product;
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
    if (bytes.size() >= container_header_size) {
        asked.push_back("command " + hexadecimal(read_container_header(bytes.first<container_header_size>()).code));
    }
    if (!device_.out(transfer.endpoint_, bytes)) {
        halted_.insert(transfer.endpoint_);
        transfer.error_ = EPIPE;
        return {};
    }
    transfer.moved_ = bytes.size();
    for (const auto& [endpoint, waiting] : waiting_) {
        pump(endpoint, Deadline::Clock::now());
    }
    return {};
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
    while (!waiting.empty() && !transfers.empty() && transfers.front().not_before <= until) {
        auto& from = transfers.front();
        if (from.stall) {
            transfers.pop_front();
            halted_.insert(endpoint);
            end_all(endpoint, EPIPE);
            return;
        }
        BusTransfer& to = *waiting.front();
        const std::uint64_t before = from.bytes.size();
        const auto bytes = from.bytes.take(to.length_ - to.moved_);
        std::copy(bytes.begin(), bytes.end(), to.buffer_.begin() + static_cast<std::ptrdiff_t>(to.moved_));
        to.moved_ += bytes.size();
        const bool full = to.moved_ == to.length_;
        const bool over = from.bytes.size() == 0;
        // The last packet was short, or an empty one follows it.
        const bool short_end = over && before % packet != 0;
        const bool empty_end = over && before % packet == 0 && from.zero_length_packet && !full;
        if (short_end || empty_end || (over && !from.zero_length_packet)) {
            transfers.pop_front();
        }
        if (full || short_end || empty_end) {
            to.end(0);
        }
    }
}

Result<void> InProcessDevice::claim(std::uint8_t /*interface_number*/) {
    return call("claim");
}

Result<void> InProcessDevice::release(std::uint8_t /*interface_number*/) {
    return call("release");
}

Result<void> InProcessDevice::set_alternate_setting(std::uint8_t /*interface_number*/,
                                                    std::uint8_t /*alternate_setting*/, Deadline /*deadline*/) {
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
    REQUIRE(answer->size() <= data.size());
    std::copy(answer->begin(), answer->end(), data.begin());
    return answer->size();
}

Result<std::size_t> InProcessDevice::control_out(const usb::Setup& setup, std::span<const std::byte> data,
                                                 Deadline /*deadline*/) {
    asked.push_back("control " + hexadecimal(setup.request));
    PLUGFS_TRY(call("control_out"));
    return device_.control(setup, false, data, 0) ? Result<std::size_t>(data.size()) : fail(EPIPE, "control_out");
}

Result<std::unique_ptr<usb::Transfer>> InProcessDevice::create_transfer(std::uint8_t endpoint, std::size_t capacity) {
    PLUGFS_TRY(call("create_transfer"));
    return std::unique_ptr<usb::Transfer>(std::make_unique<BusTransfer>(*this, endpoint, capacity));
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

}  // namespace plugfs::mtp::test
