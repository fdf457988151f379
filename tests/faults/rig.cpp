#include "rig.h"

#include "common/unique_fd.h"
#include "common/worker_contract.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace plugfs::faults {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t file_size = std::size_t{4} << 20U;
constexpr std::chrono::seconds start_limit{60};

pid_t start_program(std::vector<std::string> arguments, const std::string& log) {
    std::vector<char*> list;
    list.reserve(arguments.size() + 1);
    for (auto& argument : arguments) {
        list.push_back(argument.data());
    }
    list.push_back(nullptr);
    const pid_t pid = ::fork();
    if (pid == 0) {
        (void)::setpgid(0, 0);  // an interrupt at the terminal is for us: we end them in order
        const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
        (void)::dup2(output, STDOUT_FILENO);
        (void)::dup2(output, STDERR_FILENO);
        ::execv(list[0], list.data());
        ::_exit(127);
    }
    return pid;
}

std::string name_of(unsigned player) {
    return "Player " + std::to_string(player);
}

}  // namespace

std::string first_line(const std::string& path) {
    // One read(2): a stream would read on until the end, for which a file of .control has nothing more to say.
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 256> buffer{};
    const ssize_t length = file ? ::read(file.get(), buffer.data(), buffer.size()) : 0;
    const std::string text(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
    return text.substr(0, text.find('\n'));
}

Result<std::unique_ptr<Rig>> Rig::create(const std::string& stage, unsigned victims, unsigned neighbours) {
    std::unique_ptr<Rig> rig(new Rig);
    std::string folder = fs::temp_directory_path() / "plugfs-faults-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) {
        return fail(errno, folder);
    }
    rig->folder_ = folder;
    PLUGFS_TRY(rig->start(stage, victims + neighbours));
    const auto until = std::chrono::steady_clock::now() + start_limit;
    for (unsigned player = 0; player < victims + neighbours; ++player) {
        while (rig->state(player) != "running") {
            if (std::chrono::steady_clock::now() > until) {
                return fail(ETIMEDOUT, "start", name_of(player) + " does not come up\n" + rig->log());
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
    }
    return rig;
}

Result<void> Rig::start(const std::string& stage, unsigned players) {
    fs::create_directories(folder_ + "/root");
    content_.resize(file_size);
    for (std::size_t i = 0; i < content_.size(); ++i) {
        content_[i] = static_cast<std::byte>((i * 131) ^ (i >> 12U));
    }
    std::ofstream(folder_ + "/root/big.bin", std::ios::binary)
        .write(reinterpret_cast<const char*>(content_.data()), static_cast<std::streamsize>(content_.size()));
    std::vector<std::string> daemon = {stage + "/sbin/plugfsd",
                                       "-f",
                                       "--log-level",
                                       "error",
                                       "--no-local",
                                       "--state-dir",
                                       folder_ + "/state",
                                       "-o",
                                       "crash_limit=0,hang_time=0.5"};
    for (unsigned player = 0; player < players; ++player) {
        const std::string socket = "unix:" + folder_ + "/player-" + std::to_string(player);
        players_.push_back(
            start_program({stage + "/bin/plugfs-virtual", "player", "--root", folder_ + "/root", "--listen", socket,
                           "--identity", "1209:0001," + name_of(player) + ",S" + std::to_string(player)},
                          folder_ + "/players.log"));
        daemon.insert(daemon.end(), {"--attach", socket});
    }
    daemon.push_back(folder_ + "/mnt");
    supervisor_ = start_program(daemon, folder_ + "/log");
    return supervisor_ > 0 ? Result<void>() : Result<void>(fail(errno, "start plugfsd"));
}

Rig::~Rig() {
    if (supervisor_ > 0) {
        (void)::kill(supervisor_, SIGTERM);
        (void)::waitpid(supervisor_, nullptr, 0);
    }
    for (const pid_t player : players_) {
        (void)::kill(player, SIGTERM);
        (void)::waitpid(player, nullptr, 0);
    }
    std::error_code error;
    fs::remove_all(folder_, error);
}

std::string Rig::file(unsigned player) const {
    return folder_ + "/mnt/" + name_of(player) + "/storage/Internal storage/big.bin";
}

std::string Rig::control(unsigned player, const char* name) const {
    return folder_ + "/mnt/.control/" + name_of(player) + "/" + name;
}

std::string Rig::state(unsigned player) const {
    const std::string line = first_line(control(player, "state"));
    return line.substr(0, line.find(':'));
}

pid_t Rig::worker(unsigned player) const {
    return static_cast<pid_t>(std::strtol(first_line(control(player, "pid")).c_str(), nullptr, 10));
}

void Rig::restart(unsigned player) const {
    const UniqueFd file(::open(control(player, "restart").c_str(), O_WRONLY | O_CLOEXEC));
    (void)!::write(file.get(), "1\n", 2);
}

std::string Rig::keep(unsigned player) const {
    std::string path = fs::temp_directory_path() / ("plugfs-late-" + std::to_string(player) + "-XXXXXX");
    const UniqueFd file(::mkstemp(path.data()));
    const UniqueFd vault(
        ::open(("/proc/" + std::to_string(worker(player)) + "/fd/" + std::to_string(worker::vault_fd)).c_str(),
               O_RDONLY | O_CLOEXEC));
    std::vector<char> buffer(std::size_t{1} << 20U);
    ssize_t length = 0;
    while (file && vault && (length = ::read(vault.get(), buffer.data(), buffer.size())) > 0) {
        (void)!::write(file.get(), buffer.data(), static_cast<std::size_t>(length));
    }
    return path;
}

bool Rig::mounted(unsigned player) const {
    // Spaces are escaped there.
    const std::string path = folder_ + "/mnt/Player\\040" + std::to_string(player) + " ";
    std::ifstream mounts("/proc/self/mounts");
    for (std::string line; std::getline(mounts, line);) {
        if (line.find(" " + path) != std::string::npos) {
            return true;
        }
    }
    return false;
}

bool Rig::supervisor_lives() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(supervisor_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

std::size_t Rig::supervisor_memory() const {
    std::ifstream file("/proc/" + std::to_string(supervisor_) + "/smaps_rollup");
    std::size_t sum = 0;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("Private_")) {
            sum += std::strtoul(line.c_str() + line.find(':') + 1, nullptr, 10);
        }
    }
    return sum;
}

std::size_t Rig::supervisor_descriptors() const {
    std::error_code error;
    const fs::directory_iterator all("/proc/" + std::to_string(supervisor_) + "/fd", error);
    return static_cast<std::size_t>(std::distance(fs::begin(all), fs::end(all)));
}

std::string Rig::log() const {
    std::ifstream file(folder_ + "/log");
    std::stringstream text;
    text << file.rdbuf();
    constexpr std::size_t most = 4000;
    std::string all = text.str();
    return all.size() > most ? all.substr(all.size() - most) : all;
}

}  // namespace plugfs::faults
