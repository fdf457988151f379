#include "supervisor/demo.h"

#include "common/log.h"
#include "supervisor/install_paths.h"
#include "supervisor/run_command.h"

#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>

namespace plugfs {

namespace {

constexpr std::chrono::seconds library_deadline{60};

std::string temporary_base() {
    if (const char* runtime = std::getenv("XDG_RUNTIME_DIR"); runtime != nullptr && ::geteuid() != 0) {
        return runtime;
    }
    return "/tmp";
}

}  // namespace

Result<std::unique_ptr<Demo>> Demo::create(unsigned players) {
    std::string folder = temporary_base() + "/plugfs-demo-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) {
        return fail(errno, "demo: " + folder);
    }
    std::unique_ptr<Demo> demo(new Demo(folder));
    Command library;
    library.arguments = {installed_program("plugfs-virtual"), "library", "--output", folder + "/tracks"};
    if (const auto made = run_command(library, Deadline::after(library_deadline)); !made) {
        return made.error();
    }
    for (unsigned number = 1; number <= players; ++number) {
        PLUGFS_TRY(demo->start_player(number));
    }
    return demo;
}

Result<void> Demo::start_player(unsigned number) {
    const std::string text = "unix:" + folder_ + "/player-" + std::to_string(number);
    PLUGFS_ASSIGN(auto endpoint, parse_endpoint(text));
    std::string serial = std::to_string(number);
    serial.insert(0, 4 - std::min<std::size_t>(4, serial.size()), '0');
    LaunchPlan plan;
    plan.executable = installed_program("plugfs-virtual");
    plan.arguments = {"player",
                      "--root",
                      folder_ + "/tracks",
                      "--listen",
                      text,
                      "--identity",
                      "1209:0001,plugfs Walkman,DEMO" + serial};
    plan.descriptors = {{2, 2}};
    plan.open_files = 1024;
    PLUGFS_ASSIGN(auto player, launch(plan));
    players_.push_back(std::move(player));
    endpoints_.push_back(std::move(endpoint));
    return {};
}

Demo::~Demo() {
    // They have nothing to put away: what they serve is a copy, and the folder with their sockets goes next.
    for (const auto& player : players_) {
        (void)::syscall(SYS_pidfd_send_signal, player.pidfd.get(), SIGKILL, nullptr, 0);
    }
    for (const auto& player : players_) {
        siginfo_t info{};
        while (::waitid(P_PIDFD, static_cast<id_t>(player.pidfd.get()), &info, WEXITED) != 0 && errno == EINTR) {
        }
    }
    std::error_code error;
    std::filesystem::remove_all(folder_, error);
}

}  // namespace plugfs
