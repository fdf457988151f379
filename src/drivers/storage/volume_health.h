// VolumeHealth: whether a volume may be written to, and if not, why. Damage that is seen ends writing for good: once.
#pragma once

#include "drivers/storage/volume.h"

#include <string>

namespace plugfs::storage {

class VolumeHealth {
  public:
    // `type` is VolumeInfo::type; `read_only_because`: empty, or why it cannot be written to from the beginning.
    VolumeHealth(std::string type, std::string read_only_because, VolumeReport report)
        : type_(std::move(type)), read_only_because_(std::move(read_only_because)), report_(std::move(report)) {}

    [[nodiscard]] const std::string& read_only_because() const { return read_only_because_; }
    [[nodiscard]] bool writable() const { return read_only_because_.empty(); }
    // EROFS with the reason.
    [[nodiscard]] Result<void> check_writable() const;

    // What is on the medium contradicts itself. Reported the first time.
    void damaged(const std::string& what);
    // The error of any operation, as it is; EUCLEAN is damage.
    Error seen(const Error& error);
    // A line about the volume.
    void report(LogLevel level, const std::string& line) const { report_(level, type_ + " volume: " + line); }

  private:
    std::string type_;
    std::string read_only_because_;
    VolumeReport report_;
    bool damage_seen_ = false;
};

}  // namespace plugfs::storage
