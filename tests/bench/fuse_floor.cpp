// What FUSE alone costs: a file system with one file, "memory.bin", whose bytes are in memory. No FUSE client of a
// device can read faster, whatever the device does.
//
//   fuse-floor MOUNTPOINT MEBIBYTES    serves it in the foreground until it is unmounted
//
// Requests are as large as plugfs' own; the kernel's read-ahead is the caller's to set (/sys/class/bdi).

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

constexpr fuse_ino_t file_inode = 2;
constexpr const char* file_name = "memory.bin";
constexpr unsigned request_size = 1U << 20U;
constexpr double for_long = 3600.0;  // seconds

off_t file_size = 0;
std::vector<char> content(request_size, 'x');

bool attributes_of(fuse_ino_t inode, struct stat& attributes) {
    attributes = {};
    attributes.st_ino = inode;
    if (inode == FUSE_ROOT_ID) {
        attributes.st_mode = S_IFDIR | 0755;
        attributes.st_nlink = 2;
    } else if (inode == file_inode) {
        attributes.st_mode = S_IFREG | 0444;
        attributes.st_nlink = 1;
        attributes.st_size = file_size;
    }
    return attributes.st_mode != 0;
}

void begin(void*, fuse_conn_info* connection) {
    connection->max_readahead = request_size;
    connection->max_read = request_size;
    connection->max_write = request_size;
}

void look_up(fuse_req_t request, fuse_ino_t parent, const char* name) {
    fuse_entry_param entry{};
    if (parent != FUSE_ROOT_ID || std::strcmp(name, file_name) != 0) {
        fuse_reply_err(request, ENOENT);
        return;
    }
    entry.ino = file_inode;
    entry.attr_timeout = entry.entry_timeout = for_long;
    (void)attributes_of(file_inode, entry.attr);
    fuse_reply_entry(request, &entry);
}

void attributes(fuse_req_t request, fuse_ino_t inode, fuse_file_info*) {
    struct stat found {};
    if (attributes_of(inode, found)) {
        fuse_reply_attr(request, &found, for_long);
    } else {
        fuse_reply_err(request, ENOENT);
    }
}

void open_file(fuse_req_t request, fuse_ino_t, fuse_file_info* info) {
    info->keep_cache = 1;
    fuse_reply_open(request, info);
}

void read_file(fuse_req_t request, fuse_ino_t, std::size_t size, off_t offset, fuse_file_info*) {
    const auto rest = static_cast<std::size_t>(std::max<off_t>(file_size - offset, 0));
    fuse_reply_buf(request, content.data(), std::min({size, rest, content.size()}));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: %s MOUNTPOINT MEBIBYTES\n", argv[0]);
        return 2;
    }
    file_size = static_cast<off_t>(std::strtoul(argv[2], nullptr, 10)) << 20U;
    fuse_lowlevel_ops operations{};
    operations.init = begin;
    operations.lookup = look_up;
    operations.getattr = attributes;
    operations.open = open_file;
    operations.read = read_file;
    char limit[] = "-omax_read=1048576";
    char* arguments[] = {argv[0], limit, nullptr};
    fuse_args args{2, arguments, 0};
    fuse_session* session = fuse_session_new(&args, &operations, sizeof operations, nullptr);
    if (session == nullptr || fuse_session_mount(session, argv[1]) != 0) {
        std::fprintf(stderr, "fuse-floor: could not mount %s\n", argv[1]);
        return 1;
    }
    const int status = fuse_session_loop(session);
    fuse_session_unmount(session);
    fuse_session_destroy(session);
    return status == 0 ? 0 : 1;
}
