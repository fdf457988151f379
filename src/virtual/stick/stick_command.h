// plugfs-virtual stick: its command line.
#pragma once

namespace plugfs::virtual_usb {

// argv[0] is "stick". Returns the exit status.
int stick_command(int argc, char** argv);

}  // namespace plugfs::virtual_usb
