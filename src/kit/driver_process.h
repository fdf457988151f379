// DriverProcess: all parts of a worker, and its FUSE thread's loop. (What comes before and after: run_driver.cpp.)
//
// Two threads do the work: this one speaks FUSE, the device thread runs the driver; a third tells the kernel about
// changes.
#pragma once

#include "common/channel.h"
#include "common/vault.h"
#include "kit/device_thread.h"
#include "kit/filesystem/filesystem.h"
#include "kit/freed_memory.h"
#include "kit/lockdown.h"
#include "kit/spool_file.h"

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <optional>

namespace plugfs::kit {

class DriverProcess {
  public:
    DriverProcess(Channel channel, DriverInfo info, SandboxLayers layers)
        : channel_(std::move(channel)), info_(info), layers_(std::move(layers)) {}

    // Puts the parts together, as the supervisor's start message says, and answers what a predecessor has left.
    Result<void> set_up(const nlohmann::json& start, const DriverFactory& create);
    // Until told to stop, or unmounted (no error).
    Result<void> serve();
    // As long as the driver is at work with the device, the supervisor is told to wait for it.
    void close_device();
    // To the supervisor.
    void report(const Error& error, const char* type = "failed");

  private:
    [[nodiscard]] Result<void> check_layers() const;
    void on_state(const Error* error);
    // False when told to stop.
    Result<bool> handle_messages();

    // In the order in which they depend on each other.
    Channel channel_;
    DriverInfo info_;
    FreedMemory freed_memory_;
    SandboxLayers layers_;  // the device thread adds to it before it says that the driver has started
    bool require_sandbox_ = false;
    bool said_failing_ = false;
    std::optional<VaultMapping> vault_;
    std::optional<NodeLog> node_log_;
    std::optional<OperationLog> operations_;
    std::unique_ptr<DeviceQueue> queue_;
    std::unique_ptr<Mailbox> mailbox_;
    std::unique_ptr<Filesystem> filesystem_;
    std::unique_ptr<Session> session_;
    std::unique_ptr<Notifier> notifier_;
    std::unique_ptr<SpoolFile> spool_;
    std::unique_ptr<DeviceThread> device_;
};

}  // namespace plugfs::kit
