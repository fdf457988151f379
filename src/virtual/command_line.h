// What the commands of plugfs-virtual have in common: parts of arguments, and a main loop that ends on a signal.
#pragma once

#include "virtual/virtual_device.h"

#include <plugfs/result.h>

#include <getopt.h>

#include <charconv>
#include <functional>
#include <string>
#include <vector>

namespace plugfs::virtual_usb {

// Splits at the first `at`; false when there is none.
bool split(const std::string& text, char at, std::string& before, std::string& after);

// The whole text as a number.
template <class Number>
bool number(const std::string& text, int base, Number& value) {
    return !text.empty() &&
           std::from_chars(text.data(), text.data() + text.size(), value, base).ptr == text.data() + text.size();
}

// "VID:PID,PRODUCT,SERIAL".
Result<void> set_identity(const std::string& value, DeviceDescription& device);
// "high" or "super".
Result<void> set_speed(const std::string& value, DeviceDescription& device);

// What the command of each device has; its own options begin at own_options.
enum CommonOption : int {
    listen_option = 256,
    identity_option,
    speed_option,
    fault_option,
    control_option,
    own_options
};
struct CommonArguments {
    bool help = false;
    std::string listen;
    std::string control;
};
// A command: its options besides those, and what they and its work are.
struct Command {
    std::vector<option> options;
    CommonArguments& arguments;
    DeviceDescription& device;
    std::vector<std::string>& faults;
    std::function<Result<void>(int option, const std::string& value)> take;  // one of its own
    std::function<void()> print_help;
    std::function<Result<void>()> run;
};
// All of it; returns the exit status.
int run_command(int argc, char** argv, const Command& command);

// Listens on both endpoints (`control` may be empty) and calls `serve` with these sockets (-1: none) and a descriptor
// that is readable when SIGTERM or SIGINT came.
Result<void> serve_until_signal(const std::string& listen, const std::string& control,
                                const std::function<Result<void>(int listener, int control, int stop)>& serve);

}  // namespace plugfs::virtual_usb
