// Asynchronous transfers on libusb; see the header.
#include "usb/libusb_urb.h"

#include "common/log.h"
#include "usb/call_off.h"

#include <algorithm>
#include <cerrno>
#include <string>

namespace plugfs::usb {
namespace {

// Below this, mapping pages costs more than the copy that it saves.
constexpr std::size_t device_memory_threshold = std::size_t{16} << 10U;
constexpr std::size_t capacity_limit = std::size_t{64} << 20U;
// How soon a wait ends that is called off.
constexpr std::chrono::milliseconds call_off_slice{20};
// Other transfers end, ours and those of other programs, and there is memory again.
constexpr std::chrono::milliseconds memory_patience{2000};
constexpr std::chrono::milliseconds memory_slice{5};

}  // namespace

struct LibusbUrb::State {
    LibusbHandle* handle = nullptr;
    libusb_transfer* transfer = nullptr;
    std::byte* device_memory = nullptr;  // from LibusbHandle::map()
    std::vector<std::byte> heap;         // or from here
    std::size_t capacity = 0;
    bool submitted = false;  // at least once
    bool in_flight = false;

    State() = default;
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
        libusb_free_transfer(transfer);
        if (device_memory != nullptr) {
            handle->unmap(device_memory, capacity);
        }
    }
    [[nodiscard]] std::byte* data() { return device_memory != nullptr ? device_memory : heap.data(); }
};

LibusbUrb::LibusbUrb(LibusbHandle& handle) : handle_(handle), state_(std::make_unique<State>()) {
    handle_.enter(*this);
}

Result<std::unique_ptr<LibusbUrb>> LibusbUrb::create(LibusbHandle& handle, std::uint8_t type, std::uint8_t endpoint,
                                                     std::size_t capacity) {
    if (capacity > capacity_limit) {
        return fail(EINVAL, "create transfer", std::to_string(capacity) + " bytes are more than one transfer carries");
    }
    std::unique_ptr<LibusbUrb> urb(new LibusbUrb(handle));
    State& state = *urb->state_;
    state.handle = &handle;
    state.capacity = capacity;
    state.transfer = libusb_alloc_transfer(0);
    if (state.transfer == nullptr) {
        return fail(ENOMEM, "libusb_alloc_transfer");
    }
    if (capacity >= device_memory_threshold) {
        state.device_memory = handle.map(capacity);
    }
    if (state.device_memory == nullptr) {
        state.heap.resize(std::max<std::size_t>(capacity, 1));
    }
    state.transfer->dev_handle = handle.get();
    state.transfer->endpoint = endpoint;
    state.transfer->type = type;
    state.transfer->timeout = 0;  // deadlines are ours to keep
    state.transfer->buffer = reinterpret_cast<unsigned char*>(state.data());
    state.transfer->callback = completed;
    state.transfer->user_data = &state;
    return urb;
}

LibusbUrb::~LibusbUrb() {
    if (state_->in_flight) {
        cancel();
        reap();
    }
    handle_.leave(*this);
    if (state_->in_flight) {
        log::error("a cancelled transfer on endpoint " + std::to_string(state_->transfer->endpoint) +
                   " does not end; its " + std::to_string(state_->capacity) + " bytes are left allocated");
        (void)state_.release();  // NOLINT(bugprone-unused-return-value): leaked on purpose, the kernel may write to it
    }
}

void LibusbUrb::completed(libusb_transfer* transfer) noexcept {
    static_cast<State*>(transfer->user_data)->in_flight = false;
}

std::span<std::byte> LibusbUrb::buffer() const {
    return {state_->data(), state_->capacity};
}

std::uint8_t LibusbUrb::zero_packet_flag() const {
    const bool out = (state_->transfer->endpoint & LIBUSB_ENDPOINT_IN) == 0;
    return out && state_->transfer->type == LIBUSB_TRANSFER_TYPE_BULK ? LIBUSB_TRANSFER_ADD_ZERO_PACKET : 0;
}

std::uint8_t LibusbUrb::endpoint() const {
    return state_->transfer->endpoint;
}

bool LibusbUrb::in_flight() const {
    return state_->in_flight;
}

std::size_t LibusbUrb::moved() const {
    const int length = state_->transfer->actual_length;
    return state_->submitted && !state_->in_flight && length > 0 ? static_cast<std::size_t>(length) : 0;
}

Result<void> LibusbUrb::submit(std::size_t length, std::uint8_t flags, std::uint16_t stream) {
    if (state_->in_flight) {
        return fail(EINVAL, "submit", "the transfer is in flight");
    }
    if (length > state_->capacity) {
        return fail(EINVAL, "submit", "more than the capacity");
    }
    PLUGFS_TRY(handle_.check());
    if (stream != 0) {
        if (state_->transfer->type != LIBUSB_TRANSFER_TYPE_BULK &&
            state_->transfer->type != LIBUSB_TRANSFER_TYPE_BULK_STREAM) {
            return fail(EINVAL, "submit", "only bulk endpoints have streams");
        }
        state_->transfer->type = LIBUSB_TRANSFER_TYPE_BULK_STREAM;
        libusb_transfer_set_stream_id(state_->transfer, stream);
    } else if (state_->transfer->type == LIBUSB_TRANSFER_TYPE_BULK_STREAM) {
        state_->transfer->type = LIBUSB_TRANSFER_TYPE_BULK;
    }
    timed_out_ = false;
    state_->submitted = true;
    state_->transfer->length = static_cast<int>(length);
    state_->transfer->actual_length = 0;
    state_->transfer->flags = flags;
    auto posted = post();
    if (!posted && posted.error().code == ENOMEM) {
        const auto until = Deadline::after(memory_patience);
        while (!posted && posted.error().code == ENOMEM && !until.expired()) {
            (void)handle_.reap_until([] { return false; }, Deadline::after(memory_slice));
            posted = post();
        }
    }
    unsubmitted_.reset();
    if (!posted) {
        unsubmitted_ = posted.error();
    }
    return posted;
}

Result<void> LibusbUrb::post() {
    state_->in_flight = true;  // before: the callback may come from within
    const int code = libusb_submit_transfer(state_->transfer);
    if (code == LIBUSB_SUCCESS) {
        return {};
    }
    state_->in_flight = false;
    if (code == LIBUSB_ERROR_NO_MEM) {
        return fail(ENOMEM, "submit",
                    "the kernel has no more memory for USB transfers; its limit for all programs is in "
                    "/sys/module/usbcore/parameters/usbfs_memory_mb");
    }
    return handle_.note(code, "submit");
}

Result<std::size_t> LibusbUrb::wait(Deadline deadline) {
    CallOff* call_off = deadline.may_be_called_off() ? waits_are_called_off_by() : nullptr;
    const auto done = [this, call_off] { return !state_->in_flight || (call_off != nullptr && call_off->asked()); };
    (void)handle_.reap_until(done, deadline, call_off != nullptr ? call_off_slice : longest_uncounted);
    if (state_->in_flight) {
        timed_out_ = call_off == nullptr || !call_off->take();
        cancel();
        reap();
    }
    return outcome();
}

void LibusbUrb::cancel() {
    if (state_->in_flight) {
        (void)libusb_cancel_transfer(state_->transfer);  // NOT_FOUND: it has just ended, which the next event tells
    }
}

void LibusbUrb::reap() {
    (void)handle_.reap_until([this] { return !state_->in_flight; }, Deadline::after(reap_limit));
}

Result<std::size_t> LibusbUrb::outcome() {
    if (!state_->submitted) {
        return fail(EINVAL, "wait", "nothing was submitted");
    }
    if (unsubmitted_) {
        return *unsubmitted_;
    }
    if (state_->in_flight) {  // cancelled, and the kernel does not give it back
        PLUGFS_TRY(handle_.check());
        return fail(ETIMEDOUT, "transfer", "the cancelled transfer does not end");
    }
    const auto error = [&](int code, const char* detail) { return fail(code, "transfer", detail); };
    switch (state_->transfer->status) {
        case LIBUSB_TRANSFER_COMPLETED:
            return moved();
        case LIBUSB_TRANSFER_CANCELLED:
            return timed_out_ ? error(ETIMEDOUT, "not done in time") : error(ECANCELED, "cancelled");
        case LIBUSB_TRANSFER_TIMED_OUT:
            return error(ETIMEDOUT, "not done in time");
        case LIBUSB_TRANSFER_STALL:
            return error(EPIPE, "stall");
        case LIBUSB_TRANSFER_NO_DEVICE:
            return handle_.note(LIBUSB_ERROR_NO_DEVICE, "transfer").error();
        case LIBUSB_TRANSFER_OVERFLOW:
            return error(EOVERFLOW, "the device sent more than was asked for");
        default:
            return error(EIO, "bus error");
    }
}

}  // namespace plugfs::usb
