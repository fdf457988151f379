// How long a reader waits when the driver is killed.
//
//   recovery STAGE [KILLS]
//
// Starts plugfsd with a virtual player, three readers that copy and compare all the time (past the page cache, so that
// every read asks the driver), and kills the driver KILLS times (1,000), each time when its predecessor's work goes on.
// A fourth reader measures: from the kill to the end of the first read that was begun after it. Prints the median, the
// 99th percentile and the maximum of that, of reads without a kill in the same run, and of what the driver itself took
// to start. Exit status 1: an error, a wrong byte or a hang was seen.

#include "common/unique_fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace plugfs;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t file_size = std::size_t{32} << 20U;
constexpr std::size_t piece = std::size_t{256} << 10U;
constexpr std::size_t probe_size = 4096;
constexpr auto hang_limit = std::chrono::seconds(20);

std::atomic<bool> stop = false;
std::atomic<unsigned long> errors = 0;
std::atomic<unsigned long> wrong_bytes = 0;
std::atomic<unsigned long> reads = 0;

double milliseconds_since(Clock::time_point begin) {
    return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

struct Aligned {
    std::byte* bytes = static_cast<std::byte*>(std::aligned_alloc(4096, piece));
    Aligned() = default;
    Aligned(const Aligned&) = delete;
    Aligned& operator=(const Aligned&) = delete;
    ~Aligned() { std::free(bytes); }
};

pid_t start(std::vector<std::string> arguments) {
    std::vector<char*> list;
    for (auto& argument : arguments) {
        list.push_back(argument.data());
    }
    list.push_back(nullptr);
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::execv(list[0], list.data());
        ::_exit(127);
    }
    return pid;
}

std::string first_line(const std::string& path) {
    std::ifstream stream(path);
    std::string line;
    std::getline(stream, line);
    return line;
}

template <class Condition>
bool wait_for(Condition condition) {
    const auto until = Clock::now() + hang_limit;
    while (!condition()) {
        if (Clock::now() > until) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
    return true;
}

void read_and_compare(const std::string& path, const std::vector<std::byte>& expected) {
    Aligned buffer;
    while (!stop) {
        const UniqueFd file(::open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
        if (!file) {
            ++errors;
            std::fprintf(stderr, "open: %s\n", std::strerror(errno));
            continue;
        }
        for (std::size_t at = 0; at < expected.size() && !stop; at += piece) {
            const ssize_t got = ::pread(file.get(), buffer.bytes, piece, static_cast<off_t>(at));
            if (got != static_cast<ssize_t>(piece)) {
                ++errors;
                std::fprintf(stderr, "read at %zu: %s\n", at, got < 0 ? std::strerror(errno) : "short");
                break;
            }
            wrong_bytes += std::memcmp(buffer.bytes, expected.data() + at, piece) == 0 ? 0 : 1;
            ++reads;
        }
    }
}

void print(const char* what, std::vector<double> times) {
    if (times.empty()) {
        std::printf("%-44s nothing measured\n", what);
        return;
    }
    std::sort(times.begin(), times.end());
    const auto at = [&](double part) {
        return times[std::min(times.size() - 1, static_cast<std::size_t>(part * static_cast<double>(times.size())))];
    };
    std::printf("%-44s median %8.2f ms   p99 %8.2f ms   max %8.2f ms   (%zu)\n", what, at(0.5), at(0.99), times.back(),
                times.size());
}

std::vector<double> start_times(const std::string& events) {
    std::ifstream stream(events);
    std::vector<double> times;
    std::string line;
    while (std::getline(stream, line)) {
        const auto at = line.find("\"start_ms\":");
        if (line.find("\"recovered\"") != std::string::npos && at != std::string::npos) {
            times.push_back(std::strtod(line.c_str() + at + 11, nullptr));
        }
    }
    return times;
}

struct Rig {
    std::string work;
    pid_t player = -1;
    pid_t daemon = -1;
    ~Rig() {
        for (const pid_t pid : {daemon, player}) {
            if (pid > 0) {
                ::kill(pid, SIGTERM);
                ::waitpid(pid, nullptr, 0);
            }
        }
        std::error_code error;
        fs::remove_all(work, error);
    }
};

int measure(const std::string& stage, unsigned kills) {
    Rig rig;
    std::string name = fs::temp_directory_path() / "plugfs-bench-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) {
        return 1;
    }
    rig.work = name;
    fs::create_directories(rig.work + "/root");
    std::vector<std::byte> content(file_size);
    for (std::size_t i = 0; i < content.size(); ++i) {
        content[i] = static_cast<std::byte>((i * 131) ^ (i >> 12U));
    }
    std::ofstream(rig.work + "/root/big.bin", std::ios::binary)
        .write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
    const std::string socket = "unix:" + rig.work + "/player";
    rig.player = start({stage + "/bin/plugfs-virtual", "player", "--root", rig.work + "/root", "--listen", socket,
                        "--identity", "1209:0001,Walkman,A1"});
    const std::string mnt = rig.work + "/mnt";
    rig.daemon = start({stage + "/sbin/plugfsd", "-f", "--log-level", "error", "--no-local", "--state-dir",
                        rig.work + "/state", "-o", "crash_limit=0", "--attach", socket, mnt});
    const std::string control = mnt + "/.control/Walkman/";
    const std::string file = mnt + "/Walkman/storage/Internal storage/big.bin";
    const auto running = [&] { return first_line(control + "state") == "running"; };
    if (!wait_for(running)) {
        std::fprintf(stderr, "the player does not come up\n");
        return 1;
    }
    std::vector<std::thread> readers;
    readers.reserve(3);
    for (int i = 0; i < 3; ++i) {
        readers.emplace_back([&] { read_and_compare(file, content); });
    }
    const UniqueFd probe(::open(file.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
    Aligned buffer;
    std::vector<double> undisturbed;
    std::vector<double> after_kill;
    unsigned hangs = 0;
    std::size_t at = 0;
    const auto probe_once = [&](std::vector<double>& times, Clock::time_point begin) {
        at = (at + (std::size_t{5} << 20U)) % file_size;
        const ssize_t got = ::pread(probe.get(), buffer.bytes, probe_size, static_cast<off_t>(at));
        times.push_back(milliseconds_since(begin));
        errors += got == static_cast<ssize_t>(probe_size) ? 0 : 1;
        wrong_bytes +=
            got > 0 && std::memcmp(buffer.bytes, content.data() + at, static_cast<std::size_t>(got)) != 0 ? 1 : 0;
    };
    // A read that hangs cannot be given up; but with the daemon gone the mount ends, and with it the read.
    std::atomic<unsigned> turns = 0;
    std::atomic<bool> hung = false;
    std::thread watchdog([&] {
        unsigned seen = 0;
        auto since = Clock::now();
        while (!stop && Clock::now() - since < hang_limit) {
            if (turns != seen) {
                seen = turns;
                since = Clock::now();
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
        if (!stop) {
            hung = true;
            ::kill(rig.daemon, SIGTERM);
        }
    });
    for (unsigned i = 0; i < kills && hangs == 0 && !hung; ++i) {
        ++turns;
        probe_once(undisturbed, Clock::now());
        const pid_t pid = static_cast<pid_t>(std::strtol(first_line(control + "pid").c_str(), nullptr, 10));
        if (pid <= 0) {
            ++hangs;
            break;
        }
        const auto begin = Clock::now();
        ::kill(pid, SIGKILL);
        probe_once(after_kill, begin);
        // The next kill is a new one: not before the successor says that it is there.
        hangs += wait_for([&] { return first_line(control + "pid") != std::to_string(pid) && running(); }) ? 0 : 1;
    }
    hangs += hung ? 1 : 0;
    stop = true;
    watchdog.join();
    for (auto& reader : readers) {
        reader.join();
    }
    std::printf("%zu kills, %lu reads of 256 KiB by 3 readers: %lu errors, %lu wrong pieces, %u hangs\n",
                after_kill.size(), reads.load(), errors.load(), wrong_bytes.load(), hangs);
    print("a read without a kill", undisturbed);
    print("from the kill to the first byte", after_kill);
    print("of which: the driver's launch and start", start_times(mnt + "/.control/events"));
    return errors == 0 && wrong_bytes == 0 && hangs == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fputs("usage: recovery STAGE [KILLS]\n", stderr);
        return 2;
    }
    return measure(argv[1], argc > 2 ? static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10)) : 1000);
}
