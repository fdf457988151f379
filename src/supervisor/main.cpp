// plugfsd: command line, daemon, and the Supervisor's life.

#include "common/log.h"
#include "supervisor/sandbox_check.h"
#include "supervisor/supervisor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>

#include <cstdio>
#include <fstream>

namespace {

using namespace plugfs;

// Goes to the background. The parent waits until the daemon has said through a pipe how its start went, and exits with
// that. Returns the descriptor to report on, in the daemon only.
Result<UniqueFd> become_daemon() {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        return fail(errno, "daemon", "pipe");
    }
    UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    const pid_t pid = ::fork();
    if (pid < 0) {
        return fail(errno, "daemon", "fork");
    }
    if (pid > 0) {
        write_end.reset();
        char status = 1;
        if (::read(read_end.get(), &status, 1) != 1) {
            status = 1;
        }
        ::_exit(status);
    }
    (void)::setsid();
    (void)::chdir("/");
    return write_end;
}

void leave_terminal(const Options& options) {
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    UniqueFd output;
    if (options.log_file.empty()) {
        log::use_system_log();
    } else {
        output.reset(::open(options.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    }
    (void)::dup2(null.get(), 0);
    (void)::dup2(null.get(), 1);
    (void)::dup2(output ? output.get() : null.get(), 2);
}

Result<void> check_log_file(const Options& options) {
    if (!options.log_file.empty()) {
        const UniqueFd file(::open(options.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
        if (!file) {
            return fail(errno, "--log-file " + options.log_file);
        }
    }
    return {};
}

int serve(Options options) {
    UniqueFd report;
    if (!options.foreground) {
        // Paths are the caller's; the daemon works in /.
        for (auto* path : {&options.mount_point, &options.log_file, &options.pid_file, &options.state_directory,
                           &options.manifest_directory, &options.driver_directory, &options.player_directory}) {
            if (!path->empty()) {
                *path = std::filesystem::absolute(*path);
            }
        }
        if (const auto checked = check_log_file(options); !checked) {
            log::error(checked.error().text());
            return 1;
        }
        auto daemon = become_daemon();
        if (!daemon) {
            log::error(daemon.error().text());
            return 1;
        }
        report = std::move(*daemon);
    }
    auto supervisor = Supervisor::create(options);
    if (!supervisor) {
        log::error(supervisor.error().text());
        return 1;
    }
    if (!options.pid_file.empty()) {
        std::ofstream(options.pid_file) << ::getpid() << '\n';
    }
    if (report) {
        leave_terminal(options);
        const char good = 0;
        [[maybe_unused]] const auto written = ::write(report.get(), &good, 1);
        report.reset();
    }
    (*supervisor)->run();
    supervisor->reset();
    if (!options.pid_file.empty()) {
        (void)::unlink(options.pid_file.c_str());
    }
    log::info("stopped");
    return 0;
}

// 0: the whole set holds; 1: a layer is missing, or it could not be tried.
int print_sandbox(const Options& options) {
    const auto layers = check_sandbox(options);
    if (!layers) {
        log::error(layers.error().text());
        return 1;
    }
    bool whole = true;
    for (const auto& one : *layers) {
        std::printf("%-18s %s\n", one.name.c_str(), one.status.c_str());
        whole = whole && one.held();
    }
    std::printf("%s\n", whole ? "the sandbox is whole"
                              : "the sandbox is NOT whole; -o require_sandbox would refuse to run drivers");
    return whole ? 0 : 1;
}

int run(int argc, char** argv) {
    log::set_up("plugfsd", LogLevel::info);
    ::umask(022);
    auto options = parse_options(argc, argv);
    if (!options) {
        if (options.error().stage != "command line" || options.error().detail != "see plugfsd --help") {
            log::error(options.error().stage + ": " + options.error().detail);
        }
        return 2;
    }
    if (options->show_help) {
        std::fputs(help_text().c_str(), stdout);
        return 0;
    }
    if (options->show_version) {
        std::printf("plugfsd %s\n", PLUGFS_VERSION);
        return 0;
    }
    log::set_up("plugfsd", options->log_level);
    if (options->check) {
        return print_sandbox(*options);
    }
    return serve(std::move(*options));
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "plugfsd: ended by an exception: %s\n", error.what());
        return 1;
    }
}
