// Faults: what a virtual player does wrong, switched on and off while it runs.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace plugfs::virtual_usb {

class Faults {
  public:
    // "NAME" or "NAME=ARGUMENT". False when there is no such fault.
    bool set(const std::string& text);
    void clear() { active_.clear(); }
    void clear(const std::string& name) { active_.erase(name); }

    [[nodiscard]] bool on(const std::string& name) const { return active_.count(name) != 0; }
    // The number given with the fault, or `otherwise`.
    [[nodiscard]] std::uint64_t number(const std::string& name, std::uint64_t otherwise) const;

    // Names and what they do, for --help.
    static const std::vector<std::pair<std::string, std::string>>& known();

  private:
    std::map<std::string, std::string> active_;
};

}  // namespace plugfs::virtual_usb
