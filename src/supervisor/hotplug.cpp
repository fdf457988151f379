#include "supervisor/hotplug.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <array>

namespace plugfs {

namespace {
constexpr unsigned kernel_group = 1;
constexpr std::size_t message_limit = 8192;
}  // namespace

Result<Hotplug> Hotplug::create() {
    UniqueFd socket(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
    if (!socket) {
        return fail(errno, "hotplug", "netlink socket");
    }
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = kernel_group;
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return fail(errno, "hotplug", "bind netlink socket");
    }
    return Hotplug(std::move(socket));
}

bool Hotplug::drain() {
    bool concerned = false;
    // Bounded: a storm of events is read in several turns of the event loop.
    for (int i = 0; i < 256; ++i) {
        std::array<char, message_limit> buffer{};
        sockaddr_nl sender{};
        socklen_t sender_length = sizeof sender;
        const ssize_t length = ::recvfrom(socket_.get(), buffer.data(), buffer.size(), 0,
                                          reinterpret_cast<sockaddr*>(&sender), &sender_length);
        if (length < 0) {
            if (errno == ENOBUFS) {
                concerned = true;
                continue;
            }
            break;
        }
        // Any process may send to the socket; only port 0 is the kernel.
        if (sender.nl_pid == 0) {
            concerned |= concerns_usb({buffer.data(), static_cast<std::size_t>(length)});
        }
    }
    return concerned;
}

bool Hotplug::concerns_usb(std::string_view message) {
    bool usb = false;
    bool action = false;
    while (!message.empty()) {
        const auto end = message.find('\0');
        const auto field = message.substr(0, end);
        usb |= field == "SUBSYSTEM=usb";
        action |=
            field == "ACTION=add" || field == "ACTION=remove" || field == "ACTION=bind" || field == "ACTION=change";
        message.remove_prefix(end == std::string_view::npos ? message.size() : end + 1);
    }
    return usb && action;
}

}  // namespace plugfs
