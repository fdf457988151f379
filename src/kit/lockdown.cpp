#include "kit/lockdown.h"

#include "common/worker_contract.h"
#include "kit/seccomp_filter.h"

#include <linux/landlock.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <functional>

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

constexpr const char* not_supported = "not supported by this kernel";
// The keeper mounts and unmounts; more than that it does not do.
constexpr int keeper_deadline_ms = 10'000;

// Whether the supervisor has told to leave a layer out.
bool left_out(std::string_view name) {
    const char* list = std::getenv(sandbox_without_variable);
    std::string_view rest = list == nullptr ? "" : list;
    while (!rest.empty()) {
        const auto end = rest.find('+');
        if (rest.substr(0, end) == name) {
            return true;
        }
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    return false;
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
        return std::string(not_supported);
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
    return "held (version " + std::to_string(version) + ")";
}

// What is mounted goes; see supervisor/namespaces.h. The descriptor stays open: the keeper ends with it.
Result<std::string> leave_root() {
    const char please = 1;
    int answer = 0;
    if (::send(worker::keeper_fd, &please, 1, MSG_NOSIGNAL) != 1) {
        return std::string("no mount namespace");
    }
    pollfd ready{worker::keeper_fd, POLLIN, 0};
    if (::poll(&ready, 1, keeper_deadline_ms) != 1) {
        return fail(ETIMEDOUT, "keeper");
    }
    if (::read(worker::keeper_fd, &answer, sizeof answer) != sizeof answer) {
        return std::string("the keeper has ended");
    }
    if (answer != 0) {
        return std::string(std::strerror(answer));
    }
    return std::string("held");
}

Result<std::string> filter_system_calls() {
    PLUGFS_TRY(load_seccomp_filter());
    return std::string("held");
}

Result<std::string> filter_more_system_calls() {
    PLUGFS_ASSIGN(const bool loaded, load_running_filter());
    return std::string(loaded ? "held" : left_out(layer::seccomp) ? "there is no first filter" : not_supported);
}

struct Stage {
    const char* name;
    Result<std::string> (*apply)();
};

// The order matters: Landlock and seccomp need no_new_privs, and the filter forbids the calls of the others.
constexpr std::array<Stage, 5> stages = {{
    {layer::no_new_privs, set_no_new_privs},
    {layer::dumpable, set_undumpable},
    {layer::empty_root, leave_root},
    {layer::landlock, deny_file_system},
    {layer::seccomp, filter_system_calls},
}};

Result<SandboxLayer> put_on(const char* name, const std::function<Result<std::string>()>& how) {
    if (left_out(name)) {
        return SandboxLayer{name, "left out, as plugfsd was told"};
    }
    auto status = how();
    if (!status) {
        return fail(status.error().code, std::string("lockdown: ") + name, status.error().text());
    }
    return SandboxLayer{name, std::move(*status)};
}

}  // namespace

Result<SandboxLayers> lock_down() {
    SandboxLayers layers;
    for (const auto& stage : stages) {
        PLUGFS_ASSIGN(auto layer, put_on(stage.name, stage.apply));
        layers.push_back(std::move(layer));
    }
    return layers;
}

Result<SandboxLayers> tighten(usb::Backend* backend) {
    SandboxLayers layers;
    if (backend != nullptr) {
        PLUGFS_ASSIGN(auto layer, put_on(layer::usbfs, [backend] { return backend->give_up_rights(); }));
        layers.push_back(std::move(layer));
    }
    PLUGFS_ASSIGN(auto layer, put_on(layer::seccomp_running, filter_more_system_calls));
    layers.push_back(std::move(layer));
    return layers;
}

}  // namespace plugfs::kit
