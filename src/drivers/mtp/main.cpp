// plugfs-mtp: the driver program.

#include "drivers/mtp/mtp_driver.h"

#include <ctime>

int main(int argc, char** argv) {
    // Devices give local times. The zone is read while files can still be opened: the C library keeps it.
    ::tzset();
    return plugfs::run_driver(argc, argv, {"mtp", "0.1"}, [](plugfs::Host& host) -> std::unique_ptr<plugfs::Driver> {
        return std::make_unique<plugfs::mtp::MtpDriver>(host);
    });
}
