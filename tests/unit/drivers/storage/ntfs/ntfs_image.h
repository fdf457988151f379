// NTFS images that mkntfs makes, and who judges them: ntfs-check (tests/checker) and ntfsresize, which counts clusters.
#pragma once

#include "drivers/storage/ntfs/open_ntfs.h"
#include "drivers/storage/tools.h"

namespace plugfs::test {

// Formats the image; `options` are mkntfs's.
void make_ntfs(const std::filesystem::path& image, const std::string& options = {});
// As open_image().
std::unique_ptr<storage::Volume> open_ntfs_image(storage::BlockDevice& device,
                                                 std::vector<std::string>* lines = nullptr,
                                                 storage::VolumeOptions options = {});
// What is wrong with a volume; empty: nothing.
std::string check_ntfs(const std::filesystem::path& image);

}  // namespace plugfs::test
