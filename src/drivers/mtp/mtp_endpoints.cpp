// Which interface of a device speaks MTP, and through which endpoints.

#include "drivers/mtp/mtp_driver.h"

#include <string>

namespace plugfs::mtp {

namespace {

// The smallest packet that takes a command, and the largest there is; USB 2.0, 5.8.3 and USB 3.
constexpr std::size_t least_packet = 32;
constexpr std::size_t largest_packet = 1024;

Endpoints endpoints_of(const usb::Interface& interface) {
    Endpoints found;
    found.interface_number = interface.number;
    for (const auto& endpoint : interface.endpoints) {
        if (endpoint.type() == usb::TransferType::bulk && endpoint.in() && found.bulk_in == 0) {
            found.bulk_in = endpoint.address;
            found.bulk_in_packet = endpoint.max_packet_size;
        } else if (endpoint.type() == usb::TransferType::bulk && !endpoint.in() && found.bulk_out == 0) {
            found.bulk_out = endpoint.address;
            found.bulk_out_packet = endpoint.max_packet_size;
        } else if (endpoint.type() == usb::TransferType::interrupt && endpoint.in() && found.interrupt_in == 0) {
            found.interrupt_in = endpoint.address;
            found.interrupt_packet = endpoint.max_packet_size;
        }
    }
    return found;
}

bool usable(const Endpoints& endpoints) {
    const auto fits = [](std::size_t packet) { return packet >= least_packet && packet <= largest_packet; };
    return endpoints.bulk_in != 0 && endpoints.bulk_out != 0 && fits(endpoints.bulk_in_packet) &&
           fits(endpoints.bulk_out_packet);
}

}  // namespace

Result<Endpoints> find_endpoints(std::span<const usb::Interface> interfaces) {
    for (const auto& interface : interfaces) {
        const bool still_image =
            interface.interface_class == 6 && interface.interface_subclass == 1 && interface.interface_protocol == 1;
        const bool vendor_mtp = interface.interface_class == 255 && interface.name.find("MTP") != std::string::npos;
        if (interface.alternate_setting != 0 || (!still_image && !vendor_mtp)) {
            continue;
        }
        if (const auto found = endpoints_of(interface); usable(found)) {
            return found;
        }
    }
    return fail(ENXIO, "interfaces", "none with bulk IN and bulk OUT endpoints for MTP");
}

}  // namespace plugfs::mtp
