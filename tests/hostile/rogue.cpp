// A rogue: a driver without the kit. It serves the mount by hand, does not lock itself down, and answers with what no
// kit would send:
//
//   setuid     mode 06777, owner root, a program        node, disk   character and block devices
//   link       a symbolic link to /etc/shadow           up           a symbolic link to ../../../..
//   huge       size 2^63 - 1                            negative     size 2^64 - 1
//   text       an ordinary file, so that one can see that it serves
//   lost       who reads it gets no answer
//   no-root    there is none; who asks for it has the root become a file
//   mute       nor this one; it ends, and its successor starts, lives, and neither serves nor says anything
//
// In listings there are names besides that no file has: "..", "a/b", and one without an end. After each reply comes a
// second one, of which nobody has asked, and a notification about an inode that there is not.

#include "common/channel.h"
#include "common/vault.h"
#include "common/worker_contract.h"

#include <linux/fuse.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

using namespace plugfs;

namespace {

struct File {
    const char* name;
    std::uint32_t mode;
    std::uint64_t size;
    std::uint32_t device;
    const char* target;
};
constexpr std::array<File, 9> files = {{
    {"setuid", S_IFREG | 06777, 9, 0, ""},
    {"node", S_IFCHR | 0666, 0, (1U << 8U) | 5U, ""},  // /dev/zero
    {"disk", S_IFBLK | 0666, 0, 8U << 8U, ""},
    {"link", S_IFLNK | 0777, 11, 0, "/etc/shadow"},
    {"up", S_IFLNK | 0777, 11, 0, "../../../.."},
    {"huge", S_IFREG | 0644, static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()), 0, ""},
    {"negative", S_IFREG | 0644, std::numeric_limits<std::uint64_t>::max(), 0, ""},
    {"text", S_IFREG | 0644, 9, 0, ""},
    {"lost", S_IFREG | 0644, 9, 0, ""},
}};
constexpr char content[] = "#!/bin/id";
constexpr std::uint64_t first_inode = 2;
constexpr std::uint32_t mute_mark = 7;  // in VaultHeader::writable, which outlives us

fuse_attr attributes_of(std::uint64_t inode) {
    fuse_attr attributes{};
    attributes.ino = inode;
    attributes.nlink = 1;
    attributes.blksize = 4096;
    if (inode < first_inode || inode >= first_inode + files.size()) {
        attributes.mode = S_IFDIR | 0755;
        return attributes;
    }
    const auto& file = files.at(inode - first_inode);
    attributes.mode = file.mode;
    attributes.size = file.size;
    attributes.rdev = file.device;
    return attributes;
}

const File& file_of(std::uint64_t inode) {
    return files.at((inode - first_inode) % files.size());
}

class Rogue {
  public:
    int serve(const VaultMapping& vault, Channel& channel) {
        header_ = &vault.header();
        answer_init(*header_);
        const bool mute = header_->writable.exchange(0) == mute_mark;
        header_->driver_started = 1;
        if (!mute) {
            (void)channel.send({{"type", "ready"}, {"driver", "rogue"}, {"version", "1.0"}});
        }
        while (true) {
            pollfd ready{mute ? -1 : worker::fuse_fd, POLLIN, 0};
            header_->heartbeat.fetch_add(1);
            header_->device_heartbeat.fetch_add(1);
            if (::poll(&ready, 1, 100) <= 0) {
                continue;
            }
            const ssize_t length = ::read(worker::fuse_fd, buffer_.data(), buffer_.size());
            if (length < 0 && errno == ENODEV) {
                return 0;
            }
            if (length >= static_cast<ssize_t>(sizeof request_)) {
                std::memcpy(&request_, buffer_.data(), sizeof request_);
                handle();
            }
        }
    }

  private:
    void answer_init(VaultHeader& header) {
        fuse_in_header request{};
        std::memcpy(&request, header.init_request.data(), sizeof request);
        fuse_init_out out{};
        out.major = FUSE_KERNEL_VERSION;
        out.minor = 31;
        out.max_readahead = 1U << 17U;
        out.max_write = 4096;
        request_ = request;
        reply(&out, sizeof out);
    }

    void reply(const void* bytes, std::size_t length, int error = 0) {
        fuse_out_header header{};
        header.len = static_cast<std::uint32_t>(sizeof header + length);
        header.error = -error;
        header.unique = request_.unique;
        iovec parts[] = {{&header, sizeof header}, {const_cast<void*>(bytes), length}};
        (void)!::writev(worker::fuse_fd, parts, length == 0 ? 1 : 2);
        header.unique += 1000;
        (void)!::writev(worker::fuse_fd, parts, length == 0 ? 1 : 2);
        struct {
            fuse_out_header header;
            fuse_notify_inval_inode_out notice;
        } notification{{sizeof notification, FUSE_NOTIFY_INVAL_INODE, 0}, {12345, -1, -1}};
        (void)!::write(worker::fuse_fd, &notification, sizeof notification);
    }

    void handle() {
        const char* rest = buffer_.data() + sizeof request_;
        switch (request_.opcode) {
            case FUSE_LOOKUP:
                return look_up(rest);
            case FUSE_GETATTR: {
                fuse_attr_out out{};
                out.attr = attributes_of(request_.nodeid);
                if (request_.nodeid == FUSE_ROOT_ID && denies_root_) {
                    out.attr.mode = S_IFREG | 0644;
                }
                return reply(&out, sizeof out);
            }
            case FUSE_OPEN:
            case FUSE_OPENDIR: {
                const fuse_open_out out{};
                return reply(&out, sizeof out);
            }
            case FUSE_READ:
                if (std::strcmp(file_of(request_.nodeid).name, "lost") != 0) {
                    reply(content, sizeof content - 1);
                }
                return;
            case FUSE_READLINK: {
                const char* target = file_of(request_.nodeid).target;
                return reply(target, std::strlen(target));
            }
            case FUSE_READDIR:
                return list(rest);
            case FUSE_FORGET:
            case FUSE_BATCH_FORGET:
            case FUSE_INTERRUPT:
                return;
            case FUSE_RELEASE:
            case FUSE_RELEASEDIR:
            case FUSE_FLUSH:
                return reply(nullptr, 0);
            default:
                return reply(nullptr, 0, ENOSYS);
        }
    }

    void look_up(const char* name) {
        const auto found = std::find_if(files.begin(), files.end(),
                                        [&](const File& file) { return std::strcmp(file.name, name) == 0; });
        if (found == files.end()) {
            denies_root_ = denies_root_ || std::strcmp(name, "no-root") == 0;
            reply(nullptr, 0, ENOENT);
            if (std::strcmp(name, "mute") == 0) {
                header_->writable = mute_mark;
                ::_exit(0);
            }
            return;
        }
        fuse_entry_out out{};
        out.nodeid = first_inode + static_cast<std::uint64_t>(found - files.begin());
        out.attr = attributes_of(out.nodeid);
        reply(&out, sizeof out);
    }

    void list(const char* rest) {
        fuse_read_in asked{};
        std::memcpy(&asked, rest, sizeof asked);
        std::array<char, 2048> out{};
        std::size_t used = 0;
        if (asked.offset == 0) {
            for (const auto& file : files) {
                add(out, used, file.name);
            }
        } else if (asked.offset == files.size()) {
            for (const char* name : {"..", "a/b", ""}) {
                add(out, used, name);
            }
        }
        reply(out.data(), used);
    }

    static void add(std::array<char, 2048>& out, std::size_t& used, const char* name) {
        fuse_dirent entry{};
        entry.ino = first_inode + (used / 32);
        entry.off = (used / 32) + 1;
        entry.namelen = static_cast<std::uint32_t>(std::strlen(name));
        entry.off = std::min<std::uint64_t>(entry.off, files.size());
        std::memcpy(&out.at(used), &entry, FUSE_NAME_OFFSET);
        std::memcpy(&out.at(used + FUSE_NAME_OFFSET), name, entry.namelen);
        used += FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + entry.namelen);
    }

    std::vector<char> buffer_ = std::vector<char>(large_slot_size);
    fuse_in_header request_{};
    VaultHeader* header_ = nullptr;
    bool denies_root_ = false;
};

}  // namespace

int main() {
    bool locked = false;
    const auto vault = VaultMapping::open(worker::vault_fd, locked);
    Channel channel{UniqueFd(worker::control_fd)};
    return vault ? Rogue().serve(*vault, channel) : 1;
}
