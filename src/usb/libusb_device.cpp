// usb::Backend on libusb; see the header.
#include "usb/libusb_device.h"

#include "common/log.h"
#include "usb/descriptors.h"
#include "usb/libusb_transfer.h"
#include "usb/string_descriptors.h"

#include <algorithm>

namespace plugfs::usb {
namespace {

constexpr std::size_t control_limit = 0xffff;
constexpr std::uint16_t packet_size_mask = 0x07ff;  // wMaxPacketSize, USB 2.0, 9.6.6
constexpr auto strings_limit = std::chrono::seconds(5);

std::string number(unsigned value) {
    return std::to_string(value);
}

Speed speed_of(int speed) {
    switch (speed) {
        case LIBUSB_SPEED_LOW:
            return Speed::low;
        case LIBUSB_SPEED_FULL:
            return Speed::full;
        case LIBUSB_SPEED_HIGH:
            return Speed::high;
        case LIBUSB_SPEED_SUPER:
            return Speed::super;
        case LIBUSB_SPEED_SUPER_PLUS:
            return Speed::super_plus;
        default:
            return Speed::unknown;
    }
}

Interface interface_of(const libusb_interface_descriptor& descriptor) {
    Interface interface;
    interface.number = descriptor.bInterfaceNumber;
    interface.alternate_setting = descriptor.bAlternateSetting;
    interface.interface_class = descriptor.bInterfaceClass;
    interface.interface_subclass = descriptor.bInterfaceSubClass;
    interface.interface_protocol = descriptor.bInterfaceProtocol;
    for (const auto& endpoint : std::span(descriptor.endpoint, descriptor.bNumEndpoints)) {
        interface.endpoints.push_back(
            {.address = endpoint.bEndpointAddress,
             .attributes = endpoint.bmAttributes,
             .max_packet_size = static_cast<std::uint16_t>(endpoint.wMaxPacketSize & packet_size_mask),
             .interval = endpoint.bInterval});
        const std::span extra(reinterpret_cast<const std::byte*>(endpoint.extra),
                              static_cast<std::size_t>(std::max(endpoint.extra_length, 0)));
        read_endpoint_extras(extra, interface, interface.endpoints.back());
    }
    return interface;
}

}  // namespace

Result<std::unique_ptr<Backend>> open_libusb(UniqueFd usbfs, std::size_t mapped_limit) {
    PLUGFS_ASSIGN(auto handle, LibusbHandle::create(std::move(usbfs), mapped_limit));
    PLUGFS_ASSIGN(auto device, LibusbDevice::create(std::move(handle)));
    return std::unique_ptr<Backend>(std::move(device));
}

Result<std::unique_ptr<LibusbDevice>> LibusbDevice::create(std::unique_ptr<LibusbHandle> handle) {
    std::unique_ptr<LibusbDevice> device(new LibusbDevice(std::move(handle)));
    PLUGFS_TRY(device->describe());
    return device;
}

LibusbDevice::~LibusbDevice() {
    end_transfers();  // all together, not a second for each
}

Result<void> LibusbDevice::describe() {
    libusb_device_descriptor descriptor{};
    PLUGFS_TRY(handle_->note(libusb_get_device_descriptor(handle_->device(), &descriptor), "device descriptor"));
    identity_.vendor_id = descriptor.idVendor;
    identity_.product_id = descriptor.idProduct;
    identity_.device_release = descriptor.bcdDevice;
    identity_.device_class = descriptor.bDeviceClass;
    identity_.device_subclass = descriptor.bDeviceSubClass;
    identity_.device_protocol = descriptor.bDeviceProtocol;
    identity_.speed = speed_of(libusb_get_device_speed(handle_->device()));

    StringReader strings(*this, Deadline::after(strings_limit));
    identity_.manufacturer = strings.read(descriptor.iManufacturer);
    identity_.product = strings.read(descriptor.iProduct);
    identity_.serial_number = strings.read(descriptor.iSerialNumber);

    libusb_config_descriptor* active = nullptr;
    const int code = libusb_get_active_config_descriptor(handle_->device(), &active);
    if (code == LIBUSB_ERROR_NOT_FOUND) {
        log::warning("the device is not configured and has no interfaces");
        return handle_->check();
    }
    PLUGFS_TRY(handle_->note(code, "configuration descriptor"));
    const std::unique_ptr<libusb_config_descriptor, decltype(&libusb_free_config_descriptor)> owned(
        active, libusb_free_config_descriptor);
    for (const auto& interface : std::span(active->interface, active->bNumInterfaces)) {
        for (const auto& setting :
             std::span(interface.altsetting, static_cast<std::size_t>(std::max(interface.num_altsetting, 0)))) {
            interfaces_.push_back(interface_of(setting));
            interfaces_.back().name = strings.read(setting.iInterface);
        }
    }
    return handle_->check();
}

Result<void> LibusbDevice::check_claimed(std::uint8_t interface_number, std::string_view stage) const {
    if (!claimed_.contains(interface_number)) {
        return fail(EINVAL, std::string(stage), "interface " + number(interface_number) + " is not claimed");
    }
    return {};
}

Result<Endpoint> LibusbDevice::find_endpoint(std::uint8_t address, std::string_view stage) const {
    for (const Interface& interface : interfaces_) {
        const auto claim = claimed_.find(interface.number);
        if (claim == claimed_.end() || claim->second != interface.alternate_setting) {
            continue;
        }
        for (const Endpoint& endpoint : interface.endpoints) {
            const bool usable = endpoint.type() == TransferType::bulk || endpoint.type() == TransferType::interrupt;
            if (endpoint.address == address && usable) {
                return endpoint;
            }
        }
    }
    return fail(EINVAL, std::string(stage), "no claimed interface has a bulk or interrupt endpoint " + number(address));
}

Result<void> LibusbDevice::claim(std::uint8_t interface_number) {
    PLUGFS_TRY(handle_->check());
    const auto same = [&](const Interface& interface) { return interface.number == interface_number; };
    if (std::none_of(interfaces_.begin(), interfaces_.end(), same)) {
        return fail(EINVAL, "claim", "there is no interface " + number(interface_number));
    }
    if (claimed_.contains(interface_number)) {
        return fail(EBUSY, "claim", "interface " + number(interface_number) + " is claimed already");
    }
    PLUGFS_TRY(handle_->note(libusb_claim_interface(handle_->get(), interface_number),
                             "claim interface " + number(interface_number)));
    claimed_[interface_number] = 0;
    return {};
}

bool LibusbDevice::belongs(std::uint8_t endpoint, std::uint8_t interface_number) const {
    return std::ranges::any_of(interfaces_, [&](const Interface& interface) {
        return interface.number == interface_number &&
               std::ranges::any_of(interface.endpoints, [&](const Endpoint& own) { return own.address == endpoint; });
    });
}

void LibusbDevice::restart_listeners() {
    std::erase_if(listeners_, [&](const auto& listener) { return !find_endpoint(listener->endpoint(), "listen"); });
    for (const auto& listener : listeners_) {
        listener->restart();
    }
}

Result<void> LibusbDevice::release(std::uint8_t interface_number) {
    PLUGFS_TRY(check_claimed(interface_number, "release"));
    end_transfers(interface_number);
    claimed_.erase(interface_number);
    std::erase_if(listeners_, [&](const auto& listener) { return belongs(listener->endpoint(), interface_number); });
    std::erase_if(arrivals_, [&](const Arrival& arrival) { return belongs(arrival.endpoint, interface_number); });
    return handle_->note(libusb_release_interface(handle_->get(), interface_number),
                         "release interface " + number(interface_number));
}

Result<void> LibusbDevice::set_alternate_setting(std::uint8_t interface_number, std::uint8_t alternate_setting,
                                                 Deadline deadline) {
    PLUGFS_TRY(handle_->check());
    PLUGFS_TRY(check_claimed(interface_number, "set alternate setting"));
    const auto same = [&](const Interface& interface) {
        return interface.number == interface_number && interface.alternate_setting == alternate_setting;
    };
    if (std::none_of(interfaces_.begin(), interfaces_.end(), same)) {
        return fail(EINVAL, "set alternate setting",
                    "interface " + number(interface_number) + " has no setting " + number(alternate_setting));
    }
    if (deadline.expired()) {
        return fail(ETIMEDOUT, "set alternate setting", "no time left");
    }
    end_transfers(interface_number);
    collect();
    auto set = handle_->note(libusb_set_interface_alt_setting(handle_->get(), interface_number, alternate_setting),
                             "set alternate setting");
    if (set) {
        claimed_[interface_number] = alternate_setting;
    }
    restart_listeners();
    return set;
}

Result<std::unique_ptr<LibusbUrb>> LibusbDevice::create_control(const Setup& setup, std::uint8_t direction,
                                                                std::size_t length) {
    PLUGFS_TRY(handle_->check());
    if (length > control_limit) {
        return fail(EINVAL, "control transfer", "more than 65,535 bytes");
    }
    PLUGFS_ASSIGN(auto urb,
                  LibusbUrb::create(*handle_, LIBUSB_TRANSFER_TYPE_CONTROL, 0, LIBUSB_CONTROL_SETUP_SIZE + length));
    const auto type = static_cast<std::uint8_t>((setup.request_type & ~LIBUSB_ENDPOINT_IN) | direction);
    libusb_fill_control_setup(reinterpret_cast<unsigned char*>(urb->buffer().data()), type, setup.request, setup.value,
                              setup.index, static_cast<std::uint16_t>(length));
    return urb;
}

Result<std::size_t> LibusbDevice::control_in(const Setup& setup, std::span<std::byte> data, Deadline deadline) {
    PLUGFS_ASSIGN(const auto urb, create_control(setup, LIBUSB_ENDPOINT_IN, data.size()));
    PLUGFS_TRY(urb->submit(urb->buffer().size()));
    PLUGFS_ASSIGN(const std::size_t moved, urb->wait(deadline));
    std::ranges::copy(urb->buffer().subspan(LIBUSB_CONTROL_SETUP_SIZE, std::min(moved, data.size())), data.begin());
    return moved;
}

Result<std::size_t> LibusbDevice::control_out(const Setup& setup, std::span<const std::byte> data, Deadline deadline) {
    PLUGFS_ASSIGN(const auto urb, create_control(setup, LIBUSB_ENDPOINT_OUT, data.size()));
    std::ranges::copy(data, urb->buffer().subspan(LIBUSB_CONTROL_SETUP_SIZE).begin());
    PLUGFS_TRY(urb->submit(urb->buffer().size()));
    return urb->wait(deadline);
}

Result<std::unique_ptr<Transfer>> LibusbDevice::create_transfer(std::uint8_t endpoint, std::size_t capacity) {
    PLUGFS_TRY(handle_->check());
    PLUGFS_ASSIGN(const Endpoint found, find_endpoint(endpoint, "create transfer"));
    const auto type = found.type() == TransferType::bulk ? LIBUSB_TRANSFER_TYPE_BULK : LIBUSB_TRANSFER_TYPE_INTERRUPT;
    PLUGFS_ASSIGN(auto urb, LibusbUrb::create(*handle_, type, endpoint, capacity));
    return std::unique_ptr<Transfer>(std::make_unique<LibusbTransfer>(std::move(urb)));
}

Result<std::uint16_t> LibusbDevice::allocate_streams(std::span<const std::uint8_t> endpoints, std::uint16_t count) {
    PLUGFS_TRY(handle_->check());
    std::vector<unsigned char> addresses;
    for (const std::uint8_t endpoint : endpoints) {
        PLUGFS_ASSIGN(const Endpoint found, find_endpoint(endpoint, "allocate streams"));
        if (found.type() != TransferType::bulk) {
            return fail(EINVAL, "allocate streams", number(endpoint) + " is not a bulk endpoint");
        }
        addresses.push_back(endpoint);
    }
    const int allocated =
        libusb_alloc_streams(handle_->get(), count, addresses.data(), static_cast<int>(addresses.size()));
    if (allocated <= 0) {
        PLUGFS_TRY(handle_->note(allocated, "allocate streams"));
        return fail(ENOTSUP, "allocate streams", "none");
    }
    return static_cast<std::uint16_t>(std::min<int>(allocated, count));
}

Result<void> LibusbDevice::listen(std::uint8_t endpoint, std::size_t packet_size) {
    PLUGFS_TRY(handle_->check());
    PLUGFS_ASSIGN(const Endpoint found, find_endpoint(endpoint, "listen"));
    if (found.type() != TransferType::interrupt || !found.in() || found.max_packet_size == 0) {
        return fail(EINVAL, "listen", number(endpoint) + " is not an interrupt IN endpoint");
    }
    const auto same = [&](const auto& listener) { return listener->endpoint() == endpoint; };
    std::erase_if(listeners_, same);  // listening anew, with another size perhaps
    PLUGFS_ASSIGN(auto listener, LibusbListener::create(*handle_, endpoint, packet_size, found.max_packet_size));
    listeners_.push_back(std::move(listener));
    return {};
}

Result<void> LibusbDevice::clear_halt(std::uint8_t endpoint, Deadline deadline) {
    PLUGFS_TRY(handle_->check());
    PLUGFS_TRY(find_endpoint(endpoint, "clear halt"));
    if (deadline.expired()) {
        return fail(ETIMEDOUT, "clear halt", "no time left");
    }
    return handle_->note(libusb_clear_halt(handle_->get(), endpoint), "clear halt");
}

void LibusbDevice::end_transfers(std::optional<std::uint8_t> interface_number) {
    const auto concerned = [&](const LibusbUrb* urb) {
        return urb->in_flight() && (!interface_number || belongs(urb->endpoint(), *interface_number));
    };
    for (LibusbUrb* urb : handle_->urbs()) {
        if (concerned(urb)) {
            urb->cancel();
        }
    }
    (void)handle_->reap_until([&] { return std::ranges::none_of(handle_->urbs(), concerned); },
                              Deadline::after(reap_limit));
}

Result<void> LibusbDevice::reset(Deadline deadline) {
    PLUGFS_TRY(handle_->check());
    if (deadline.expired()) {
        return fail(ETIMEDOUT, "reset", "no time left");
    }
    end_transfers();
    collect();  // what had come before; the listeners' transfers are cancelled now
    int code = libusb_reset_device(handle_->get());
    if (code == LIBUSB_ERROR_NOT_FOUND) {  // it came back as something else, or not at all
        code = LIBUSB_ERROR_NO_DEVICE;
    }
    PLUGFS_TRY(handle_->note(code, "reset"));
    for (auto& [interface_number, setting] : claimed_) {
        if (setting != 0) {  // the kernel restores alternate settings after a reset
            PLUGFS_TRY(handle_->note(libusb_set_interface_alt_setting(handle_->get(), interface_number, 0),
                                     "set alternate setting"));
            setting = 0;
        }
    }
    restart_listeners();
    return {};
}

void LibusbDevice::collect() {
    for (const auto& listener : listeners_) {
        listener->collect(arrivals_);
    }
}

Result<void> LibusbDevice::wait_activity(int wake_fd, Deadline deadline, const std::function<bool()>& ended) {
    const auto arrived = [this, &ended] {
        collect();
        return ended() || !arrivals_.empty() || !handle_->check();
    };
    auto run = handle_->run_until(arrived, deadline, wake_fd);
    if (!run) {
        return run.error();
    }
    return arrivals_.empty() ? handle_->check() : Result<void>();
}

std::optional<Arrival> LibusbDevice::next_arrival() {
    collect();
    if (arrivals_.empty()) {
        return std::nullopt;
    }
    Arrival arrival = std::move(arrivals_.front());
    arrivals_.pop_front();
    return arrival;
}

}  // namespace plugfs::usb
