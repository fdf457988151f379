#include "virtual/stick/stick_command.h"

#include "common/log.h"
#include "virtual/command_line.h"
#include "virtual/stick/stick.h"

#include <getopt.h>

#include <cstdio>

namespace plugfs::virtual_usb {

namespace {

void print_help() {
    std::fputs(R"(Usage: plugfs-virtual stick --listen ENDPOINT (--image FILE | --no-medium) ... [options]
A USB stick or card reader (mass storage, SCSI) with image files for media, exported over the usbredir protocol.

      --listen ENDPOINT      unix:PATH or tcp:HOST:PORT
      --image FILE           the medium of a logical unit; again for more units
      --transport bot|uas    Bulk-Only Transport (the default), or UAS
      --no-medium            a logical unit without a medium
      --block-size BYTES     512 (the default), 1024, 2048 or 4096
      --volatile-cache       writes since the last SYNCHRONIZE CACHE are lost when the power goes
      --fixed                media cannot be removed
      --identity VID:PID,PRODUCT,SERIAL
                             who it says it is (1209:0002,plugfs Stick,VIRTUAL0002)
      --speed high|super     (high)
      --fault NAME[=ARG]     something it does wrong; again for more
      --control unix:PATH    takes commands there, one a connection: `help` lists them

Example:
  truncate -s 64M /tmp/stick.img
  plugfs-virtual stick --image /tmp/stick.img --listen unix:/tmp/stick
  qemu-system-x86_64 ... -chardev socket,id=c,path=/tmp/stick -device usb-redir,chardev=c

Faults:
)",
               stdout);
    for (const auto& [name, what] : StickFaults::known()) {
        std::printf("  %-22s %s\n", name.c_str(), what.c_str());
    }
}

enum Option : int {
    listen_option = 256,
    image_option,
    no_medium_option,
    transport_option,
    block_size_option,
    volatile_cache_option,
    fixed_option,
    identity_option,
    speed_option,
    fault_option,
    control_option
};
constexpr option long_options[] = {{"help", no_argument, nullptr, 'h'},
                                   {"listen", required_argument, nullptr, listen_option},
                                   {"image", required_argument, nullptr, image_option},
                                   {"no-medium", no_argument, nullptr, no_medium_option},
                                   {"transport", required_argument, nullptr, transport_option},
                                   {"block-size", required_argument, nullptr, block_size_option},
                                   {"volatile-cache", no_argument, nullptr, volatile_cache_option},
                                   {"fixed", no_argument, nullptr, fixed_option},
                                   {"identity", required_argument, nullptr, identity_option},
                                   {"speed", required_argument, nullptr, speed_option},
                                   {"fault", required_argument, nullptr, fault_option},
                                   {"control", required_argument, nullptr, control_option},
                                   {nullptr, 0, nullptr, 0}};

struct Arguments {
    bool help = false;
    std::string listen;
    std::string control;
    StickOptions stick;
};

Result<void> take(int which, const std::string& value, Arguments& arguments) {
    switch (which) {
        case 'h':
            arguments.help = true;
            break;
        case listen_option:
            arguments.listen = value;
            break;
        case control_option:
            arguments.control = value;
            break;
        case image_option:
            arguments.stick.images.push_back(value);
            break;
        case no_medium_option:
            arguments.stick.images.emplace_back();
            break;
        case transport_option:
            if (value != "bot" && value != "uas") {
                return fail(EINVAL, "--transport " + value, "expected bot or uas");
            }
            arguments.stick.transport = value == "uas" ? StickTransport::uas : StickTransport::bulk_only;
            break;
        case block_size_option:
            if (!number(value, 10, arguments.stick.block_size)) {
                return fail(EINVAL, "--block-size " + value, "expected a number");
            }
            break;
        case volatile_cache_option:
            arguments.stick.volatile_cache = true;
            break;
        case fixed_option:
            arguments.stick.removable = false;
            break;
        case identity_option:
            return set_identity(value, arguments.stick.device);
        case speed_option:
            return set_speed(value, arguments.stick.device);
        case fault_option:
            arguments.stick.faults.push_back(value);
            break;
        default:
            return fail(EINVAL, "command line", "see plugfs-virtual stick --help");
    }
    return {};
}

Result<void> run(const Arguments& arguments) {
    if (arguments.listen.empty() || arguments.stick.images.empty()) {
        return fail(EINVAL, "stick", "--listen ENDPOINT and --image FILE are needed; see plugfs-virtual stick --help");
    }
    PLUGFS_ASSIGN(const auto stick, Stick::create(arguments.stick));
    return serve_until_signal(arguments.listen, arguments.control, [&](int listener, int control, int stop) {
        return stick->serve(listener, control, stop);
    });
}

}  // namespace

int stick_command(int argc, char** argv) {
    Arguments arguments;
    arguments.stick.device.product_id = 0x0002;
    arguments.stick.device.product = "plugfs Stick";
    arguments.stick.device.serial_number = "VIRTUAL0002";
    int which = 0;
    while ((which = ::getopt_long(argc, argv, "h", long_options, nullptr)) != -1) {
        if (const auto taken = take(which, optarg != nullptr ? optarg : "", arguments); !taken) {
            log::error(taken.error().text());
            return 2;
        }
    }
    if (arguments.help) {
        print_help();
        return 0;
    }
    const auto done = run(arguments);
    if (!done) {
        log::error(done.error().text());
        return done.error().code == EINVAL ? 2 : 1;
    }
    return 0;
}

}  // namespace plugfs::virtual_usb
