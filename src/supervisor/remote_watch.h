// RemoteWatch: keeps an endpoint given with --attach attached.
//
//   away        nobody answers there, or nothing that has a driver is there; tried again, every half a second at first,
//   then every five probing     connected; plugfs-probe, sandboxed, asks who it is present     a ManagedDevice serves
//   it, over a connection of its own; begins anew when that has gone
#pragma once

#include "common/identity.h"
#include "supervisor/endpoint.h"
#include "supervisor/worker.h"

#include <functional>
#include <memory>
#include <optional>

namespace plugfs {

class RemoteWatch {
  public:
    struct Settings {
        std::string probe;                 // path of plugfs-probe
        std::optional<uid_t> user;         // which the probe becomes
        const Sandbox* sandbox = nullptr;  // never null; must outlive this
        nlohmann::json start_message;
    };
    // `found` is called with who is there; it returns false when there is no driver for it. `loop` must outlive this.
    using Found = std::function<bool(const Endpoint&, const DeviceIdentity&)>;
    RemoteWatch(EventLoop& loop, Endpoint endpoint, Settings settings, Found found);
    ~RemoteWatch();
    RemoteWatch(const RemoteWatch&) = delete;
    RemoteWatch& operator=(const RemoteWatch&) = delete;

    // The device that was found there has gone: look again. (When it is being looked for already: nothing.)
    void device_gone();

    [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }

  private:
    void connect();
    void probe(UniqueFd socket);
    void probe_ended(const std::string& how);
    void try_later(const std::string& why);

    EventLoop& loop_;
    Endpoint endpoint_;
    Settings settings_;
    Found found_;
    std::unique_ptr<Connector> connector_;
    std::unique_ptr<Worker> probe_;
    std::optional<DeviceIdentity> identity_;
    EventLoop::Timer timer_ = 0;
    bool looking_ = true;
    unsigned attempts_ = 0;
    std::string last_problem_;  // logged once, not at every attempt
};

}  // namespace plugfs
