// CallOff: ends a wait for the device, from another thread, because nobody wants what it waits for any more.
//
// Only waits whose deadline says so (Deadline::unless_called_off()) end: the driver knows where it can stop in the
// middle of things. Each asking ends one wait; what a job did not see is forgotten before the next one (DeviceQueue).
#pragma once

#include "common/unique_fd.h"

#include <plugfs/result.h>

#include <atomic>
#include <memory>

namespace plugfs::usb {

class CallOff {
  public:
    static Result<std::unique_ptr<CallOff>> create();

    void ask();                                                 // any thread
    [[nodiscard]] bool take();                                  // whether it was asked; it is not, afterwards
    [[nodiscard]] int fd() const { return event_.get(); }       // readable while it is asked
    [[nodiscard]] bool asked() const { return asked_.load(); }  // without a system call; last to become true

  private:
    explicit CallOff(UniqueFd event) : event_(std::move(event)) {}
    UniqueFd event_;
    std::atomic<bool> asked_ = false;
};

// The one that ends the waits of this process; null: none does. It must outlive them.
void call_waits_off_by(CallOff* call_off);
[[nodiscard]] CallOff* waits_are_called_off_by();

}  // namespace plugfs::usb
