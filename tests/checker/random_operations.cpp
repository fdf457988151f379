// random-operations [--folders-stay] [--progress FILE] FOLDER [OPERATIONS [SEED]]: does random things to files in an
// empty folder, as fsx does to one file, and compares what is there with a model in memory.
//
// Creates, writes at random places, appends, truncates, reads, renames (onto others, too), removes, makes folders,
// lists; some files stay open meanwhile. Every answer is checked: content, sizes, names, and the error codes of what
// must not be possible. With --folders-stay a folder that is to be moved may answer EXDEV, as one on another device
// would: then nothing has changed. FILE has how many operations are done, for whoever disturbs it: a request that is
// disturbed each time it is tried has a right to fail. Ends with "N operations, seed S: all as the model says" and
// status 0, or says what differs after which operations.

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t file_limit = 600'000;  // bytes
constexpr std::size_t piece_limit = 70'000;  // of one read or write
constexpr std::size_t open_limit = 8;
constexpr std::size_t depth_limit = 3;
constexpr unsigned names = 12;  // that a folder's entries can have

using Bytes = std::vector<unsigned char>;

struct File {
    Bytes bytes;
    int fd = -1;  // if it is kept open
};

class Checker {
  public:
    Checker(std::string root, unsigned seed, bool folders_stay)
        : root_(std::move(root)), random_(seed), folders_stay_(folders_stay) {
        folders_.insert("");
    }
    ~Checker() {
        for (auto& [path, file] : files_) {
            close_file(file);
        }
    }
    Checker(const Checker&) = delete;
    Checker& operator=(const Checker&) = delete;

    void step() {
        switch (below(16)) {
            case 0:
            case 1:
                return create();
            case 2:
            case 3:
            case 4:
                return write(false);
            case 5:
                return write(true);
            case 6:
                return resize();
            case 7:
            case 8:
            case 9:
                return read();
            case 10:
                return rename_file();
            case 11:
                return rename_folder();
            case 12:
                return below(3) == 0 ? remove_folder() : remove_file();
            case 13:
                return make_folder();
            case 14:
                return list(any_folder());
            default:
                return open_or_close();
        }
    }

    void compare_all() {
        told("compare everything");
        for (const auto& folder : folders_) {
            list(folder);
        }
        for (auto& [path, file] : files_) {
            close_file(file);
            compare(path, file, 0, file.bytes.size() + 1);
        }
    }

  private:
    std::size_t below(std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_); }
    [[nodiscard]] std::string real(const std::string& path) const { return root_ + path; }

    void told(std::string line) {
        history_.push_back(std::move(line));
        if (history_.size() > 100) {
            history_.pop_front();
        }
    }
    [[noreturn]] void differs(const std::string& what) {
        std::fprintf(stderr, "%s\nafter:\n", what.c_str());
        for (const auto& line : history_) {
            std::fprintf(stderr, "  %s\n", line.c_str());
        }
        std::exit(1);
    }
    // `wanted`: the error that it has to give, or 0.
    void expect(const char* what, const std::string& path, bool worked, int wanted) {
        const int got = worked ? 0 : errno;
        if (got != wanted) {
            differs(std::string(what) + " " + path + ": " + std::strerror(got) + ", not " + std::strerror(wanted));
        }
    }

    std::string any_folder() {
        auto at = folders_.begin();
        std::advance(at, below(folders_.size()));
        return *at;
    }
    std::string any_name() { return any_folder() + "/n" + std::to_string(below(names)); }
    std::map<std::string, File>::iterator any_file() {
        auto at = files_.begin();
        if (!files_.empty()) {
            std::advance(at, below(files_.size()));
        }
        return at;
    }
    [[nodiscard]] bool is_folder(const std::string& path) const { return folders_.count(path) != 0; }
    [[nodiscard]] bool taken(const std::string& path) const { return is_folder(path) || files_.count(path) != 0; }
    [[nodiscard]] bool is_empty(const std::string& folder) const {
        const auto within = [prefix = folder + "/"](const std::string& path) {
            return path.compare(0, prefix.size(), prefix) == 0;
        };
        return std::none_of(folders_.begin(), folders_.end(), within) &&
               std::none_of(files_.begin(), files_.end(), [&](const auto& item) { return within(item.first); });
    }

    static void close_file(File& file) {
        if (file.fd >= 0) {
            ::close(file.fd);
            file.fd = -1;
        }
    }
    // A descriptor for one operation; the file's own, if it is kept open.
    int descriptor(const std::string& path, const File& file) {
        const int fd = file.fd >= 0 ? file.fd : ::open(real(path).c_str(), O_RDWR | O_CLOEXEC);
        expect("open", path, fd >= 0, 0);
        return fd;
    }
    void done_with(const std::string& path, const File& file, int fd) {
        if (fd != file.fd) {
            expect("close", path, ::close(fd) == 0, 0);
        }
    }

    void create() {
        const auto path = any_name();
        told("create " + path);
        const int fd = ::open(real(path).c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        expect("create", path, fd >= 0, taken(path) ? EEXIST : 0);
        if (fd >= 0) {
            files_[path] = {};
            expect("close", path, ::close(fd) == 0, 0);
        }
    }

    void write(bool append) {
        const auto at = any_file();
        if (at == files_.end()) {
            return;
        }
        auto& [path, file] = *at;
        // At most a small hole.
        const std::size_t offset = append ? file.bytes.size() : below(std::min(file.bytes.size() + 5'000, file_limit));
        Bytes piece(1 + below(piece_limit));
        std::generate(piece.begin(), piece.end(), [this] { return static_cast<unsigned char>(random_()); });
        told("write " + path + " " + std::to_string(offset) + " " + std::to_string(piece.size()));
        const int fd = descriptor(path, file);
        const ssize_t count = ::pwrite(fd, piece.data(), piece.size(), static_cast<off_t>(offset));
        expect("write", path, count == static_cast<ssize_t>(piece.size()), 0);
        if (below(10) == 0) {
            expect("fsync", path, ::fsync(fd) == 0, 0);
        }
        done_with(path, file, fd);
        file.bytes.resize(std::max(file.bytes.size(), offset + piece.size()));
        std::copy(piece.begin(), piece.end(), file.bytes.begin() + static_cast<std::ptrdiff_t>(offset));
        if (file.bytes.size() > file_limit) {
            expect("truncate", path, ::truncate(real(path).c_str(), 100) == 0, 0);
            file.bytes.resize(100);
        }
    }

    void resize() {
        const auto at = any_file();
        if (at == files_.end()) {
            return;
        }
        auto& [path, file] = *at;
        const std::size_t size = below(file.bytes.size() + 10'000);
        told("resize " + path + " " + std::to_string(size));
        if (below(2) == 0) {
            expect("truncate", path, ::truncate(real(path).c_str(), static_cast<off_t>(size)) == 0, 0);
        } else {
            const int fd = descriptor(path, file);
            expect("ftruncate", path, ::ftruncate(fd, static_cast<off_t>(size)) == 0, 0);
            done_with(path, file, fd);
        }
        file.bytes.resize(size);
    }

    void compare(const std::string& path, const File& file, std::size_t offset, std::size_t size) {
        struct stat status {};
        expect("stat", path, ::stat(real(path).c_str(), &status) == 0, 0);
        if (static_cast<std::size_t>(status.st_size) != file.bytes.size()) {
            differs(path + " has " + std::to_string(status.st_size) + " bytes, not " +
                    std::to_string(file.bytes.size()));
        }
        Bytes piece(size);
        const int fd = descriptor(path, file);
        const ssize_t count = ::pread(fd, piece.data(), piece.size(), static_cast<off_t>(offset));
        expect("read", path, count >= 0, 0);
        done_with(path, file, fd);
        const std::size_t wanted = std::min(size, file.bytes.size() - std::min(offset, file.bytes.size()));
        if (static_cast<std::size_t>(count) != wanted) {
            differs(path + " at " + std::to_string(offset) + ": " + std::to_string(count) + " bytes, not " +
                    std::to_string(wanted));
        }
        for (std::size_t i = 0; i < wanted; ++i) {
            if (piece[i] != file.bytes[offset + i]) {
                differs(path + ": byte " + std::to_string(offset + i) + " is " + std::to_string(piece[i]) + ", not " +
                        std::to_string(file.bytes[offset + i]));
            }
        }
    }
    void read() {
        const auto at = any_file();
        if (at == files_.end()) {
            return;
        }
        const std::size_t offset = below(at->second.bytes.size() + 100);
        told("read " + at->first + " " + std::to_string(offset));
        compare(at->first, at->second, offset, 1 + below(piece_limit));
    }

    void open_or_close() {
        const auto at = any_file();
        if (at == files_.end()) {
            return;
        }
        auto& [path, file] = *at;
        if (file.fd >= 0) {
            told("close " + path);
            expect("close", path, ::close(file.fd) == 0, 0);
            file.fd = -1;
        } else if (std::count_if(files_.begin(), files_.end(), [](const auto& item) { return item.second.fd >= 0; }) <
                   static_cast<std::ptrdiff_t>(open_limit)) {
            told("open " + path);
            file.fd = ::open(real(path).c_str(), O_RDWR | O_CLOEXEC);
            expect("open", path, file.fd >= 0, 0);
        }
    }

    void remove_file() {
        const auto path = any_name();
        told("unlink " + path);
        const auto at = files_.find(path);
        if (at != files_.end()) {
            close_file(at->second);
        }
        const bool worked = ::unlink(real(path).c_str()) == 0;
        expect("unlink", path, worked, at != files_.end() ? 0 : is_folder(path) ? EISDIR : ENOENT);
        if (worked) {
            files_.erase(at);
        }
    }
    void make_folder() {
        const auto path = any_name();
        if (static_cast<std::size_t>(std::count(path.begin(), path.end(), '/')) > depth_limit) {
            return;
        }
        told("mkdir " + path);
        const bool worked = ::mkdir(real(path).c_str(), 0755) == 0;
        expect("mkdir", path, worked, taken(path) ? EEXIST : 0);
        if (worked) {
            folders_.insert(path);
        }
    }
    void remove_folder() {
        const auto path = any_folder();
        if (path.empty()) {
            return;
        }
        told("rmdir " + path);
        const bool worked = ::rmdir(real(path).c_str()) == 0;
        expect("rmdir", path, worked, is_empty(path) ? 0 : ENOTEMPTY);
        if (worked) {
            folders_.erase(path);
        }
    }

    void rename_file() {
        const auto at = any_file();
        if (at == files_.end()) {
            return;
        }
        const auto from = at->first;
        const auto to = any_name();
        told("rename " + from + " " + to);
        if (const auto there = files_.find(to); there != files_.end() && to != from) {
            close_file(there->second);
        }
        const bool worked = ::rename(real(from).c_str(), real(to).c_str()) == 0;
        const bool own_folder = from.compare(0, to.size() + 1, to + "/") == 0;
        expect("rename", from + " " + to, worked, own_folder ? ENOTEMPTY : is_folder(to) ? EISDIR : 0);
        if (worked && to != from) {
            files_[to] = std::move(at->second);
            files_.erase(from);
        }
    }
    void rename_folder() {
        const auto from = any_folder();
        const auto to = any_name();
        // A place in itself is refused by the kernel, and a deep tree may become too deep.
        if (from.empty() || (to + "/").compare(0, from.size() + 1, from + "/") == 0 || files_.count(to) != 0 ||
            static_cast<std::size_t>(std::count(to.begin(), to.end(), '/')) > depth_limit - 1) {
            return;
        }
        told("rename " + from + " " + to);
        const bool worked = ::rename(real(from).c_str(), real(to).c_str()) == 0;
        if (!worked && errno == EXDEV && folders_stay_) {
            return;
        }
        expect("rename", from + " " + to, worked, is_folder(to) && !is_empty(to) ? ENOTEMPTY : 0);
        if (!worked) {
            return;
        }
        const auto moved = [&](const std::string& path) { return to + path.substr(from.size()); };
        const auto within = [prefix = from + "/"](const std::string& path) {
            return path.compare(0, prefix.size(), prefix) == 0;
        };
        std::set<std::string> folders;
        for (const auto& path : folders_) {
            folders.insert(path == from || within(path) ? moved(path) : path);
        }
        folders_ = std::move(folders);
        std::map<std::string, File> files;
        for (auto& [path, file] : files_) {
            files.emplace(within(path) ? moved(path) : path, std::move(file));
        }
        files_ = std::move(files);
    }

    void list(const std::string& folder) {
        told("list " + folder);
        DIR* stream = ::opendir(real(folder).c_str());
        expect("opendir", folder, stream != nullptr, 0);
        std::set<std::string> there;
        while (const dirent* entry = ::readdir(stream)) {
            const std::string name = entry->d_name;
            if (name != "." && name != ".." && !there.insert(name).second) {
                differs(folder + ": " + name + " is listed twice");
            }
        }
        ::closedir(stream);
        std::set<std::string> wanted;
        const auto add = [&](const std::string& path) {
            const auto slash = path.rfind('/');
            if (slash != std::string::npos && path.substr(0, slash) == folder) {
                wanted.insert(path.substr(slash + 1));
            }
        };
        std::for_each(folders_.begin(), folders_.end(), add);
        std::for_each(files_.begin(), files_.end(), [&](const auto& item) { add(item.first); });
        if (there != wanted) {
            std::string text = folder + " lists";
            for (const auto& name : there) {
                text += " " + name;
            }
            text += ", not";
            for (const auto& name : wanted) {
                text += " " + name;
            }
            differs(text);
        }
    }

    std::string root_;
    std::mt19937 random_;
    bool folders_stay_;
    std::map<std::string, File> files_;  // by path, "/a/b"
    std::set<std::string> folders_;      // "" is the root
    std::deque<std::string> history_;
};

}  // namespace

int main(int argc, char** argv) {
    const bool folders_stay = argc > 1 && std::string_view(argv[1]) == "--folders-stay";
    if (folders_stay) {
        --argc;
        ++argv;
    }
    int progress = -1;
    if (argc > 2 && std::string_view(argv[1]) == "--progress") {
        progress = ::open(argv[2], O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        argc -= 2;
        argv += 2;
    }
    if (argc < 2 || argc > 4) {
        std::fputs("usage: random-operations [--folders-stay] [--progress FILE] FOLDER [OPERATIONS [SEED]]\n", stderr);
        return 2;
    }
    const unsigned long operations = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 10'000;
    const unsigned seed = argc > 3 ? static_cast<unsigned>(std::strtoul(argv[3], nullptr, 10)) : std::random_device()();
    std::fprintf(stderr, "seed %u\n", seed);
    Checker checker(argv[1], seed, folders_stay);
    for (unsigned long i = 0; i < operations; ++i) {
        checker.step();
        const std::string done = std::to_string(i + 1) + "\n";
        if (progress >= 0 && ::pwrite(progress, done.data(), done.size(), 0) < 0) {
            std::perror("progress");
            return 1;
        }
    }
    checker.compare_all();
    std::printf("%lu operations, seed %u: all as the model says\n", operations, seed);
    return 0;
}
