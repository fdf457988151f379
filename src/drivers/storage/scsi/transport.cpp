#include "drivers/storage/scsi/transport.h"

#include <utility>

namespace plugfs::storage {

ScsiBatch ScsiTransport::run(std::uint8_t unit, std::span<const ScsiCommand> commands) {
    if (std::exchange(posted_, false)) {
        finished_ = end_row();
    }
    begin_row(unit, commands);
    return end_row();
}

bool ScsiTransport::post(std::uint8_t unit, std::span<const ScsiCommand> commands) {
    if (posted_ || finished_) {
        return false;
    }
    begin_row(unit, commands);
    posted_ = true;
    return true;
}

bool ScsiTransport::ended() {
    return !posted_ || row_ended();
}

ScsiBatch ScsiTransport::collect() {
    if (finished_) {
        return *std::exchange(finished_, std::nullopt);
    }
    return std::exchange(posted_, false) ? end_row() : ScsiBatch();
}

}  // namespace plugfs::storage
