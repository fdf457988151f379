// run_driver(): a worker's life, from the first line of main() to its exit.
//
//   locked down -> told what to serve (start) -> vault mapped, session begun -> serving -> told to stop, or unmounted
//   -> device closed

#include "common/channel.h"
#include "common/log.h"
#include "common/worker_contract.h"
#include "kit/crash_handler.h"
#include "kit/driver_process.h"
#include "kit/lockdown.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace plugfs {

namespace {

using namespace kit;
using nlohmann::json;

constexpr std::chrono::seconds start_deadline{30};

bool started_by_supervisor() {
    int type = 0;
    socklen_t length = sizeof type;
    return ::getsockopt(worker::control_fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET;
}

Result<json> wait_for_start(Channel& channel) {
    const auto deadline = Deadline::after(start_deadline);
    while (!deadline.expired()) {
        pollfd ready{channel.fd(), POLLIN, 0};
        if (::poll(&ready, 1, deadline.remaining_ms()) < 0 && errno != EINTR) {
            return fail(errno, "poll");
        }
        PLUGFS_ASSIGN(auto message, channel.receive());
        if (!message) {
            continue;
        }
        if ((*message)["type"] != "start" || message->value("version", 0) != worker::contract_version) {
            return fail(EPROTO, "start message", "supervisor and driver are of different versions");
        }
        return std::move(*message);
    }
    return fail(ETIMEDOUT, "start message");
}

int live(const DriverInfo& info, const DriverFactory& create) {
    // Started by descriptor, the process would show up under that number in ps.
    (void)::prctl(PR_SET_NAME, ("plugfs-" + std::string(info.name)).c_str(), 0, 0, 0);
    install_crash_handler();
    auto layers = lock_down();
    Channel channel{UniqueFd(worker::control_fd)};
    if (!layers) {
        log::error(layers.error().text());
        (void)channel.send({{"type", "failed"},
                            {"code", layers.error().code},
                            {"stage", layers.error().stage},
                            {"detail", layers.error().detail}});
        return 1;
    }
    auto start = wait_for_start(channel);
    if (!start) {
        log::error(start.error().text());
        return 1;
    }
    LogLevel level = LogLevel::info;
    (void)log::parse_level(start->value("log", "info"), level);
    log::set_up(info.name, level);
    DriverProcess worker(std::move(channel), info, std::move(*layers));
    auto status = worker.set_up(*start, create);
    if (!status) {
        worker.report(status.error());
    } else {
        status = worker.serve();
    }
    if (!status) {
        log::error(status.error().text());
    }
    worker.close_device();
    std::fflush(nullptr);
    // Not through the destructors: the notifier may stand in the kernel, waiting for a request that will not be
    // answered any more.
    ::_exit(status ? 0 : 1);
}

// Devices and volumes give local times. Without TZ the C library reads the zone's file again at every use, which it
// cannot once we are locked down, and takes UTC; a zone that has a name it reads once.
void keep_time_zone() {
    (void)::setenv("TZ", ":/etc/localtime", 0);
    ::tzset();
}

}  // namespace

int run_driver(int argc, char** argv, const DriverInfo& info, const DriverFactory& create) {
    log::set_up(info.name, LogLevel::info);
    if (argc > 1 || !started_by_supervisor()) {
        (void)argv;
        std::printf("%s %s: a plugfs driver. plugfsd(8) starts it for a device; it does nothing by itself.\n",
                    std::string(info.name).c_str(), std::string(info.version).c_str());
        return argc > 1 ? 2 : 0;
    }
    keep_time_zone();
    try {
        return live(info, create);
    } catch (const std::exception& error) {
        log::error(std::string("ended by an exception: ") + error.what());
        return 1;
    }
}

}  // namespace plugfs
