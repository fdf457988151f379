// plugfs-storage: the driver program.

#include "drivers/storage/storage_driver.h"

#include <ctime>

int main(int argc, char** argv) {
    // FAT has local times. The zone is read while files can still be opened: the C library keeps it.
    ::tzset();
    return plugfs::run_driver(argc, argv, {"storage", "0.1"},
                              [](plugfs::Host& host) -> std::unique_ptr<plugfs::Driver> {
                                  return std::make_unique<plugfs::storage::StorageDriver>(host);
                              });
}
