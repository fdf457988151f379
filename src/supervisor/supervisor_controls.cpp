// Supervisor: what `.control` shows of the devices, and what is written to it.

#include "supervisor/supervisor.h"

#include <algorithm>

namespace plugfs {

ManagedDevice* Supervisor::find(unsigned number) const {
    const auto found = std::find_if(devices_.begin(), devices_.end(),
                                    [number](const auto& item) { return item.second->description().number == number; });
    return found == devices_.end() ? nullptr : found->second.get();
}

std::vector<ControlSource::Device> Supervisor::control_devices() const {
    std::vector<Device> list;
    for (const auto& [key, device] : devices_) {
        list.push_back({device->description().number, device->description().name});
    }
    return list;
}

std::string Supervisor::control_content(unsigned number, ControlFile file) const {
    const ManagedDevice* device = find(number);
    if (device == nullptr) {
        return {};
    }
    switch (file) {
        case ControlFile::state:
            return device->state_text() + "\n";
        case ControlFile::driver:
            return device->description().driver +
                   (device->driver_version().empty() ? "" : " " + device->driver_version()) +
                   (device->description().went_on ? " (" + device->description().executable + ")" : "") + "\n";
        case ControlFile::pid:
            return device->pid() == 0 ? "\n" : std::to_string(device->pid()) + "\n";
        case ControlFile::restarts:
            return std::to_string(device->restarts()) + "\n";
        case ControlFile::last_error:
            return device->last_error() + "\n";
        case ControlFile::log:
            return device->log().text();
        case ControlFile::last_crash:
            return device->last_crash();
        case ControlFile::sandbox:
            return layers_text(device->sandbox());
        case ControlFile::restart:
        case ControlFile::eject:
            return {};
    }
    return {};
}

int Supervisor::control_command(unsigned number, ControlFile file, std::string_view text) {
    ManagedDevice* device = find(number);
    if (device == nullptr || !is_command(file)) {
        return device == nullptr ? ENODEV : EINVAL;
    }
    if (file == ControlFile::eject) {
        return device->eject() ? 0 : EBUSY;
    }
    const bool take = text == "take" || text == "take\n";
    return (take ? device->take() : device->restart()) ? 0 : EBUSY;
}

}  // namespace plugfs
