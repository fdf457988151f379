// plugfs-probe: asks a device behind a usbredir connection who it is, and tells the supervisor, which must not parse it
// itself.
//
// Locked down like any worker before the first byte from the other side is read.

#include "common/channel.h"
#include "common/identity.h"
#include "common/log.h"
#include "common/worker_contract.h"
#include "kit/lockdown.h"
#include "usb/backend.h"

#include <sys/stat.h>
#include <nlohmann/json.hpp>

#include <set>

namespace {

using namespace plugfs;

constexpr std::chrono::seconds deadline{10};

DeviceIdentity identity_of(const usb::Device& device) {
    const auto& from = device.identity();
    DeviceIdentity identity;
    identity.vendor_id = from.vendor_id;
    identity.product_id = from.product_id;
    identity.device_class = from.device_class;
    identity.device_subclass = from.device_subclass;
    identity.device_protocol = from.device_protocol;
    identity.manufacturer = from.manufacturer;
    identity.product = from.product;
    identity.serial_number = from.serial_number;
    std::set<std::uint8_t> seen;
    for (const auto& interface : device.interfaces()) {
        // One for each interface, in its first alternate setting, as sysfs shows them.
        if (seen.insert(interface.number).second) {
            identity.interfaces.push_back({interface.interface_class, interface.interface_subclass,
                                           interface.interface_protocol, interface.name});
        }
    }
    return identity;
}

// Without a device it tries the sandbox and says what held (plugfsd --check).
Result<void> report_sandbox(Channel& channel, SandboxLayers layers) {
    PLUGFS_ASSIGN(const auto more, kit::tighten(nullptr));
    layers.insert(layers.end(), more.begin(), more.end());
    nlohmann::json names = nlohmann::json::object();
    for (const auto& one : layers) {
        names[one.name] = one.status;
    }
    return channel.send({{"type", "sandbox"}, {"layers", names}});
}

Result<void> probe() {
    struct stat status {};
    const bool has_device = ::fstat(worker::device_fd, &status) == 0;
    PLUGFS_ASSIGN(auto layers, kit::lock_down());
    Channel channel{UniqueFd(worker::control_fd)};
    if (!has_device) {
        return report_sandbox(channel, std::move(layers));
    }
    PLUGFS_ASSIGN(const auto device, usb::open_usbredir(UniqueFd(worker::device_fd), Deadline::after(deadline)));
    return channel.send(identity_to_json(identity_of(*device)));
}

}  // namespace

int main() {
    log::set_up("probe", LogLevel::info);
    try {
        if (const auto done = probe(); !done) {
            log::error(done.error().text());
            return 1;
        }
    } catch (const std::exception& error) {
        log::error(std::string("ended by an exception: ") + error.what());
        return 1;
    }
    return 0;
}
