#include "supervisor/sandbox.h"

#include "supervisor/log_limit.h"
#include "supervisor/options.h"

#include <nlohmann/json.hpp>

#include <doctest/doctest.h>

#include <sched.h>

using namespace plugfs;
using nlohmann::json;

namespace {

Result<Options> options_of(std::vector<std::string> words) {
    words.insert(words.begin(), "plugfsd");
    std::vector<char*> pointers;
    for (auto& word : words) {
        pointers.push_back(word.data());
    }
    return parse_options(static_cast<int>(pointers.size()), pointers.data());
}

}  // namespace

TEST_CASE("options say how much of the sandbox there is") {
    const auto some = options_of({"-o", "sandbox_without=landlock+seccomp", "/mnt"});
    REQUIRE(some.ok());
    CHECK_FALSE(some->sandbox.has(layer::landlock));
    CHECK(some->sandbox.has(layer::user));
    CHECK(some->sandbox.left_out() == "landlock+seccomp");
    CHECK_FALSE(some->sandbox.whole());
    const auto none = options_of({"-o", "sandbox=off", "/mnt"});
    REQUIRE(none.ok());
    CHECK_FALSE(none->sandbox.has(layer::user));
    CHECK(options_of({"-o", "require_sandbox", "/mnt"})->sandbox.required);
    CHECK(options_of({"--check"})->check);
    CHECK(options_of({"-o", "sandbox_without=walls", "/mnt"}).error().code == EINVAL);
    CHECK(options_of({"-o", "sandbox=maybe", "/mnt"}).error().code == EINVAL);
    CHECK(options_of({"-o", "require_sandbox,sandbox=off", "/mnt"}).error().code == EINVAL);
    CHECK(options_of({"-o", "require_sandbox,sandbox_without=user", "/mnt"}).error().code == EINVAL);
}

TEST_CASE("what a worker says of its layers is cut, made safe, and known ones only") {
    const auto layers = layers_from_json({{"landlock", "held (version 7)"},
                                          {"seccomp", std::string(1000, 'x')},
                                          {"empty_root", "a\x1b[2Jb"},
                                          {"unknown", "held"},
                                          {"dumpable", 1}});
    REQUIRE(layers.size() == 3);
    CHECK(layers_text(layers).starts_with("empty_root: a?[2Jb\nlandlock: held (version 7)\nseccomp: xxx"));
    CHECK(layers_text(layers).size() < 250);
    CHECK(layers_from_json(json::array()).empty());
    CHECK(layers_from_json("held").empty());
}

TEST_CASE("missing layers are those that do not hold and those that nobody has spoken of") {
    SandboxLayers layers;
    for (const auto* name : layer::all) {
        layers.push_back({name, "held"});
    }
    CHECK(missing_layers(layers).empty());
    layers.front().status = "root";
    layers.pop_back();
    CHECK(missing_layers(layers) == std::string(layers.front().name) + " (root), seccomp_running (not reported)");
}

TEST_CASE("with require_sandbox a namespace that the kernel does not give is an error that names it") {
    SandboxOptions options;
    options.required = true;
    const Sandbox sandbox(options);
    LaunchPlan plan;
    const auto around = sandbox.surround(plan, worker_user(1));
    CHECK((plan.namespaces & CLONE_NEWPID) != 0);
    Process process;
    process.namespaces = plan.namespaces & ~static_cast<namespaces::Set>(CLONE_NEWNET);
    const auto layers = sandbox.layers(around, plan, process);
    REQUIRE_FALSE(layers.ok());
    CHECK(layers.error().code == EPERM);
    CHECK(layers.error().detail.starts_with("network_namespace"));
    process.namespaces = plan.namespaces;
    CHECK(sandbox.layers(around, plan, process).ok());
}

TEST_CASE("a driver's lines beyond the limit stay out of the common log until the next period") {
    LogLimit limit(3, std::chrono::hours(1));
    CHECK(limit.admits());
    CHECK(limit.admits());
    CHECK(limit.admits());
    CHECK_FALSE(limit.admits());
    CHECK(limit.first_refused());
    CHECK_FALSE(limit.admits());
    CHECK_FALSE(limit.first_refused());
    LogLimit none(1, std::chrono::milliseconds(0));
    CHECK(none.admits());
    CHECK(none.admits());
}
