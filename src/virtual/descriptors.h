// Standard descriptors of a virtual device; USB 2.0, 9.6.
#pragma once

#include "virtual/virtual_device.h"

namespace plugfs::virtual_usb {

// The answer to GET_DESCRIPTOR, cut to `length`; nothing when there is no such descriptor.
[[nodiscard]] std::optional<std::vector<std::byte>> descriptor(const DeviceDescription& device, std::uint8_t type,
                                                               std::uint8_t index, std::size_t length);

}  // namespace plugfs::virtual_usb
