// plugfs-virtual: virtual USB devices over usbredir.

#include "common/log.h"
#include "virtual/command_line.h"
#include "virtual/player/library.h"
#include "virtual/player/player.h"
#include "virtual/stick/stick_command.h"

#include <cstdio>
#include <string_view>

namespace {

using namespace plugfs;
using namespace plugfs::virtual_usb;

void print_help() {
    std::fputs(R"(Usage: plugfs-virtual player --listen ENDPOINT (--root DIR | --storage NAME=DIR ...) [options]
       plugfs-virtual library --output DIR [--tracks N] [--large NAME=SIZE ...]
       plugfs-virtual stick --listen ENDPOINT --image FILE ... [options]
Virtual USB devices, exported over the usbredir protocol.

player: a media player (MTP) that serves a folder
      --listen ENDPOINT      unix:PATH or tcp:HOST:PORT
      --root DIR             the folder, as "Internal storage"
      --storage NAME=DIR     a storage; again for more
      --identity VID:PID,PRODUCT,SERIAL
                             who it says it is (1209:0001,plugfs Walkman,VIRTUAL0001)
      --speed high|super     (high)
      --fault NAME[=ARG]     something it does wrong; again for more
      --control unix:PATH    takes commands there, one a connection: `help` lists them
library: generates tracks
      --output DIR
      --tracks N             how many (12)
      --large NAME=SIZE      also a file of SIZE bytes with a pattern
stick: a USB stick or card reader; see plugfs-virtual stick --help

Examples:
  plugfs-virtual library --output /tmp/tracks
  plugfs-virtual player --root /tmp/tracks --listen unix:/tmp/player
  plugfsd -f --attach unix:/tmp/player ~/devices
  qemu-system-x86_64 ... -chardev socket,id=c,path=/tmp/player -device usb-redir,chardev=c

Faults:
)",
               stdout);
    for (const auto& [name, what] : Faults::known()) {
        std::printf("  %-22s %s\n", name.c_str(), what.c_str());
    }
}

enum Option : int { root_option = own_options, storage_option, output_option, tracks_option, large_option };

struct Arguments {
    CommonArguments common;
    std::string output;
    unsigned tracks = 12;
    std::vector<std::pair<std::string, std::uint64_t>> large;
    PlayerOptions player;
};

Result<void> take(int which, const std::string& value, Arguments& arguments) {
    std::string name;
    std::string rest;
    switch (which) {
        case output_option:
            arguments.output = value;
            break;
        case root_option:
            arguments.player.storages.emplace_back("Internal storage", value);
            break;
        case storage_option:
            if (!split(value, '=', name, rest)) {
                return fail(EINVAL, "--storage " + value, "expected NAME=DIR");
            }
            arguments.player.storages.emplace_back(name, rest);
            break;
        case tracks_option:
            if (!number(value, 10, arguments.tracks) || arguments.tracks > 100'000) {
                return fail(EINVAL, "--tracks " + value, "expected a number up to 100,000");
            }
            break;
        case large_option: {
            std::uint64_t size = 0;
            if (!split(value, '=', name, rest) || !number(rest, 10, size)) {
                return fail(EINVAL, "--large " + value, "expected NAME=SIZE");
            }
            arguments.large.emplace_back(name, size);
            break;
        }
        default:
            return fail(EINVAL, "command line", "see plugfs-virtual --help");
    }
    return {};
}

Result<void> library(const Arguments& arguments) {
    if (arguments.output.empty()) {
        return fail(EINVAL, "library", "--output DIR is missing");
    }
    PLUGFS_TRY(generate_library(arguments.output, arguments.tracks));
    for (const auto& [name, size] : arguments.large) {
        PLUGFS_TRY(generate_pattern(std::filesystem::path(arguments.output) / name, size));
    }
    return {};
}

Result<void> player(const Arguments& arguments) {
    if (arguments.common.listen.empty() || arguments.player.storages.empty()) {
        return fail(EINVAL, "player", "--listen ENDPOINT and --root DIR are needed; see plugfs-virtual --help");
    }
    PLUGFS_ASSIGN(const auto device, Player::create(arguments.player));
    return serve_until_signal(
        arguments.common.listen, arguments.common.control,
        [&](int listener, int control, int stop) { return device->serve(listener, control, stop); });
}

Result<void> run(const std::string& verb, const Arguments& arguments) {
    if (verb != "player" && verb != "library") {
        return fail(EINVAL, "command line", "expected player, library or stick; see plugfs-virtual --help");
    }
    return verb == "player" ? player(arguments) : library(arguments);
}

}  // namespace

int main(int argc, char** argv) {
    log::set_up("plugfs-virtual", LogLevel::info);
    if (argc > 1 && std::string_view(argv[1]) == "stick") {
        return stick_command(argc - 1, argv + 1);
    }
    Arguments arguments;
    arguments.player.device.product = "plugfs Walkman";
    arguments.player.device.serial_number = "VIRTUAL0001";
    return run_command(argc, argv,
                       {{{"root", required_argument, nullptr, root_option},
                         {"storage", required_argument, nullptr, storage_option},
                         {"output", required_argument, nullptr, output_option},
                         {"tracks", required_argument, nullptr, tracks_option},
                         {"large", required_argument, nullptr, large_option}},
                        arguments.common,
                        arguments.player.device,
                        arguments.player.faults,
                        [&arguments](int which, const std::string& value) { return take(which, value, arguments); },
                        print_help,
                        [&] { return run(optind < argc ? argv[optind] : "", arguments); }});
}
