// What FUSE alone costs: a file system whose files are in memory, with the tree of tests/bench/mtp: "memory.bin", and
// 1,000 tracks in folders. A plain program on libfuse, which answers at once and lets the kernel remember all it is
// told.
//
//   fuse-floor MOUNTPOINT MEBIBYTES    serves it in the foreground until it is unmounted; memory.bin is that large
//
// Requests are as large as plugfs' own; the kernel's read-ahead is the caller's to set (/sys/class/bdi).

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr unsigned request_size = 1U << 20U;
constexpr double for_long = 3600.0;  // seconds
constexpr off_t track_size = 30'000;

struct Node {
    std::string name;
    fuse_ino_t parent = FUSE_ROOT_ID;
    bool folder = false;
    off_t size = 0;
    std::vector<fuse_ino_t> children = {};
};

std::vector<Node> nodes;  // that of an inode is one before it
std::vector<char> content(request_size, 'x');

fuse_ino_t add(fuse_ino_t parent, std::string name, bool folder, off_t size = 0) {
    nodes.push_back({std::move(name), parent, folder, size});
    const fuse_ino_t inode = nodes.size();
    if (inode != parent) {
        nodes[parent - 1].children.push_back(inode);
    }
    return inode;
}

void make_tree(off_t large) {
    add(FUSE_ROOT_ID, "", true);
    add(FUSE_ROOT_ID, "memory.bin", false, large);
    const auto music = add(FUSE_ROOT_ID, "Music", true);
    for (int artist = 1; artist <= 20; ++artist) {
        const auto folder = add(music, "Artist " + std::to_string(artist), true);
        for (int album = 1; album <= 5; ++album) {
            const auto tracks = add(folder, "Album " + std::to_string(album), true);
            for (int track = 1; track <= 10; ++track) {
                add(tracks, "Track " + std::to_string(track) + ".mp3", false, track_size);
            }
        }
    }
}

const Node* find(fuse_ino_t inode) {
    return inode > 0 && inode <= nodes.size() ? &nodes[inode - 1] : nullptr;
}

struct stat attributes_of(fuse_ino_t inode) {
    const Node& node = nodes[inode - 1];
    struct stat attributes {};
    attributes.st_ino = inode;
    attributes.st_mode = node.folder ? S_IFDIR | 0755 : S_IFREG | 0444;
    attributes.st_nlink = node.folder ? 2 : 1;
    attributes.st_size = node.size;
    return attributes;
}

fuse_entry_param entry_of(fuse_ino_t inode) {
    fuse_entry_param entry{};
    entry.ino = inode;
    entry.attr_timeout = entry.entry_timeout = for_long;
    entry.attr = attributes_of(inode);
    return entry;
}

void begin(void*, fuse_conn_info* connection) {
    connection->max_readahead = request_size;
    connection->max_read = request_size;
    connection->max_write = request_size;
}

void look_up(fuse_req_t request, fuse_ino_t parent, const char* name) {
    if (const Node* folder = find(parent)) {
        for (const auto inode : folder->children) {
            if (nodes[inode - 1].name == name) {
                const auto entry = entry_of(inode);
                fuse_reply_entry(request, &entry);
                return;
            }
        }
    }
    fuse_reply_err(request, ENOENT);
}

void attributes(fuse_req_t request, fuse_ino_t inode, fuse_file_info*) {
    if (find(inode) == nullptr) {
        fuse_reply_err(request, ENOENT);
        return;
    }
    const auto found = attributes_of(inode);
    fuse_reply_attr(request, &found, for_long);
}

void open_folder(fuse_req_t request, fuse_ino_t, fuse_file_info* info) {
    info->cache_readdir = 1;
    info->keep_cache = 1;
    fuse_reply_open(request, info);
}

void list(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset, fuse_file_info*) {
    const Node* folder = find(inode);
    std::vector<char> buffer(size);
    std::size_t used = 0;
    for (auto at = static_cast<std::size_t>(offset); folder != nullptr && at < folder->children.size(); ++at) {
        const auto entry = entry_of(folder->children[at]);
        const std::size_t needed =
            fuse_add_direntry_plus(request, buffer.data() + used, size - used,
                                   nodes[folder->children[at] - 1].name.c_str(), &entry, static_cast<off_t>(at) + 1);
        if (needed > size - used) {
            break;
        }
        used += needed;
    }
    fuse_reply_buf(request, buffer.data(), used);
}

void open_file(fuse_req_t request, fuse_ino_t, fuse_file_info* info) {
    info->keep_cache = 1;
    fuse_reply_open(request, info);
}

void read_file(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset, fuse_file_info*) {
    const Node* file = find(inode);
    const auto rest = static_cast<std::size_t>(std::max<off_t>((file != nullptr ? file->size : 0) - offset, 0));
    fuse_reply_buf(request, content.data(), std::min({size, rest, content.size()}));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: %s MOUNTPOINT MEBIBYTES\n", argv[0]);
        return 2;
    }
    make_tree(static_cast<off_t>(std::strtoul(argv[2], nullptr, 10)) << 20U);
    fuse_lowlevel_ops operations{};
    operations.init = begin;
    operations.lookup = look_up;
    operations.getattr = attributes;
    operations.opendir = open_folder;
    operations.readdirplus = list;
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
