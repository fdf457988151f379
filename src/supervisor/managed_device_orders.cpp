// ManagedDevice: what people and cables want of it: restart, take, unplugged and plugged in again, stop.

#include "supervisor/managed_device.h"

namespace plugfs {

namespace {
constexpr std::chrono::milliseconds stop_grace{3000};
}  // namespace

bool ManagedDevice::restart() {
    if (state_ == State::quarantined || state_ == State::waiting || state_ == State::ejected) {
        services_.loop.cancel(timer_);
        ends_.clear();
        failed_starts_ = 0;
        begin();
        return true;
    }
    if (state_ != State::running || !worker_) {
        return false;
    }
    emit("restart");
    replacing_ = true;
    worker_->stop(stop_grace);
    return true;
}

bool ManagedDevice::take() {
    // A device that waits is tried again and again, and is not waiting while it is.
    if (state_ != State::waiting && state_ != State::starting) {
        return false;
    }
    take_ = true;
    return state_ == State::starting || restart();
}

void ManagedDevice::leave() {
    if (state_ == State::away || state_ == State::stopping || state_ == State::stopped) {
        return;
    }
    services_.loop.cancel(timer_);
    timer_ = 0;
    // It comes and goes without ever getting as far as to serve: that has its limit, too.
    if (state_ == State::recovering && too_many_ends()) {
        if (worker_) {
            worker_->kill();
        }
        quarantine("the device comes and goes");
        return;
    }
    const bool wait = services_.recovery.grace.count() > 0 && fuse_ && services_.recovery.takeover;
    if (!wait) {
        timer_ = services_.loop.after(std::chrono::milliseconds(0), [this] {
            timer_ = 0;
            events_.vanished(*this);
        });
        return;
    }
    set_state(State::away);
    emit("away");
    connector_.reset();
    if (worker_) {
        worker_->kill();
    }
    timer_ = services_.loop.after(services_.recovery.grace, [this] {
        timer_ = 0;
        events_.vanished(*this);
    });
    events_.left(*this);
}

void ManagedDevice::come_back(DeviceLocation location) {
    services_.loop.cancel(timer_);
    description_.location = std::move(location);
    emit("back");
    if (worker_) {
        // Killed, but not reaped yet: its end brings the successor.
        set_state(State::recovering);
        replacing_ = true;
    } else {
        one_by_one_ = false;
        take_over(std::chrono::milliseconds(0));
    }
}

void ManagedDevice::stop() {
    if (state_ == State::stopping || state_ == State::stopped) {
        return;
    }
    set_state(State::stopping);
    services_.loop.cancel(timer_);
    timer_ = 0;
    connector_.reset();
    unmount_folder(ENODEV);
    if (worker_) {
        worker_->stop(stop_grace);
    } else {
        timer_ = services_.loop.after(std::chrono::milliseconds(0), [this] { finish_stop(); });
    }
}

void ManagedDevice::finish_stop() {
    give_back_to_kernel();
    services_.root.remove_link(description_.id);
    services_.root.remove_folder(description_.name);
    folder_path_.clear();
    set_state(State::stopped);
    emit("detach");
    timer_ = services_.loop.after(std::chrono::milliseconds(0), [this] {
        timer_ = 0;
        events_.stopped(*this);
    });
}

}  // namespace plugfs
