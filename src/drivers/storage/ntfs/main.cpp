// plugfs-storage-ntfs: the storage driver with NTFS. It contains libntfs-3g, so this program as a whole is under the
// GPL; each of our files by itself is under the project's license.

#include "drivers/storage/ntfs/open_ntfs.h"
#include "drivers/storage/storage_driver.h"

int main(int argc, char** argv) {
    return plugfs::run_driver(
        argc, argv, {"storage", "0.1"}, [](plugfs::Host& host) -> std::unique_ptr<plugfs::Driver> {
            return std::make_unique<plugfs::storage::StorageDriver>(
                host, std::vector<plugfs::storage::VolumeKind>{plugfs::storage::ntfs::ntfs_kind()});
        });
}
