#include "supervisor/sandbox.h"

#include "common/log.h"

#include <sched.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace plugfs {

using nlohmann::json;

namespace {

constexpr std::size_t locked_memory = std::size_t{64} << 20U;
// A driver that leaks or is told to allocate without end meets this, not the whole machine. A million files take 300
// MiB.
constexpr std::size_t data_memory = std::size_t{1} << 30U;
// With the vault, the spool's pages in the kernel's cache, and what the kernel holds for it.
constexpr std::uint64_t group_memory = std::uint64_t{1536} << 20U;
constexpr unsigned thread_limit = 32;
constexpr std::size_t status_limit = 120;

struct Namespace {
    const char* name;
    namespaces::Set bit;
};
constexpr std::array all_namespaces = {
    Namespace{layer::pid_namespace, CLONE_NEWPID},     Namespace{layer::mount_namespace, CLONE_NEWNS},
    Namespace{layer::network_namespace, CLONE_NEWNET}, Namespace{layer::ipc_namespace, CLONE_NEWIPC},
    Namespace{layer::uts_namespace, CLONE_NEWUTS},     Namespace{layer::cgroup_namespace, CLONE_NEWCGROUP}};

constexpr const char* left_out = "left out, as plugfsd was told";

}  // namespace

Sandbox::Sandbox(SandboxOptions options) : options_(std::move(options)) {
    if (options_.off) {
        log::warning(
            "SANDBOX OFF (-o sandbox=off): drivers run with all rights of plugfsd; for tests and debuggers only");
    } else if (!options_.without.empty()) {
        log::warning("SANDBOX INCOMPLETE (-o sandbox_without): without " + options_.left_out());
    }
    if (options_.has(layer::memory)) {
        auto groups = MemoryGroups::create();
        if (groups) {
            groups_ = std::move(*groups);
        } else {
            no_groups_ = groups.error().stage + " " + groups.error().detail;
            log::debug("no memory groups: " + groups.error().text());
        }
    }
}

Sandbox::Around Sandbox::surround(LaunchPlan& plan, std::optional<uid_t> user) const {
    Around around;
    plan.no_new_privs = options_.has(layer::no_new_privs);
    if (options_.has(layer::user)) {
        plan.user = user;
    }
    // As an ordinary user it shares the number of its processes with everything else that the user runs.
    plan.processes = plan.user ? thread_limit : 0;
    plan.locked_memory = locked_memory;
    plan.data_memory = options_.has(layer::limits) ? data_memory : 0;
    plan.open_files = options_.has(layer::limits) ? plan.open_files : 0;
    for (const auto& one : all_namespaces) {
        plan.namespaces |= options_.has(one.name) ? one.bit : 0;
    }
    if (groups_ != nullptr) {
        auto group = groups_->add(group_memory, thread_limit);
        if (group) {
            around.memory = std::move(*group);
            plan.memory_group = around.memory->processes();
        } else {
            around.memory_problem = group.error().text();
        }
    }
    const std::string without = options_.left_out();
    if (!without.empty()) {
        plan.environment.push_back(std::string(sandbox_without_variable) + "=" + without);
    }
    return around;
}

Result<SandboxLayers> Sandbox::layers(const Around& around, const LaunchPlan& plan, const Process& process) const {
    SandboxLayers layers;
    const auto add = [&](const char* name, const std::string& status) {
        layers.push_back({name, options_.has(name) ? status : left_out});
    };
    add(layer::user, plan.user          ? "held (" + std::to_string(*plan.user) + ")"
                     : ::geteuid() == 0 ? "root"
                                        : "held (" + std::to_string(::geteuid()) + ", without capabilities)");
    for (const auto& one : all_namespaces) {
        add(one.name, (process.namespaces & one.bit) != 0 ? "held" : "not permitted by this kernel or its settings");
    }
    add(layer::limits, "held (" + std::to_string(data_memory >> 20U) + " MiB of memory)");
    const auto& problem = around.memory_problem.empty() ? no_groups_ : around.memory_problem;
    add(layer::memory, around.memory ? "held (" + std::to_string(group_memory >> 20U) + " MiB)"
                                     : "held (by the limits alone: " + problem + ")");
    for (const auto& one : layers) {
        if (options_.required && !one.held()) {
            return fail(EPERM, "sandbox", one.name + ": " + one.status + "; -o require_sandbox was given");
        }
    }
    return layers;
}

SandboxLayers layers_from_json(const json& object) {
    SandboxLayers layers;
    for (const auto* name : layer::all) {
        const auto found = object.is_object() ? object.find(name) : object.end();
        if (found == object.end() || !found->is_string()) {
            continue;
        }
        std::string status = found->get<std::string>().substr(0, status_limit);
        std::replace_if(
            status.begin(), status.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
        layers.push_back({name, std::move(status)});
    }
    return layers;
}

std::string missing_layers(const SandboxLayers& layers) {
    std::string missing;
    for (const auto* name : layer::all) {
        const auto found =
            std::find_if(layers.begin(), layers.end(), [&](const auto& one) { return one.name == name; });
        if (found == layers.end() || !found->held()) {
            missing += (missing.empty() ? "" : ", ") + std::string(name) + " (" +
                       (found == layers.end() ? "not reported" : found->status) + ")";
        }
    }
    return missing;
}

std::string layers_text(const SandboxLayers& layers) {
    std::string text;
    for (const auto* name : layer::all) {
        const auto found =
            std::find_if(layers.begin(), layers.end(), [&](const auto& one) { return one.name == name; });
        if (found != layers.end()) {
            text += found->name + ": " + found->status + "\n";
        }
    }
    return text;
}

}  // namespace plugfs
