#include "virtual/command_line.h"

#include "common/log.h"
#include "virtual/device_server.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

namespace plugfs::virtual_usb {

namespace {

void remove_socket(const std::string& endpoint) {
    if (endpoint.starts_with("unix:")) {
        (void)::unlink(endpoint.substr(5).c_str());
    }
}

}  // namespace

bool split(const std::string& text, char at, std::string& before, std::string& after) {
    const auto position = text.find(at);
    before = text.substr(0, position);
    after = position == std::string::npos ? "" : text.substr(position + 1);
    return position != std::string::npos;
}

Result<void> set_identity(const std::string& value, DeviceDescription& device) {
    std::string numbers;
    std::string rest;
    std::string vendor;
    std::string product;
    split(value, ',', numbers, rest);
    if (!split(numbers, ':', vendor, product) || !number(vendor, 16, device.vendor_id) ||
        !number(product, 16, device.product_id)) {
        return fail(EINVAL, "--identity " + value, "expected VID:PID,PRODUCT,SERIAL");
    }
    split(rest, ',', device.product, device.serial_number);
    return {};
}

Result<void> set_speed(const std::string& value, DeviceDescription& device) {
    if (value != "high" && value != "super") {
        return fail(EINVAL, "--speed " + value, "expected high or super");
    }
    device.speed = value == "super" ? usb::Speed::super : usb::Speed::high;
    return {};
}

Result<void> serve_until_signal(const std::string& listen, const std::string& control,
                                const std::function<Result<void>(int listener, int control, int stop)>& serve) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    (void)::sigprocmask(SIG_BLOCK, &set, nullptr);
    const UniqueFd stop(::signalfd(-1, &set, SFD_CLOEXEC));
    PLUGFS_ASSIGN(const auto listener, listen_on(listen));
    UniqueFd commands;
    if (!control.empty()) {
        PLUGFS_ASSIGN(commands, listen_on(control));
    }
    log::info("listening on " + listen);
    const auto served = serve(listener.get(), commands.get(), stop.get());
    remove_socket(listen);
    remove_socket(control);
    return served;
}

}  // namespace plugfs::virtual_usb
