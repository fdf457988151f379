// Descriptors of any bytes: the parsers must neither read past them nor go round in circles.
#include "usb/descriptors.h"
#include "usb/string_descriptors.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    (void)plugfs::usb::parse_device_descriptor(bytes);
    (void)plugfs::usb::utf8_from_utf16le(bytes);
    const auto configuration = plugfs::usb::parse_configuration(bytes);
    if (!configuration) {
        return 0;
    }
    // What the parser promises its users.
    if (configuration->interfaces.size() > plugfs::usb::interface_limit) {
        std::abort();
    }
    for (const auto& [interface, name_index] : configuration->interfaces) {
        for (const auto& endpoint : interface.endpoints) {
            if ((endpoint.address & 0x0fU) == 0 || endpoint.max_packet_size > 0x7ff) {
                std::abort();
            }
        }
    }
    return 0;
}
