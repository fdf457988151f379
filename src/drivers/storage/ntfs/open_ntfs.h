// NTFS: finds out whether it may be written to, and opens it.
#pragma once

#include "drivers/storage/volume.h"
#include "drivers/storage/volume_kind.h"
#include "drivers/storage/volume_options.h"

namespace plugfs::storage::ntfs {

// As open_volume(). Only read is what was not closed properly, by Windows or anybody else ($LogFile, the volume's
// mark), and what a Windows that sleeps has open (hiberfil.sys). What plugfs left half written when the power went is
// mended first (redo_notes.h).
[[nodiscard]] Result<std::unique_ptr<Volume>> open_ntfs(BlockDevice& device, const VolumeOptions& options,
                                                        const VolumeReport& report);

// For VolumeOptions::more_kinds.
[[nodiscard]] VolumeKind ntfs_kind();

}  // namespace plugfs::storage::ntfs
