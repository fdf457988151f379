// LibusbDevice::give_up_rights(): what a usbfs descriptor can do beyond its own interfaces is given up for good.

#include "usb/libusb_device.h"

#include <linux/usbdevice_fs.h>
#include <sys/ioctl.h>

#include <array>

namespace plugfs::usb {

namespace {

constexpr unsigned mask_bits = 32;  // of USBDEVFS_DROP_PRIVILEGES; interfaces beyond cannot be claimed later

// Nobody has it, or we do. What a kernel driver has stays its own.
bool free_for_us(int fd, unsigned interface_number) {
    usbdevfs_getdriver driver{};
    driver.interface = interface_number;
    return ::ioctl(fd, USBDEVFS_GETDRIVER, &driver) != 0 || std::string_view(driver.driver) == "usbfs";
}

}  // namespace

Result<std::string> LibusbDevice::give_up_rights() {
    PLUGFS_TRY(handle_->check());
    std::uint32_t capabilities = 0;
    if (::ioctl(handle_->fd(), USBDEVFS_GET_CAPABILITIES, &capabilities) != 0 ||
        (capabilities & USBDEVFS_CAP_DROP_PRIVILEGES) == 0) {
        return std::string("not supported by this kernel");
    }
    std::uint32_t mask = 0;
    for (const auto& interface : interfaces_) {
        if (interface.number < mask_bits && free_for_us(handle_->fd(), interface.number)) {
            mask |= std::uint32_t{1} << interface.number;
        }
    }
    if (::ioctl(handle_->fd(), USBDEVFS_DROP_PRIVILEGES, &mask) != 0) {
        return fail(errno, "USBDEVFS_DROP_PRIVILEGES");
    }
    std::array<char, 40> text{};
    (void)std::snprintf(text.data(), text.size(), "held (interfaces 0x%x)", mask);
    return std::string(text.data());
}

}  // namespace plugfs::usb
