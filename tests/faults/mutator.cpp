#include "mutator.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <usbredirproto.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace plugfs::faults {

namespace {

constexpr std::size_t short_header = 12;
constexpr std::size_t long_header = 16;
constexpr std::size_t packet_limit = std::size_t{64} << 20U;

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
}

std::uint32_t word_at(const std::vector<std::byte>& bytes, std::size_t offset) {
    std::uint32_t word = 0;
    std::memcpy(&word, bytes.data() + offset, sizeof word);
    return word;
}

bool write_all(int fd, const std::byte* bytes, std::size_t length) {
    while (length > 0) {
        const ssize_t sent = ::send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return false;
        }
        bytes += sent;
        length -= static_cast<std::size_t>(sent);
    }
    return true;
}

// How many bytes of a packet of this type come before its data.
std::size_t own_header(std::uint32_t type) {
    switch (type) {
        case usb_redir_control_packet:
            return sizeof(usb_redir_control_packet_header);
        case usb_redir_bulk_packet:
            return sizeof(usb_redir_bulk_packet_header);
        case usb_redir_interrupt_packet:
            return sizeof(usb_redir_interrupt_packet_header);
        default:
            return 0;
    }
}

}  // namespace

Result<std::unique_ptr<Mutator>> Mutator::create(const std::string& path, std::string device, std::uint64_t seed) {
    UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = address_of(path);
    constexpr int backlog = 8;
    UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
    if (!listener || !stop ||
        ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener.get(), backlog) != 0) {
        return fail(errno, "listen on " + path);
    }
    return std::unique_ptr<Mutator>(new Mutator(std::move(listener), std::move(stop), std::move(device), seed));
}

Mutator::Mutator(UniqueFd listener, UniqueFd stop, std::string device, std::uint64_t seed)
    : listener_(std::move(listener)), stop_(std::move(stop)), device_(std::move(device)), seed_(seed), thread_([this] {
          run();
      }) {}

Mutator::~Mutator() {
    const std::uint64_t one = 1;
    (void)!::write(stop_.get(), &one, sizeof one);
    thread_.join();
}

std::size_t Mutator::below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
}

void Mutator::run() {
    while (true) {
        std::array<pollfd, 2> ready{{{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
        (void)::poll(ready.data(), ready.size(), -1);
        if (ready[1].revents != 0) {
            return;
        }
        const UniqueFd driver(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        const UniqueFd device(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const auto address = address_of(device_);
        if (driver && ::connect(device.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
            serve(driver.get(), device.get());
        }
    }
}

void Mutator::serve(int driver, int device) {
    random_.seed((seed_ << 20U) + ++connections);
    packets_ = 0;
    // Most let the driver get as far as to serve; some lie from the first word on.
    honest_ = one_in(6) ? below(20) : 20 + below(60);
    rate_ = 1 + below(12);
    std::vector<std::byte> waiting;
    std::vector<std::byte> buffer(std::size_t{256} << 10U);
    while (true) {
        std::array<pollfd, 3> ready{{{driver, POLLIN, 0}, {device, POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
        (void)::poll(ready.data(), ready.size(), -1);
        if (ready[2].revents != 0) {
            return;
        }
        if (ready[0].revents != 0) {
            const ssize_t got = ::recv(driver, buffer.data(), buffer.size(), 0);
            if (got <= 0 || !write_all(device, buffer.data(), static_cast<std::size_t>(got))) {
                return;
            }
        }
        if (ready[1].revents != 0) {
            const ssize_t got = ::recv(device, buffer.data(), buffer.size(), 0);
            if (got <= 0) {
                return;
            }
            waiting.insert(waiting.end(), buffer.begin(), buffer.begin() + got);
            if (!pass_on(waiting, driver)) {
                return;
            }
        }
    }
}

bool Mutator::pass_on(std::vector<std::byte>& bytes, int driver) {
    std::size_t at = 0;
    while (true) {
        const std::size_t header = packets_ == 0 ? short_header : long_header;
        if (bytes.size() - at < header) {
            break;
        }
        const std::size_t length = word_at(bytes, at + 4);
        if (length > packet_limit || bytes.size() - at < header + length) {
            break;
        }
        std::vector<std::byte> packet(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                                      bytes.begin() + static_cast<std::ptrdiff_t>(at + header + length));
        at += packet.size();
        ++packets_;
        if (lies && packets_ > honest_ && one_in(rate_)) {
            ++changes;
            if (one_in(100)) {
                return false;
            }
            packet = changed(std::move(packet));
        }
        if (!write_all(driver, packet.data(), packet.size())) {
            return false;
        }
    }
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
    return true;
}

std::vector<std::byte> Mutator::changed(std::vector<std::byte> packet) {
    switch (below(20)) {
        case 0:
            return {};  // lost; who waits for it must not wait for ever
        case 1: {       // twice
            const auto once = packet;
            packet.insert(packet.end(), once.begin(), once.end());
            return packet;
        }
        case 2: {  // anything anywhere, the transport's own words too
            packet.at(below(packet.size())) = static_cast<std::byte>(below(256));
            return packet;
        }
        default:
            change_data(packet);
            return packet;
    }
}

// What the device itself has said: the data of a transfer, with its length put right so that the driver gets to see it.
void Mutator::change_data(std::vector<std::byte>& packet) {
    constexpr std::array<std::uint32_t, 8> numbers = {0, 1, 0x7f, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff};
    const std::size_t begin = long_header + own_header(word_at(packet, 0));
    if (packet.size() <= begin) {
        return;
    }
    const std::size_t changes_here = 1 + below(4);
    for (std::size_t i = 0; i < changes_here && packet.size() > begin; ++i) {
        // Beginnings are where lengths, codes and counts are.
        const std::size_t length = packet.size() - begin;
        const std::size_t at = begin + below(one_in(3) ? length : std::min<std::size_t>(length, 64));
        switch (below(4)) {
            case 0:
                packet.at(at) ^= static_cast<std::byte>(1U << below(8));
                break;
            case 1:
                packet.at(at) = static_cast<std::byte>(below(256));
                break;
            default: {
                const std::uint32_t number = numbers.at(below(numbers.size()));
                std::memcpy(&packet.at(at), &number, std::min<std::size_t>(packet.size() - at, 1U << below(3)));
                break;
            }
        }
    }
}

}  // namespace plugfs::faults
