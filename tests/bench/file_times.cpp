// What files take to whoever uses them: the same work on any mounted folder, timed inside one process, so that starting
// programs does not count. The benches run it on plugfs, on its peers and on the kernel's file systems.
//
//   file-times walk FOLDER                 every entry below it with its size
//   file-times read FILE                   from open to close, in pieces of 1 MiB
//   file-times part FILE OFFSET            1 MiB from there, from open to close
//   file-times small FOLDER COUNT          the first COUNT files below it, by name, each from open to close
//   file-times random FILE COUNT           4 KiB each from COUNT places, past the page cache (O_DIRECT)
//   file-times write FILE SIZE             a new file in pieces of 1 MiB, from open to close
//   file-times sync FILE SIZE              the same, with fsync before the close
//   file-times create FOLDER COUNT         a new folder with COUNT files of some bytes, then sync of the file system
//
// Prints "MILLISECONDS DETAIL"; exit status 1 and the reason on stderr if anything fails.

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr std::size_t piece = std::size_t{1} << 20U;
constexpr int open_folders = 32;

[[noreturn]] void die(const std::string& what) {
    std::fprintf(stderr, "file-times: %s: %s\n", what.c_str(), std::strerror(errno));
    std::exit(1);
}

std::vector<std::string> found;
long long found_bytes = 0;

int note(const char* path, const struct stat* status, int type, FTW* /*place*/) {
    if (type == FTW_F) {
        found.emplace_back(path);
        found_bytes += status->st_size;
    } else if (type != FTW_D) {
        die(path);
    }
    return 0;
}

void walk(const std::string& folder) {
    found.clear();
    found_bytes = 0;
    if (nftw(folder.c_str(), note, open_folders, FTW_PHYS) != 0) {
        die(folder);
    }
}

// Bytes read, from `offset` on; at most `most`.
std::size_t read_file(const std::string& path, std::vector<char>& buffer, off_t offset, std::size_t most) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        die(path);
    }
    std::size_t done = 0;
    while (done < most) {
        const ssize_t got =
            ::pread(file, buffer.data(), std::min(buffer.size(), most - done), offset + static_cast<off_t>(done));
        if (got < 0) {
            die(path);
        }
        if (got == 0) {
            break;
        }
        done += static_cast<std::size_t>(got);
    }
    if (::close(file) != 0) {
        die(path);
    }
    return done;
}

// Places that are the same every time.
std::size_t read_random(const std::string& path, std::size_t count) {
    constexpr std::size_t page = 4096;
    const int file = ::open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC);
    struct stat status {};
    void* buffer = std::aligned_alloc(page, page);
    if (file < 0 || ::fstat(file, &status) != 0 || buffer == nullptr) {
        die(path);
    }
    std::minstd_rand random(1);
    std::uniform_int_distribution<off_t> place(0, (status.st_size / static_cast<off_t>(page)) - 1);
    for (std::size_t i = 0; i < count; ++i) {
        if (::pread(file, buffer, page, place(random) * static_cast<off_t>(page)) != static_cast<ssize_t>(page)) {
            die(path);
        }
    }
    std::free(buffer);
    (void)::close(file);
    return count * page;
}

std::size_t create_files(const std::string& folder, std::size_t count) {
    if (::mkdir(folder.c_str(), 0777) != 0) {
        die(folder);
    }
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const std::string number = std::to_string(i);
        const int file = ::open((folder + "/" + number).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file < 0 || ::write(file, number.data(), number.size()) < 0 || ::close(file) != 0) {
            die(folder);
        }
        bytes += number.size();
    }
    const int opened = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opened < 0 || ::syncfs(opened) != 0) {
        die(folder);
    }
    (void)::close(opened);
    return bytes;
}

void write_file(const std::string& path, const std::vector<char>& buffer, std::size_t size, bool sync) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0) {
        die(path);
    }
    for (std::size_t done = 0; done < size;) {
        const ssize_t written = ::write(file, buffer.data(), std::min(buffer.size(), size - done));
        if (written < 0) {
            die(path);
        }
        done += static_cast<std::size_t>(written);
    }
    if ((sync && ::fsync(file) != 0) || ::close(file) != 0) {
        die(path);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const std::string what = argc > 2 ? argv[1] : "";
    const std::string path = argc > 2 ? argv[2] : "";
    const long long number = argc > 3 ? std::atoll(argv[3]) : 0;
    std::vector<char> buffer(piece, 'x');
    std::vector<std::string> paths;
    if (what == "small") {
        walk(path);
        paths = found;
        std::sort(paths.begin(), paths.end());
        paths.resize(std::min(paths.size(), static_cast<std::size_t>(number)));
    }
    const auto begin = std::chrono::steady_clock::now();
    std::size_t bytes = 0;
    if (what == "walk") {
        walk(path);
        bytes = found.size();
    } else if (what == "read" || what == "part") {
        bytes =
            read_file(path, buffer, what == "part" ? static_cast<off_t>(number) : 0, what == "part" ? piece : SIZE_MAX);
    } else if (what == "small") {
        for (const auto& each : paths) {
            bytes += read_file(each, buffer, 0, SIZE_MAX);
        }
    } else if (what == "random") {
        bytes = read_random(path, static_cast<std::size_t>(number));
    } else if (what == "create") {
        bytes = create_files(path, static_cast<std::size_t>(number));
    } else if (what == "write" || what == "sync") {
        write_file(path, buffer, bytes = static_cast<std::size_t>(number), what == "sync");
    } else {
        std::fprintf(stderr, "usage: %s walk|read|part|small|random|write|sync|create PATH [NUMBER]\n", argv[0]);
        return 2;
    }
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    std::printf("%.1f %zu %s\n", took.count(), bytes, what == "walk" ? "files" : "bytes");
    return 0;
}
