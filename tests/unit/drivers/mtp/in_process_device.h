// The device of drivers/in_process_device.h with what MTP needs: commands are noted, too, by their operation codes
// ("command 0x1002"), and a message ends with a packet that is not full.
#pragma once

#include "drivers/in_process_device.h"
#include "drivers/mtp/mtp_driver.h"

namespace plugfs::mtp::test {

class InProcessDevice : public plugfs::test::InProcessDevice {
  public:
    explicit InProcessDevice(virtual_usb::VirtualDevice& device) : plugfs::test::InProcessDevice(device) {
        ends_by_short_packets = true;
        watch_out = [this](std::span<const std::byte> bytes) {
            if (bytes.size() >= container_header_size) {
                const auto header = read_container_header(bytes.first<container_header_size>());
                asked.push_back("command " + hexadecimal(header.code));
            }
        };
    }
};

}  // namespace plugfs::mtp::test
