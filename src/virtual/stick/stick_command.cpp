#include "virtual/stick/stick_command.h"

#include "virtual/command_line.h"
#include "virtual/stick/stick.h"

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
    image_option = own_options,
    no_medium_option,
    transport_option,
    block_size_option,
    volatile_cache_option,
    fixed_option
};

Result<void> take(int which, const std::string& value, StickOptions& stick) {
    switch (which) {
        case image_option:
            stick.images.push_back(value);
            break;
        case no_medium_option:
            stick.images.emplace_back();
            break;
        case transport_option:
            if (value != "bot" && value != "uas") {
                return fail(EINVAL, "--transport " + value, "expected bot or uas");
            }
            stick.transport = value == "uas" ? StickTransport::uas : StickTransport::bulk_only;
            break;
        case block_size_option:
            if (!number(value, 10, stick.block_size)) {
                return fail(EINVAL, "--block-size " + value, "expected a number");
            }
            break;
        case volatile_cache_option:
            stick.volatile_cache = true;
            break;
        case fixed_option:
            stick.removable = false;
            break;
        default:
            return fail(EINVAL, "command line", "see plugfs-virtual stick --help");
    }
    return {};
}

Result<void> run(const CommonArguments& arguments, const StickOptions& options) {
    if (arguments.listen.empty() || options.images.empty()) {
        return fail(EINVAL, "stick", "--listen ENDPOINT and --image FILE are needed; see plugfs-virtual stick --help");
    }
    PLUGFS_ASSIGN(const auto stick, Stick::create(options));
    return serve_until_signal(arguments.listen, arguments.control, [&](int listener, int control, int stop) {
        return stick->serve(listener, control, stop);
    });
}

}  // namespace

int stick_command(int argc, char** argv) {
    CommonArguments arguments;
    StickOptions stick;
    stick.device.product_id = 0x0002;
    stick.device.product = "plugfs Stick";
    stick.device.serial_number = "VIRTUAL0002";
    return run_command(argc, argv,
                       {{{"image", required_argument, nullptr, image_option},
                         {"no-medium", no_argument, nullptr, no_medium_option},
                         {"transport", required_argument, nullptr, transport_option},
                         {"block-size", required_argument, nullptr, block_size_option},
                         {"volatile-cache", no_argument, nullptr, volatile_cache_option},
                         {"fixed", no_argument, nullptr, fixed_option}},
                        arguments,
                        stick.device,
                        stick.faults,
                        [&stick](int which, const std::string& value) { return take(which, value, stick); },
                        print_help,
                        [&] { return run(arguments, stick); }});
}

}  // namespace plugfs::virtual_usb
