#include "drivers/storage/ntfs/ntfs_image.h"

namespace plugfs::test {

void make_ntfs(const std::filesystem::path& image, const std::string& options) {
    must_run("mkntfs -F -Q -q " + options + " '" + image.string() + "'");
}

std::unique_ptr<storage::Volume> open_ntfs_image(storage::BlockDevice& device, std::vector<std::string>* lines,
                                                 storage::VolumeOptions options) {
    options.more_kinds = {storage::ntfs::ntfs_kind()};
    return open_image(device, lines, options);
}

std::string check_ntfs(const std::filesystem::path& image) {
    const auto ours = run(std::string(NTFS_CHECK) + " '" + image.string() + "'");
    const auto theirs = run("ntfsresize -i -f -P '" + image.string() + "'");
    return (ours.status == 0 ? "" : ours.text) + (theirs.status == 0 ? "" : theirs.text);
}

}  // namespace plugfs::test
