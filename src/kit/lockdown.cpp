#include "kit/lockdown.h"

#include "kit/seccomp_filter.h"

#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace plugfs::kit {

namespace {

// Debian 12's headers know Landlock's first two versions; the kernel may know more.
// Documentation/userspace-api/landlock.rst
struct RulesetAttributes {
    std::uint64_t handled_access_fs;
    std::uint64_t handled_access_net;  // since version 4
    std::uint64_t scoped;              // since version 6
};

// How many rights each version knows: file system, network (TCP bind, connect), scopes (abstract sockets, signals).
struct LandlockVersion {
    int fs_bits;
    int net_bits;
    int scope_bits;
    std::size_t size;
};
constexpr std::array<LandlockVersion, 7> landlock_versions = {{
    {0, 0, 0, 0},
    {13, 0, 0, 8},
    {14, 0, 0, 8},
    {15, 0, 0, 8},
    {15, 2, 0, 16},
    {16, 2, 0, 16},
    {16, 2, 2, 24},
}};

constexpr std::uint64_t low_bits(int count) {
    return (std::uint64_t{1} << static_cast<unsigned>(count)) - 1;
}

const char* not_supported() {
    return "not supported by this kernel";
}

Result<std::string> set_no_new_privs() {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return fail(errno, "prctl PR_SET_NO_NEW_PRIVS");
    }
    return std::string("held");
}

Result<std::string> set_undumpable() {
    // No core dump, no ptrace by others of the same user, no look into /proc/PID/mem.
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return fail(errno, "prctl PR_SET_DUMPABLE");
    }
    return std::string("held");
}

Result<std::string> deny_file_system() {
    const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) {
        return std::string(not_supported());
    }
    const auto& known =
        landlock_versions[std::min<std::size_t>(static_cast<std::size_t>(version), landlock_versions.size() - 1)];
    const RulesetAttributes attributes{low_bits(known.fs_bits), low_bits(known.net_bits), low_bits(known.scope_bits)};
    // No rule is added: everything that is handled is denied.
    const int ruleset = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, known.size, 0));
    if (ruleset < 0) {
        return fail(errno, "landlock_create_ruleset");
    }
    const long status = ::syscall(SYS_landlock_restrict_self, ruleset, 0);
    const int error = errno;
    ::close(ruleset);
    if (status != 0) {
        return fail(error, "landlock_restrict_self");
    }
    return std::string("held");
}

Result<std::string> filter_system_calls() {
    PLUGFS_TRY(load_seccomp_filter());
    return std::string("held");
}

struct Stage {
    const char* name;
    Result<std::string> (*apply)();
};

// The order matters: Landlock and seccomp need no_new_privs, and the filter forbids the calls of the others.
constexpr std::array<Stage, 4> stages = {{
    {"no_new_privs", set_no_new_privs},
    {"dumpable", set_undumpable},
    {"landlock", deny_file_system},
    {"seccomp", filter_system_calls},
}};

}  // namespace

Result<std::vector<Layer>> lock_down() {
    std::vector<Layer> layers;
    for (const auto& stage : stages) {
        auto status = stage.apply();
        if (!status) {
            return fail(status.error().code, std::string("lockdown: ") + stage.name, status.error().text());
        }
        layers.push_back({stage.name, std::move(*status)});
    }
    return layers;
}

}  // namespace plugfs::kit
