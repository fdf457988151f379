#include "drivers/storage/open_volume.h"

#include "drivers/storage/exfat/boot_region.h"
#include "drivers/storage/exfat/open_exfat.h"
#include "drivers/storage/ext/open_ext.h"
#include "drivers/storage/ext/super_block.h"
#include "drivers/storage/fat/boot_sector.h"
#include "drivers/storage/fat/open_fat.h"
#include "drivers/storage/foreign_types.h"
#include "drivers/storage/iso/iso_volume.h"
#include "drivers/storage/udf/open_udf.h"

#include <array>

namespace plugfs::storage {

Result<std::unique_ptr<Volume>> open_volume(BlockDevice& device, const VolumeOptions& options, VolumeReport report) {
    std::array<std::byte, 512> sector{};
    PLUGFS_TRY(device.read(0, sector, BlockDevice::Use::metadata));
    for (const VolumeKind& kind : options.more_kinds) {
        if (kind.looks_like(device)) {
            return kind.open(device, options, report);
        }
    }
    // What others have put there last counts: many leave an old boot sector in place.
    if (const auto type = foreign_type(device); !type.empty()) {
        return fail(ENOTSUP, "file system", type + " is not supported");
    }
    if (udf::looks_like_udf(device)) {
        auto volume = udf::open_udf(device, report);
        // Many discs are both.
        if (volume || !iso::looks_like_iso(device)) {
            return volume;
        }
        report(LogLevel::warning, "served as ISO 9660, for as UDF it cannot be: " + volume.error().text());
        return iso::IsoVolume::open(device, report);
    }
    if (ext::looks_like_ext(device)) {
        return ext::open_ext(device, options, report);
    }
    if (fat::looks_like_fat(sector)) {
        return fat::open_fat(device, options, report);
    }
    if (exfat::looks_like_exfat(device)) {
        return exfat::open_exfat(device, options, report);
    }
    if (iso::looks_like_iso(device)) {
        return iso::IsoVolume::open(device, report);
    }
    return fail(ENOTSUP, "file system", "not known");
}

}  // namespace plugfs::storage
