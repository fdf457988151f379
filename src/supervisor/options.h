// plugfsd's command line.
#pragma once

#include "supervisor/endpoint.h"
#include "supervisor/manifest.h"
#include "supervisor/recovery_options.h"
#include "supervisor/sandbox_options.h"

#include <plugfs/driver.h>
#include <plugfs/result.h>

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace plugfs {

struct Options {
    std::string mount_point;
    bool foreground = false;
    bool allow_other = false;
    bool read_only = false;
    std::optional<uid_t> uid;  // owner of the files; ourselves unless given
    std::optional<gid_t> gid;
    mode_t umask = 022;
    unsigned demo_players = 0;  // virtual players to start
    std::vector<Endpoint> endpoints;
    std::string manifest_directory;
    std::string driver_directory;
    std::string player_directory;  // of media-player-info's descriptions
    std::string state_directory;
    std::string log_file;  // daemon only; empty: the system log
    std::string pid_file;
    LogLevel log_level = LogLevel::info;
    RecoveryOptions recovery;
    SandboxOptions sandbox;
    std::map<std::string, std::int64_t> driver_options;  // what drivers are told (Host::option())
    std::vector<ClaimRule> claims;
    bool local_devices = true;
    bool check = false;  // print which layers of the sandbox hold here, and end
    bool show_help = false;
    bool show_version = false;
};

// EINVAL with what is wrong and what to do.
[[nodiscard]] Result<Options> parse_options(int argc, char** argv);

[[nodiscard]] std::string help_text();

}  // namespace plugfs
