#include "drivers/storage/volume_health.h"

#include <utility>

namespace plugfs::storage {

Result<void> VolumeHealth::check_writable() const {
    return writable() ? Result<void>() : fail(EROFS, "volume", read_only_because_);
}

void VolumeHealth::damaged(const std::string& what) {
    if (std::exchange(damage_seen_, true)) {
        return;
    }
    const bool was_writable = writable();
    if (was_writable) {
        read_only_because_ = "the file system is damaged: " + what;
    }
    report(LogLevel::error, (was_writable ? "damaged, not written to any more: " : "damaged: ") + what);
}

Error VolumeHealth::seen(const Error& error) {
    if (error.code == EUCLEAN) {
        damaged(error.stage + ": " + error.detail);
    }
    return error;
}

}  // namespace plugfs::storage
