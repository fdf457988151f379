// Pollers: who waits with poll(2) for one of the device's files to change. The kernel's numbers for them are in the
// vault: a successor wakes those whom this process has promised it.
#pragma once

#include "common/vault.h"
#include "kit/session.h"

#include <utility>
#include <vector>

namespace plugfs::kit {

class Pollers {
  public:
    Pollers() = default;
    ~Pollers() { drop(); }
    Pollers(const Pollers&) = delete;
    Pollers& operator=(const Pollers&) = delete;

    // Before the first add(); it must outlive this.
    void note_in(VaultHeader& header) { header_ = &header; }

    // From inside poll(); owns `handle`.
    void add(const Session& session, fuse_pollhandle* handle) {
        if (handles_.size() >= poll_handle_count) {
            wake();  // they look, find nothing, and come back
        }
        header_->poll_handles.at(handles_.size()) = session.current_poll_handle();
        handles_.push_back(handle);
    }

    // All of them: they ask again for what they wait for.
    void wake() {
        for (auto* handle : handles_) {
            (void)fuse_lowlevel_notify_poll(handle);
        }
        drop();
        for (auto& number : header_->poll_handles) {
            number = 0;
        }
    }

  private:
    void drop() {
        for (auto* handle : std::exchange(handles_, {})) {
            fuse_pollhandle_destroy(handle);
        }
    }

    std::vector<fuse_pollhandle*> handles_;
    VaultHeader* header_ = nullptr;
};

}  // namespace plugfs::kit
