// Sockets of every family, and descriptors sent over the one that it has.

#include "escape.h"

#include "common/worker_contract.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace plugfs::hostile {

namespace {

struct Family {
    const char* name;
    int number;
    int type;
};
constexpr std::array families = {Family{"unix", AF_UNIX, SOCK_STREAM},   Family{"inet", AF_INET, SOCK_STREAM},
                                 Family{"inet6", AF_INET6, SOCK_DGRAM},  Family{"netlink", AF_NETLINK, SOCK_RAW},
                                 Family{"packet", AF_PACKET, SOCK_RAW},  Family{"alg", AF_ALG, SOCK_SEQPACKET},
                                 Family{"vsock", AF_VSOCK, SOCK_STREAM}, Family{"bluetooth", AF_BLUETOOTH, SOCK_RAW},
                                 Family{"can", AF_CAN, SOCK_RAW},        Family{"tipc", AF_TIPC, SOCK_SEQPACKET},
                                 Family{"rds", AF_RDS, SOCK_SEQPACKET},  Family{"key", AF_KEY, SOCK_RAW},
                                 Family{"raw inet", AF_INET, SOCK_RAW}};

int open_socket(const Family& family) {
    const int fd = ::socket(family.number, family.type | SOCK_CLOEXEC, family.type == SOCK_RAW ? 1 : 0);
    const int result = outcome(fd);
    ::close(fd);
    return result;
}

int open_pair(const Target& /*target*/) {
    std::array<int, 2> ends{-1, -1};
    const int result = outcome(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()));
    ::close(ends[0]);
    ::close(ends[1]);
    return result;
}

int send_descriptor(const Target& /*target*/) {
    char text[] = R"({"type":"present"})";
    iovec part{text, sizeof text - 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int present = worker::vault_fd;
    std::memcpy(CMSG_DATA(header), &present, sizeof present);
    return outcome(::sendmsg(worker::control_fd, &message, MSG_NOSIGNAL));
}

}  // namespace

std::vector<Escape> escapes_to_network() {
    std::vector<Escape> escapes;
    for (const auto& family : families) {
        escapes.push_back({std::string("open a socket (") + family.name + ")",
                           [family](const Target&) { return open_socket(family); }});
    }
    escapes.push_back({"open a pair of sockets", open_pair});
    escapes.push_back({"send the supervisor a descriptor", send_descriptor});
    return escapes;
}

}  // namespace plugfs::hostile
