// usb::Backend over usbredir; see the header.
#include "usb/usbredir_device.h"

#include "common/log.h"
#include "usb/descriptors.h"
#include "usb/string_descriptors.h"
#include "usb/usbredir_transfer.h"

#include <algorithm>

namespace plugfs::usb {
namespace {

constexpr std::uint8_t direction_in = 0x80;
constexpr std::uint8_t get_descriptor = 6;      // bRequest, USB 2.0, table 9-4
constexpr std::uint8_t clear_feature = 1;       // likewise; wValue 0 is ENDPOINT_HALT
constexpr std::uint8_t recipient_endpoint = 2;  // bmRequestType, USB 2.0, table 9-2
constexpr std::size_t control_limit = 0xffff;
constexpr std::size_t interrupt_limit = 0xffff;
constexpr std::size_t capacity_limit = std::size_t{64} << 20U;

std::string number(unsigned value) {
    return std::to_string(value);
}

}  // namespace

Result<std::unique_ptr<Backend>> open_usbredir(UniqueFd socket, Deadline deadline) {
    PLUGFS_ASSIGN(auto session, UsbredirSession::open(std::move(socket), deadline));
    PLUGFS_ASSIGN(auto device, UsbredirDevice::create(std::move(session), deadline));
    return std::unique_ptr<Backend>(std::move(device));
}

Result<std::unique_ptr<UsbredirDevice>> UsbredirDevice::create(std::unique_ptr<UsbredirSession> session,
                                                               Deadline deadline) {
    std::unique_ptr<UsbredirDevice> device(new UsbredirDevice(std::move(session)));
    PLUGFS_TRY(device->read_descriptors(deadline));
    return device;
}

Result<std::size_t> UsbredirDevice::read_descriptor(std::uint8_t type, std::uint8_t index, std::span<std::byte> out,
                                                    Deadline deadline) {
    const Setup setup{.request_type = 0,
                      .request = get_descriptor,
                      .value = static_cast<std::uint16_t>((type << 8U) | index),
                      .index = 0};
    return control_in(setup, out, deadline);
}

Result<void> UsbredirDevice::read_descriptors(Deadline deadline) {
    std::array<std::byte, device_descriptor_size> head{};
    PLUGFS_ASSIGN(std::size_t got, read_descriptor(std::uint8_t(DescriptorType::device), 0, head, deadline));
    PLUGFS_ASSIGN(const auto device, parse_device_descriptor(std::span(head).first(got)));
    identity_ = device.identity;
    identity_.speed = session_->speed();

    PLUGFS_ASSIGN(const std::uint8_t active, session_->get_configuration(deadline));
    std::optional<ConfigurationDescriptor> configuration;
    constexpr auto type = static_cast<std::uint8_t>(DescriptorType::configuration);
    for (std::uint8_t index = 0; index < device.configuration_count && !configuration; ++index) {
        const auto first = std::span(head).first(configuration_header_size);
        PLUGFS_ASSIGN(got, read_descriptor(type, index, first, deadline));
        PLUGFS_ASSIGN(const std::uint16_t length, parse_configuration_length(first.first(got)));
        if (std::to_integer<std::uint8_t>(head[5]) != active) {  // bConfigurationValue
            continue;
        }
        std::vector<std::byte> whole(length);
        PLUGFS_ASSIGN(got, read_descriptor(type, index, whole, deadline));
        PLUGFS_ASSIGN(configuration, parse_configuration(std::span(whole).first(got)));
    }
    if (!configuration) {
        return fail(EPROTO, "usbredir", "the active configuration is " + number(active) + ", which has no descriptor");
    }
    StringReader strings(*this, deadline);
    for (auto& described : configuration->interfaces) {
        described.interface.name = strings.read(described.name_index);
        interfaces_.push_back(std::move(described.interface));
    }
    identity_.manufacturer = strings.read(device.manufacturer_index);
    identity_.product = strings.read(device.product_index);
    identity_.serial_number = strings.read(device.serial_number_index);
    return session_->check();
}

Result<void> UsbredirDevice::check_claimed(std::uint8_t interface_number, std::string_view stage) const {
    if (!claimed_.contains(interface_number)) {
        return fail(EINVAL, std::string(stage), "interface " + number(interface_number) + " is not claimed");
    }
    return {};
}

Result<void> UsbredirDevice::check_endpoint(std::uint8_t endpoint, std::string_view stage) const {
    const auto& info = session_->endpoint(endpoint);
    const bool usable = info.type == usb_redir_type_bulk || info.type == usb_redir_type_interrupt;
    if ((endpoint & 0x0fU) == 0 || (endpoint & 0x70U) != 0 || !usable) {
        return fail(EINVAL, std::string(stage), "there is no bulk or interrupt endpoint " + number(endpoint));
    }
    return check_claimed(info.interface, stage);
}

Result<void> UsbredirDevice::claim(std::uint8_t interface_number) {
    PLUGFS_TRY(session_->check());
    const auto same = [&](const Interface& interface) { return interface.number == interface_number; };
    if (std::none_of(interfaces_.begin(), interfaces_.end(), same)) {
        return fail(EINVAL, "claim", "there is no interface " + number(interface_number));
    }
    // The peer has claimed the whole device for us; within this process an interface has one owner, too.
    if (!claimed_.emplace(interface_number, std::uint8_t{0}).second) {
        return fail(EBUSY, "claim", "interface " + number(interface_number) + " is claimed already");
    }
    return {};
}

Result<void> UsbredirDevice::release(std::uint8_t interface_number) {
    PLUGFS_TRY(check_claimed(interface_number, "release"));
    for (const std::uint8_t endpoint : session_->interrupts().endpoints()) {
        if (session_->endpoint(endpoint).interface == interface_number) {
            session_->interrupts().forget(endpoint, fail(ECANCELED, "transfer", "the interface was released"));
        }
    }
    claimed_.erase(interface_number);
    return session_->check();
}

Result<void> UsbredirDevice::set_alternate_setting(std::uint8_t interface_number, std::uint8_t alternate_setting,
                                                   Deadline deadline) {
    PLUGFS_TRY(check_claimed(interface_number, "set alternate setting"));
    const auto same = [&](const Interface& interface) {
        return interface.number == interface_number && interface.alternate_setting == alternate_setting;
    };
    if (std::none_of(interfaces_.begin(), interfaces_.end(), same)) {
        return fail(EINVAL, "set alternate setting",
                    "interface " + number(interface_number) + " has no setting " + number(alternate_setting));
    }
    std::vector<std::uint8_t> streams;
    for (const std::uint8_t endpoint : session_->interrupts().endpoints()) {
        if (session_->endpoint(endpoint).interface == interface_number) {
            session_->interrupts().pause(endpoint);
            streams.push_back(endpoint);
        }
    }
    // The peer tells the endpoints of the new setting before it answers.
    auto set = session_->set_alternate_setting(interface_number, alternate_setting, deadline);
    for (const std::uint8_t endpoint : streams) {
        const auto& info = session_->endpoint(endpoint);
        if (info.type == usb_redir_type_interrupt && info.interface == interface_number) {
            session_->interrupts().resume(endpoint);
        } else {
            session_->interrupts().forget(endpoint, fail(EINVAL, "transfer", "the setting has no such endpoint"));
        }
    }
    if (set) {
        claimed_[interface_number] = alternate_setting;
    }
    return set;
}

Result<std::size_t> UsbredirDevice::control_in(const Setup& setup, std::span<std::byte> data, Deadline deadline) {
    if (data.size() > control_limit) {
        return fail(EINVAL, "control transfer", "more than 65,535 bytes");
    }
    Request request{.kind = Request::Kind::control, .endpoint = direction_in, .in = data, .asked = data.size()};
    return session_->control(setup, request, {}, deadline);
}

Result<std::size_t> UsbredirDevice::control_out(const Setup& setup, std::span<const std::byte> data,
                                                Deadline deadline) {
    if (data.size() > control_limit) {
        return fail(EINVAL, "control transfer", "more than 65,535 bytes");
    }
    Request request{.kind = Request::Kind::control, .endpoint = 0, .asked = data.size()};
    return session_->control(setup, request, data, deadline);
}

Result<std::unique_ptr<Transfer>> UsbredirDevice::create_transfer(std::uint8_t endpoint, std::size_t capacity) {
    PLUGFS_TRY(session_->check());
    PLUGFS_TRY(check_endpoint(endpoint, "create transfer"));
    const bool bulk = session_->endpoint(endpoint).type == usb_redir_type_bulk;
    if (capacity > (bulk ? capacity_limit : interrupt_limit)) {
        return fail(EINVAL, "create transfer", std::to_string(capacity) + " bytes are more than one transfer carries");
    }
    return std::unique_ptr<Transfer>(std::make_unique<UsbredirTransfer>(
        *session_, bulk ? Request::Kind::bulk : Request::Kind::interrupt, endpoint, capacity));
}

Result<void> UsbredirDevice::listen(std::uint8_t endpoint, std::size_t packet_size) {
    PLUGFS_TRY(session_->check());
    PLUGFS_TRY(check_endpoint(endpoint, "listen"));
    const auto& info = session_->endpoint(endpoint);
    if (info.type != usb_redir_type_interrupt || (endpoint & direction_in) == 0) {
        return fail(EINVAL, "listen", number(endpoint) + " is not an interrupt IN endpoint");
    }
    return session_->interrupts().listen(endpoint, packet_size, info.max_packet_size);
}

Result<void> UsbredirDevice::clear_halt(std::uint8_t endpoint, Deadline deadline) {
    PLUGFS_TRY(check_endpoint(endpoint, "clear halt"));
    session_->interrupts().pause(endpoint);
    const Setup setup{.request_type = recipient_endpoint, .request = clear_feature, .value = 0, .index = endpoint};
    const auto cleared = control_out(setup, {}, deadline);  // a usb-host recognises it and resets the toggle, too
    session_->interrupts().resume(endpoint);
    if (!cleared) {
        return cleared.error();
    }
    return {};
}

Result<void> UsbredirDevice::reset(Deadline deadline) {
    PLUGFS_TRY(session_->reset());
    // A reset has no answer; the answer to the next request tells that it is over, and who came back.
    std::array<std::byte, device_descriptor_size> bytes{};
    const auto got = read_descriptor(std::uint8_t(DescriptorType::device), 0, bytes, deadline);
    if (!got && got.error().code == ETIMEDOUT) {
        // A usb-host answers even for a device that does not: it is the connection that does not work any more, and
        // only a new one helps.
        session_->lose(fail(ENODEV, "reset", "the other side does not answer any more"));
        return session_->check();
    }
    PLUGFS_TRY(got);
    PLUGFS_ASSIGN(const auto device, parse_device_descriptor(std::span(bytes).first(*got)));
    if (device.identity.vendor_id != identity_.vendor_id || device.identity.product_id != identity_.product_id) {
        return fail(ENODEV, "reset", "the device came back as another one");
    }
    for (auto& [interface_number, setting] : claimed_) {
        if (setting != 0) {  // hosts restore alternate settings after a reset
            PLUGFS_TRY(session_->set_alternate_setting(interface_number, 0, deadline));
            setting = 0;
        }
    }
    for (const std::uint8_t endpoint : session_->interrupts().endpoints()) {
        session_->interrupts().resume(endpoint);
    }
    return {};
}

Result<void> UsbredirDevice::wait_activity(int wake_fd, Deadline deadline, const std::function<bool()>& ended) {
    const auto arrived = [this, &ended] { return ended() || session_->interrupts().has_arrival(); };
    auto run = session_->run_until(arrived, deadline, wake_fd);
    if (!run) {
        return run.error();
    }
    return {};
}

}  // namespace plugfs::usb
