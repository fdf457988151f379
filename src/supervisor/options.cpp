#include "supervisor/options.h"

#include "common/log.h"
#include "supervisor/claim_policy.h"
#include "supervisor/install_paths.h"
#include "supervisor/player_descriptions.h"

#include <getopt.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <limits>

namespace plugfs {

namespace {

enum Option : int {
    option_demo = 256,
    option_attach,
    option_manifests,
    option_drivers,
    option_players,
    option_state,
    option_log_file,
    option_log_level,
    option_pid_file,
    option_no_local,
    option_check,
    option_claim,
};

constexpr option long_options[] = {
    {"help", no_argument, nullptr, 'h'},
    {"version", no_argument, nullptr, 'V'},
    {"foreground", no_argument, nullptr, 'f'},
    {"demo", optional_argument, nullptr, option_demo},
    {"attach", required_argument, nullptr, option_attach},
    {"no-local", no_argument, nullptr, option_no_local},
    {"check", no_argument, nullptr, option_check},
    {"claim", required_argument, nullptr, option_claim},
    {"manifests", required_argument, nullptr, option_manifests},
    {"drivers", required_argument, nullptr, option_drivers},
    {"players", required_argument, nullptr, option_players},
    {"state-dir", required_argument, nullptr, option_state},
    {"log-file", required_argument, nullptr, option_log_file},
    {"log-level", required_argument, nullptr, option_log_level},
    {"pid-file", required_argument, nullptr, option_pid_file},
    {nullptr, 0, nullptr, 0},
};

constexpr unsigned demo_limit = 100;

template <class Number>
Result<Number> parse_number(const std::string& what, std::string_view text, int base, Number limit) {
    Number value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (text.empty() || error != std::errc() || end != text.data() + text.size() || value > limit) {
        return fail(EINVAL, what, plugfs::quoted(text) + " is no number that fits");
    }
    return value;
}

// Seconds with up to three decimals: "2", "0.5".
Result<std::chrono::milliseconds> parse_seconds(const std::string& what, std::string_view text) {
    constexpr double longest = 86'400;
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size() || !(value >= 0 && value <= longest)) {
        return fail(EINVAL, what, plugfs::quoted(text) + " is no number of seconds up to a day");
    }
    return std::chrono::milliseconds(static_cast<std::int64_t>(value * 1000));
}

// -o crash_limit=5/60: crashes, and seconds; 0: no limit.
Result<void> parse_crash_limit(std::string_view value, RecoveryOptions& recovery) {
    const auto slash = value.find('/');
    PLUGFS_ASSIGN(recovery.crash_limit, parse_number<unsigned>("-o crash_limit", value.substr(0, slash), 10, 100));
    if (slash != std::string_view::npos) {
        PLUGFS_ASSIGN(const auto seconds,
                      parse_number<unsigned>("-o crash_limit", value.substr(slash + 1), 10, 86'400));
        recovery.crash_window = std::chrono::seconds(seconds);
    }
    return {};
}

Result<void> parse_recovery_option(std::string_view name, std::string_view value, RecoveryOptions& recovery) {
    if (name == "recovery" && (value == "takeover" || value == "remount")) {
        recovery.takeover = value == "takeover";
    } else if (name == "crash_limit") {
        return parse_crash_limit(value, recovery);
    } else if (name == "grace") {
        PLUGFS_ASSIGN(recovery.grace, parse_seconds("-o grace", value));
    } else if (name == "hang_time") {
        PLUGFS_ASSIGN(recovery.hang_time, parse_seconds("-o hang_time", value));
    } else if (name == "recovery") {
        return fail(EINVAL, "-o recovery", "takeover or remount, not " + plugfs::quoted(value));
    } else {
        return fail(EINVAL, "-o " + std::string(name), "no such option; see plugfsd --help");
    }
    return {};
}

// -o sandbox_without=landlock+seccomp
Result<void> parse_left_out(std::string_view list, SandboxOptions& sandbox) {
    while (!list.empty()) {
        const auto end = list.find('+');
        const std::string name(list.substr(0, end));
        if (std::find(layer::all.begin(), layer::all.end(), name) == layer::all.end()) {
            return fail(EINVAL, "-o sandbox_without",
                        "no layer " + plugfs::quoted(name) + "; plugfsd --check lists them");
        }
        sandbox.without.insert(name);
        list.remove_prefix(end == std::string_view::npos ? list.size() : end + 1);
    }
    return {};
}

Result<void> parse_sandbox_option(std::string_view name, std::string_view value, SandboxOptions& sandbox) {
    if (name == "require_sandbox") {
        sandbox.required = true;
    } else if (name == "sandbox_without") {
        return parse_left_out(value, sandbox);
    } else if (value == "off" || value == "on") {
        sandbox.off = value == "off";
    } else {
        return fail(EINVAL, "-o sandbox", "on or off, not " + plugfs::quoted(value));
    }
    return {};
}

Result<void> parse_mount_option(std::string_view word, Options& options) {
    const auto equals = word.find('=');
    const auto name = word.substr(0, equals);
    const auto value = equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1);
    if (word == "allow_other") {
        options.allow_other = true;
    } else if (word == "ro" || word == "rw") {
        options.read_only = word == "ro";
    } else if (word == "raw_write") {
        options.driver_options["raw_write"] = 1;
    } else if (name == "uid") {
        PLUGFS_ASSIGN(options.uid, parse_number<uid_t>("-o uid", value, 10, std::numeric_limits<uid_t>::max() - 1));
    } else if (name == "gid") {
        PLUGFS_ASSIGN(options.gid, parse_number<gid_t>("-o gid", value, 10, std::numeric_limits<gid_t>::max() - 1));
    } else if (name == "umask") {
        PLUGFS_ASSIGN(options.umask, parse_number<mode_t>("-o umask", value, 8, 0777));
    } else if (name == "sandbox" || name == "sandbox_without" || word == "require_sandbox") {
        return parse_sandbox_option(name, value, options.sandbox);
    } else {
        return parse_recovery_option(name, value, options.recovery);
    }
    return {};
}

Result<void> parse_mount_options(std::string_view list, Options& options) {
    while (!list.empty()) {
        const auto comma = list.find(',');
        PLUGFS_TRY(parse_mount_option(list.substr(0, comma), options));
        list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    }
    return {};
}

Result<void> take(int which, Options& options) {
    const std::string value = optarg != nullptr ? optarg : "";
    switch (which) {
        case 'h':
            options.show_help = true;
            break;
        case 'V':
            options.show_version = true;
            break;
        case 'f':
            options.foreground = true;
            break;
        case 'o':
            return parse_mount_options(value, options);
        case option_demo:
            options.demo_players = 1;
            if (!value.empty()) {
                PLUGFS_ASSIGN(options.demo_players, parse_number<unsigned>("--demo", value, 10, demo_limit));
            }
            break;
        case option_attach: {
            PLUGFS_ASSIGN(auto endpoint, parse_endpoint(value));
            options.endpoints.push_back(std::move(endpoint));
            break;
        }
        case option_claim: {
            PLUGFS_ASSIGN(auto rule, parse_claim_rule(value));
            options.claims.push_back(std::move(rule));
            break;
        }
        case option_no_local:
            options.local_devices = false;
            break;
        case option_check:
            options.check = true;
            break;
        case option_manifests:
            options.manifest_directory = value;
            break;
        case option_players:
            options.player_directory = value;
            break;
        case option_drivers:
            options.driver_directory = value;
            break;
        case option_state:
            options.state_directory = value;
            break;
        case option_log_file:
            options.log_file = value;
            break;
        case option_pid_file:
            options.pid_file = value;
            break;
        case option_log_level:
            if (!log::parse_level(value, options.log_level)) {
                return fail(EINVAL, "--log-level " + value, "expected debug, info, warning or error");
            }
            break;
        default:
            return fail(EINVAL, "command line", "see plugfsd --help");
    }
    return {};
}

std::string default_state_directory() {
    if (::geteuid() == 0) {
        return "/var/lib/plugfs";
    }
    if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/') {
        return std::string(state) + "/plugfs";
    }
    const char* home = std::getenv("HOME");
    return home != nullptr && *home == '/' ? std::string(home) + "/.local/state/plugfs" : std::string();
}

}  // namespace

Result<Options> parse_options(int argc, char** argv) {
    Options options;
    options.manifest_directory = installed_manifest_directory();
    options.driver_directory = installed_driver_directory();
    options.player_directory = player_description_directory;
    options.state_directory = default_state_directory();
    optind = 1;
    int which = 0;
    while ((which = ::getopt_long(argc, argv, "hVfo:", long_options, nullptr)) != -1) {
        PLUGFS_TRY(take(which, options));
    }
    if (options.sandbox.required && !options.sandbox.whole()) {
        return fail(EINVAL, "-o require_sandbox", "contradicts -o sandbox=off and -o sandbox_without");
    }
    if (options.show_help || options.show_version || options.check) {
        return options;
    }
    if (optind + 1 != argc) {
        return fail(EINVAL, "command line",
                    optind == argc ? "no mount point given; see plugfsd --help" : "more than one mount point given");
    }
    options.mount_point = argv[optind];
    return options;
}

std::string help_text() {
    return R"(Usage: plugfsd [options] MOUNTPOINT
Serves every USB media device that is plugged in as a folder under MOUNTPOINT.

  -f, --foreground       stay in the foreground and log to standard error
      --demo[=COUNT]     start virtual players (1 unless told) with a few tracks, and serve them too
      --attach ENDPOINT  serve a device of another machine over usbredir; again for more
                         (unix:PATH or tcp:HOST:PORT; no authentication: keep to a tunnel)
      --no-local         leave the devices that are plugged in here alone
      --claim RULE       never, unused (the default) or always: whether a device that nobody uses is taken from the
                         kernel's driver; for some: always:VENDOR[:PRODUCT], never:class=N; again for more
  -o OPTION[,OPTION...]  allow_other    let other users in
                         ro             read only, whatever the drivers can do
                         raw_write      disk images of sticks can be written to
                         uid=N, gid=N   owner of the files
                         umask=MODE     permissions to take away (octal, 022)
                         recovery=remount  mount anew after a crash instead of taking over
                         crash_limit=N/S   leave a device alone after N crashes in S seconds (5/60; 0: never)
                         grace=S        wait so long for an unplugged device to come back (5)
                         hang_time=S    a driver without a sign of life for so long is replaced (2)
                         require_sandbox  run no driver that lacks a layer of the sandbox
                         sandbox=off    run drivers without it; for tests and debuggers
      --check            print which layers of the sandbox hold on this machine, and end
      --manifests DIR    where drivers say which devices they are for
      --drivers DIR      where driver programs are
      --players DIR      where players that are disks are described (/usr/share/media-player-info)
      --state-dir DIR    where names of devices are remembered
      --log-file FILE    log there instead of to the system log (not with -f)
      --log-level LEVEL  debug, info, warning or error
      --pid-file FILE    write the process number there
  -h, --help, -V, --version

Examples:
  plugfsd /mnt/devices                         serve what is plugged in (as root)
  plugfsd -f --demo ~/devices                  try it without a device, as yourself
  plugfsd --attach tcp:127.0.0.1:4000 ~/devices
                                               a device that `usbredirect` exports
  ls ~/devices/*/storage/*                     what is on it
  cat ~/devices/.control/*/state               how its driver is
  tail -f ~/devices/.control/events            what happens
  kill PID                                     (SIGTERM) or Ctrl-C: unmount everything and end

See plugfsd(8).
)";
}

}  // namespace plugfs
