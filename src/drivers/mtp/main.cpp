// plugfs-mtp: the driver program.

#include "drivers/mtp/mtp_driver.h"

int main(int argc, char** argv) {
    return plugfs::run_driver(argc, argv, {"mtp", "0.1"}, [](plugfs::Host& host) -> std::unique_ptr<plugfs::Driver> {
        return std::make_unique<plugfs::mtp::MtpDriver>(host);
    });
}
