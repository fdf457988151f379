// Fuzzing a whole driver: lying-device [--sessions N] [--seed S] STAGE
//
// plugfsd serves a virtual player through a Mutator. In each session a new driver process is started; the folders are
// listed, files read and written, while the device lies. Whatever comes of that is right, but a crash, a hang, or the
// end of the supervisor: those are printed with the number of the connection, so that they can be had again.
//
// With a STAGE that was built with AddressSanitizer, -o sandbox=off is used (the sanitizer needs what it forbids).

#include "mutator.h"
#include "rig.h"

#include <fcntl.h>
#include <getopt.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>

using namespace plugfs;
using namespace plugfs::faults;
namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds start_limit{20};
constexpr std::chrono::milliseconds poll_interval{2};
// A session ends by then at the latest, whatever its programs wait for.
constexpr std::chrono::milliseconds session_limit{1500};

class Session {
  public:
    Session(std::string folder, std::string stage, bool sanitized)
        : folder_(std::move(folder)), stage_(std::move(stage)), sanitized_(sanitized) {}
    ~Session() {
        for (const pid_t pid : {supervisor_, player_}) {
            if (pid > 0) {
                (void)::kill(pid, SIGTERM);
                (void)::waitpid(pid, nullptr, 0);
            }
        }
    }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    bool start() {
        fs::create_directories(folder_ + "/root/Music/Album");
        for (const char* name : {"/root/one.bin", "/root/Music/two.mp3", "/root/Music/Album/three.mp3"}) {
            std::ofstream(folder_ + name) << std::string(20'000, 'x');
        }
        player_ = run({stage_ + "/bin/plugfs-virtual", "player", "--root", folder_ + "/root", "--listen",
                       "unix:" + folder_ + "/player", "--identity", "1209:0001,Liar,L1"});
        supervisor_ = run({stage_ + "/sbin/plugfsd", "-f", "--no-local", "--log-level", "error", "--state-dir",
                           folder_ + "/state", "-o",
                           std::string("crash_limit=0,hang_time=3") + (sanitized_ ? ",sandbox=off" : ""), "--attach",
                           "unix:" + folder_ + "/mutator", folder_ + "/mnt"});
        return wait_for_state("running");
    }
    bool wait_for_state(const std::string& word) const {
        const auto until = Clock::now() + start_limit;
        while (state() != word) {
            if (Clock::now() > until) {
                return false;
            }
            std::this_thread::sleep_for(poll_interval);
        }
        return true;
    }
    [[nodiscard]] std::string control(const char* name) const { return folder_ + "/mnt/.control/Liar/" + name; }
    [[nodiscard]] std::string state() const {
        const auto line = first_line(control("state"));
        return line.substr(0, line.find(':'));
    }
    [[nodiscard]] unsigned long crashes() const {
        return std::strtoul(first_line(control("restarts")).c_str(), nullptr, 10);
    }
    [[nodiscard]] std::string last_error() const { return first_line(control("last-error")); }
    [[nodiscard]] bool supervisor_lives() const { return ::waitpid(supervisor_, nullptr, WNOHANG) == 0; }
    void restart() const {
        const UniqueFd file(::open(control("restart").c_str(), O_WRONLY | O_CLOEXEC));
        (void)!::write(file.get(), "1\n", 2);
    }
    // What people do with a player, by a process that can be left behind.
    void use() const {
        const std::string script =
            "cd '" + folder_ +
            "/mnt/Liar' && { ls -lR . ; cat storage/*/Music/*.mp3 storage/*/one.bin; "
            "echo x >storage/*/new.txt; mv storage/*/new.txt storage/*/Music/; mkdir storage/*/d; "
            "rm -r storage/*/Music/new.txt storage/*/d; df . ; cat device.json events; } >/dev/null 2>&1";
        const pid_t user = run({"/bin/sh", "-c", script});
        const auto until = Clock::now() + session_limit;
        while (::waitpid(user, nullptr, WNOHANG) == 0) {
            if (Clock::now() > until) {
                // It may stand in the kernel until the driver is replaced.
                restart();
                (void)::kill(user, SIGKILL);
                (void)::waitpid(user, nullptr, 0);
                return;
            }
            std::this_thread::sleep_for(poll_interval);
        }
    }
    [[nodiscard]] std::string report() const {
        std::ifstream file(control("last-crash"));
        return {std::istreambuf_iterator<char>(file), {}};
    }

  private:
    pid_t run(std::vector<std::string> arguments) const {
        std::vector<char*> list;
        for (auto& argument : arguments) {
            list.push_back(argument.data());
        }
        list.push_back(nullptr);
        const pid_t pid = ::fork();
        if (pid == 0) {
            const int output = ::open((folder_ + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
            (void)::dup2(output, STDOUT_FILENO);
            (void)::dup2(output, STDERR_FILENO);
            ::execv(list[0], list.data());
            ::_exit(127);
        }
        return pid;
    }

    std::string folder_;
    std::string stage_;
    bool sanitized_;
    pid_t player_ = -1;
    pid_t supervisor_ = -1;
};

struct Settings {
    std::string stage;
    unsigned sessions = 100;
    std::uint64_t seed = 1;
    bool sanitized = false;
};

int fuzz(const Settings& settings, const std::string& folder) {
    auto mutator = Mutator::create(folder + "/mutator", folder + "/player", settings.seed);
    if (!mutator) {
        std::fprintf(stderr, "%s\n", mutator.error().text().c_str());
        return 1;
    }
    Session session(folder, settings.stage, settings.sanitized);
    if (!session.start()) {
        std::fputs("the player does not come up\n", stderr);
        return 1;
    }
    (*mutator)->lies = true;
    unsigned findings = 0;
    unsigned absent = 0;
    unsigned long crashes = session.crashes();
    std::map<std::string, unsigned> ends;
    const auto begin = Clock::now();
    for (unsigned i = 0; i < settings.sessions && session.supervisor_lives(); ++i) {
        const unsigned connection = (*mutator)->connections;
        session.use();
        session.restart();
        if (!session.wait_for_state("running")) {
            ++absent;
            // It lies in a way that no driver can start with; the truth must bring it back.
            (*mutator)->lies = false;
            session.restart();
            if (!session.wait_for_state("running")) {
                ++findings;
                std::printf("not ok - connection %u: with the truth it does not come back: %s\n", connection,
                            first_line(session.control("state")).c_str());
                break;
            }
            (*mutator)->lies = true;
        }
        const unsigned long now = session.crashes();
        if (now != std::exchange(crashes, now)) {
            const std::string why = session.last_error();
            ++ends[why.substr(0, 60)];
            if (why.find("signal") != std::string::npos || why.find("hung") != std::string::npos ||
                why.find("exit status") != std::string::npos) {
                ++findings;
                std::printf("connection %u: %s\n%s\n", connection, why.c_str(), session.report().c_str());
            }
        }
    }
    const bool lives = session.supervisor_lives();
    const std::chrono::duration<double> took = Clock::now() - begin;
    std::printf("%u sessions in %.0f s, %u connections, %lu lies; %u starts failed for longer\n", settings.sessions,
                took.count(), (*mutator)->connections.load(), (*mutator)->changes.load(), absent);
    for (const auto& [why, count] : ends) {
        std::printf("  %5u drivers ended: %s\n", count, why.c_str());
    }
    std::printf("%u crashes or hangs of the driver, %d of the supervisor\n", findings, lives ? 0 : 1);
    std::fflush(stdout);
    return findings == 0 && lives ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    Settings settings;
    constexpr option options[] = {{"sessions", required_argument, nullptr, 'n'},
                                  {"seed", required_argument, nullptr, 's'},
                                  {"sanitized", no_argument, nullptr, 'a'},
                                  {nullptr, 0, nullptr, 0}};
    int which = 0;
    while ((which = ::getopt_long(argc, argv, "", options, nullptr)) != -1) {
        if (which == 'n') {
            settings.sessions = static_cast<unsigned>(std::strtoul(optarg, nullptr, 10));
        } else if (which == 's') {
            settings.seed = std::strtoull(optarg, nullptr, 10);
        } else if (which == 'a') {
            settings.sanitized = true;
        } else {
            return 2;
        }
    }
    if (optind + 1 != argc) {
        std::fputs("usage: lying-device [--sessions N] [--seed S] [--sanitized] STAGE\n", stderr);
        return 2;
    }
    settings.stage = argv[optind];
    std::string folder = fs::temp_directory_path() / "plugfs-liar-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) {
        return 1;
    }
    const int status = fuzz(settings, folder);
    std::error_code error;
    fs::remove_all(folder, error);
    return status;
}
