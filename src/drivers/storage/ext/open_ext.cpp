#include "drivers/storage/ext/open_ext.h"

#include "drivers/storage/ext/ext_volume.h"

#include <array>

namespace plugfs::storage::ext {

Result<std::unique_ptr<Volume>> open_ext(BlockDevice& device, const VolumeOptions& options, VolumeReport report) {
    std::array<std::byte, SuperBlock::size> bytes{};
    PLUGFS_TRY(device.read(SuperBlock::offset, bytes, BlockDevice::Use::metadata));
    PLUGFS_ASSIGN(SuperBlock super, parse_super_block(bytes, device.size()));
    const bool left_by_others = super.marked && !options.mark_is_ours;
    if (super.read_only_because.empty() && left_by_others) {
        super.read_only_because = "it was not closed properly (s_state): it has to be checked by e2fsck first";
    }
    if (!super.read_only_because.empty()) {
        report(LogLevel::warning, super.type + " volume: it can only be read: " + super.read_only_because);
    } else if (!device.writable()) {
        super.read_only_because = "the medium is write-protected";
    } else if (options.read_only) {
        super.read_only_because = "it was asked for";
    }
    // What was being written when the power went need not have reached the medium whole.
    const bool writable = super.read_only_because.empty();
    PLUGFS_ASSIGN(auto library, Library::open(device, writable, !writable));
    PLUGFS_ASSIGN(const Inode root, library->inode(EXT2_ROOT_INO));
    if (!LINUX_S_ISDIR(root.i_mode)) {
        return fail(EUCLEAN, "ext root folder", "i_mode is " + std::to_string(root.i_mode));
    }
    return std::unique_ptr<Volume>(
        std::make_unique<ExtVolume>(std::move(library), std::move(super), options, std::move(report)));
}

}  // namespace plugfs::storage::ext
