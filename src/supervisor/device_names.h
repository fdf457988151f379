// DeviceNames: which folder a device gets.
//
// From its product string, made safe. A name stays with a device (its stable id) for good: two of the same model are
// told apart by who had the name first ("Walkman", "Walkman-2"), also when they are plugged in in another order later,
// or after a restart. That memory is a small JSON file in the state directory, of the last 1,000 devices.
#pragma once

#include <plugfs/result.h>

#include <list>
#include <string>

namespace plugfs {

class DeviceNames {
  public:
    // Reads the memory from `file`; one that is missing or damaged is begun anew (the latter with a warning). An empty
    // `file`: remembers only as long as it lives.
    explicit DeviceNames(std::string file);

    // The folder name for the device `id`, whose product string is `product`. Writes the memory when it is new.
    std::string name_for(const std::string& id, const std::string& product);

  private:
    struct Known {
        std::string id;
        std::string name;
    };
    void load();
    void save() const;

    std::string file_;
    std::list<Known> known_;  // latest use first
};

}  // namespace plugfs
