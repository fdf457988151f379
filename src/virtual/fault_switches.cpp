#include "virtual/fault_switches.h"

#include <algorithm>
#include <charconv>

namespace plugfs::virtual_usb {

bool FaultSwitches::set(const std::string& text) {
    const auto equals = text.find('=');
    const auto name = text.substr(0, equals);
    if (std::none_of(known_.begin(), known_.end(), [&](const auto& item) { return item.first == name; })) {
        return false;
    }
    active_[name] = {equals == std::string::npos ? "" : text.substr(equals + 1), 0};
    return true;
}

std::uint64_t FaultSwitches::number(const std::string& name, std::uint64_t otherwise) const {
    const auto found = active_.find(name);
    std::uint64_t value = 0;
    if (found == active_.end()) {
        return otherwise;
    }
    const std::string& text = found->second.argument;
    return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc() ? value : otherwise;
}

bool FaultSwitches::strikes(const std::string& name) {
    const auto found = active_.find(name);
    if (found == active_.end()) {
        return false;
    }
    const std::uint64_t every = number(name, 1);
    return every == 0 || ++found->second.times % every == 0;
}

}  // namespace plugfs::virtual_usb
