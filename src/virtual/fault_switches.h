// FaultSwitches: what a virtual device does wrong, switched on and off by name while it runs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace plugfs::virtual_usb {

class FaultSwitches {
  public:
    using List = std::vector<std::pair<std::string, std::string>>;  // names, and what they do

    // `known` must outlive it.
    explicit FaultSwitches(const List& known) : known_(known) {}

    // "NAME" or "NAME=ARGUMENT". False when there is no such fault.
    bool set(const std::string& text);
    void clear() { active_.clear(); }
    void clear(const std::string& name) { active_.erase(name); }

    [[nodiscard]] bool on(const std::string& name) const { return active_.count(name) != 0; }
    // The number given with the fault, or `otherwise`.
    [[nodiscard]] std::uint64_t number(const std::string& name, std::uint64_t otherwise) const;
    // For faults that are not to happen each time: counts, and says true every number()th time; each time if none is
    // given, never when it is off.
    [[nodiscard]] bool strikes(const std::string& name);

  private:
    struct Active {
        std::string argument;
        std::uint64_t times = 0;
    };
    const List& known_;
    std::map<std::string, Active> active_;
};

}  // namespace plugfs::virtual_usb
