// plugfs-storage: the driver program.

#include "drivers/storage/storage_driver.h"

int main(int argc, char** argv) {
    return plugfs::run_driver(argc, argv, {"storage", "0.1"},
                              [](plugfs::Host& host) -> std::unique_ptr<plugfs::Driver> {
                                  return std::make_unique<plugfs::storage::StorageDriver>(host);
                              });
}
