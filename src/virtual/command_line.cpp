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

constexpr option common_options[] = {{"help", no_argument, nullptr, 'h'},
                                     {"listen", required_argument, nullptr, listen_option},
                                     {"identity", required_argument, nullptr, identity_option},
                                     {"speed", required_argument, nullptr, speed_option},
                                     {"fault", required_argument, nullptr, fault_option},
                                     {"control", required_argument, nullptr, control_option}};

Result<void> take(int which, const std::string& value, const Command& command) {
    switch (which) {
        case 'h':
            command.arguments.help = true;
            return {};
        case listen_option:
            command.arguments.listen = value;
            return {};
        case control_option:
            command.arguments.control = value;
            return {};
        case identity_option:
            return set_identity(value, command.device);
        case speed_option:
            return set_speed(value, command.device);
        case fault_option:
            command.faults.push_back(value);
            return {};
        default:
            return which >= own_options ? command.take(which, value) : fail(EINVAL, "command line", "see --help");
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

int run_command(int argc, char** argv, const Command& command) {
    std::vector<option> options(std::begin(common_options), std::end(common_options));
    options.insert(options.end(), command.options.begin(), command.options.end());
    options.push_back({nullptr, 0, nullptr, 0});
    int which = 0;
    while ((which = ::getopt_long(argc, argv, "h", options.data(), nullptr)) != -1) {
        if (const auto taken = take(which, optarg != nullptr ? optarg : "", command); !taken) {
            log::error(taken.error().text());
            return 2;
        }
    }
    if (command.arguments.help) {
        command.print_help();
        return 0;
    }
    if (const auto done = command.run(); !done) {
        log::error(done.error().text());
        return done.error().code == EINVAL ? 2 : 1;
    }
    return 0;
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
