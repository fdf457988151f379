#include "usb/call_off.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

namespace plugfs::usb {

namespace {
std::atomic<CallOff*> of_process = nullptr;
}  // namespace

Result<std::unique_ptr<CallOff>> CallOff::create() {
    UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event) {
        return fail(errno, "eventfd");
    }
    return std::unique_ptr<CallOff>(new CallOff(std::move(event)));
}

void CallOff::ask() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
    // After that: then whoever finds it asked, and takes it, leaves nothing in the descriptor.
    asked_ = true;
}

bool CallOff::take() {
    const bool asked = asked_.exchange(false);
    std::uint64_t count = 0;
    return ::read(event_.get(), &count, sizeof count) == sizeof count || asked;
}

void call_waits_off_by(CallOff* call_off) {
    of_process = call_off;
}

CallOff* waits_are_called_off_by() {
    return of_process;
}

}  // namespace plugfs::usb
