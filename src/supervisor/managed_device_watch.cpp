// ManagedDevice: what is watched of a worker while it runs, and what follows.

#include "supervisor/managed_device.h"

#include "common/log.h"

#include <unistd.h>

#include <utility>

namespace plugfs {

using nlohmann::json;

namespace {
// Between a kill and the end that does not come.
constexpr std::chrono::seconds linger_limit{10};
constexpr std::chrono::milliseconds stop_grace{3000};
constexpr std::chrono::milliseconds start_time{1500};  // of a worker, at most, that is said to have lost it at once
constexpr unsigned lost_in_a_row_limit = 3;
}  // namespace

void ManagedDevice::watch_worker() {
    life_.begin(vault_->header(), [this] { on_hang("hung"); });
    start_watch_.begin(vault_->header(), [this](const std::string& what) { on_hang(what); });
    watch_requests();
    root_watch_.begin(folder_path_, [this] { mount_anew("the driver has said that its root folder is none"); });
}

void ManagedDevice::end_watches() {
    life_.end();
    start_watch_.end();
    lost_requests_.end();
    root_watch_.end();
}

void ManagedDevice::watch_requests() {
    lost_requests_.begin({fuse_.get(), &*requests_, &vault_->header(), connection_},
                         [this](RequestWatch::Lost lost) { on_lost_request(lost); });
}

// What still stands in a slot is in the journal, and the successor plays it; for the rest the kernel has to be asked.
// When the successor loses one, too, the journal is damaged, and the kernel is asked for all; if that does not help,
// either, the mount is given up.
void ManagedDevice::on_lost_request(RequestWatch::Lost lost) {
    if (state_ != State::running) {
        watch_requests();  // its driver is still on its way to them; if it stays there, StartWatch sees it
        return;
    }
    const bool from_the_start = Deadline::Clock::now() - launched_ < lost_requests_.limit() + start_time;
    lost_in_a_row_ = from_the_start ? lost_in_a_row_ + 1 : 1;
    if (lost_in_a_row_ > lost_in_a_row_limit) {
        lost_in_a_row_ = 0;
        mount_anew("one driver after the other has lost a request");
        return;
    }
    ask_again_ = lost == RequestWatch::Lost::without_slot || lost_in_a_row_ > 1;
    replace_damaged("the driver has lost a request");
}

void ManagedDevice::on_hang(const std::string& how) {
    killed_because_ = "the driver " + how + ", and was killed";
    log::error(description_.name + ": " + killed_because_);
    worker_->kill();
}

// No successor can help in this mount.
void ManagedDevice::mount_anew(const std::string& why) {
    killed_because_ = why + ": mounted anew";
    log::error(description_.name + ": " + killed_because_);
    mount_anew_ = true;
    worker_->kill();
}

// Two things keep a process that has been killed from ending. It tells the kernel of a change, and ends when the kernel
// has its lock, which a request may hold that waits for an answer: from the successor of a worker that cannot end. So
// it is answered here: first what may hold a folder's lock, so that others, who read or write, see nothing; if that was
// not it, all.
// Or the kernel holds it in a call that does not return, with a device that does not answer, and for how long nobody
// knows. It has the device, so there is no successor before it has ended; until then nobody waits for it.
void ManagedDevice::on_lingering(std::chrono::milliseconds since_kill) {
    if (!requests_) {
        return;
    }
    if (vault_->header().notifying != 0) {
        const bool names = requests_->answer_names(EIO);
        log::error(description_.name + ": the driver was killed and cannot end: " +
                   (names ? "what waits for names" : "what it was asked for") + " is answered with EIO");
        if (!names) {
            requests_->answer_all(EIO);
        }
    } else if (since_kill >= linger_limit && state_ != State::away) {
        const std::string why =
            "process " + std::to_string(worker_->pid()) +
            " was killed, and the kernel does not let go of it; what is asked for fails until it does";
        requests_->answer_all(EIO);
        if (std::exchange(note_, why) != why) {
            last_error_ = why;
            log::error(description_.name + ": " + why);
        }
        if (state_ == State::running) {
            set_state(State::recovering);
        }
    }
}

// Not a crash: it may serve well but for this. But no more often than it may crash: a device that has lost its reason
// itself fails with every driver.
void ManagedDevice::replace_damaged(const std::string& why) {
    if (state_ != State::running || !worker_ || replacing_) {
        return;
    }
    const auto now = Deadline::Clock::now();
    const auto& recovery = services_.recovery;
    while (!damaged_.empty() && (damaged_.front() + recovery.crash_window < now || recovery.crash_limit == 0)) {
        damaged_.pop_front();
    }
    if (recovery.crash_limit != 0 && damaged_.size() >= recovery.crash_limit) {
        log::warning(description_.name + ": " + why + "; others before it have, too, so it stays");
        return;
    }
    damaged_.push_back(now);
    last_error_ = why;
    log::error(description_.name + ": " + why + ": replaced");
    emit("restart", why);
    replacing_ = true;
    worker_->kill();
}

// Once: an alternative serves all that the driver serves, and more.
bool ManagedDevice::may_go_on_as(const std::string& alternative) const {
    const auto found = description_.alternatives.find(alternative);
    return !description_.went_on && found != description_.alternatives.end() &&
           ::access((services_.driver_directory + "/" + found->second).c_str(), X_OK) == 0;
}

// Nothing is wrong with the worker, but another program of the same driver can do more with what is in the device. The
// mount stays, and what is pending waits, as for restart().
void ManagedDevice::go_on_as(const std::string& alternative) {
    const bool serving = state_ == State::starting || state_ == State::running || state_ == State::recovering;
    if (!serving || !worker_ || replacing_) {
        return;
    }
    if (!may_go_on_as(alternative)) {
        log::warning(description_.name + ": the driver asks to go on as " + plugfs::quoted(alternative, 60) +
                     ", which it may not");
        return;
    }
    description_.executable = description_.alternatives[alternative];
    description_.went_on = true;
    log::info(description_.name + ": goes on as " + description_.executable);
    emit("go-on-as", description_.executable);
    replacing_ = true;
    worker_->stop(stop_grace);
}

// The supervisor's part is known since the launch; the rest is what the worker says.
void ManagedDevice::note_sandbox(const json& message) {
    sandbox_ = worker_ ? worker_->layers() : SandboxLayers();
    const auto found = message.find("sandbox");
    const auto layers = found == message.end() ? SandboxLayers() : layers_from_json(*found);
    sandbox_.insert(sandbox_.end(), layers.begin(), layers.end());
    const std::string missing = missing_layers(sandbox_);
    if (missing.empty()) {
        return;
    }
    log::warning(description_.name + ": the sandbox lacks " + missing);
    if (services_.sandbox.options().required && worker_) {
        killed_because_ = "the sandbox lacks " + missing + ", and -o require_sandbox was given";
        worker_->kill();
    }
}

}  // namespace plugfs
