// command_loop(): the main loop of a small virtual device that is told what to do on its standard input.
#pragma once

#include "virtual/virtual_device.h"

#include <functional>
#include <string>

namespace plugfs::virtual_usb {

// Serves `device` on a listening socket, one connection at a time, and gives each line of the standard input to
// `command`. Returns the exit status: 0 when the input has ended.
int command_loop(int listener, VirtualDevice& device, const std::function<void(const std::string& line)>& command);

}  // namespace plugfs::virtual_usb
