#include "supervisor/sandbox_check.h"

#include "common/worker_contract.h"
#include "supervisor/worker.h"

#include <plugfs/driver.h>  // quoted()

namespace plugfs {

using nlohmann::json;

namespace {
constexpr std::chrono::seconds deadline{10};
}  // namespace

Result<SandboxLayers> check_sandbox(const Options& options) {
    PLUGFS_ASSIGN(const auto loop, EventLoop::create());
    const Sandbox sandbox(options.sandbox);
    WorkerPlan plan;
    plan.label = "check";
    plan.executable = options.driver_directory + "/plugfs-probe";
    if (::geteuid() == 0) {
        plan.user = worker_user(0);
    }
    plan.sandbox = &sandbox;
    plan.start = {{"type", "start"}, {"version", worker::contract_version}};
    SandboxLayers layers;
    std::string words;
    bool told = false;
    Worker::Events events;
    events.message = [&](const json& message) {
        if (message["type"] == "sandbox") {
            const auto found = message.find("layers");
            const auto more = found == message.end() ? SandboxLayers() : layers_from_json(*found);
            layers.insert(layers.end(), more.begin(), more.end());
            told = true;
        }
    };
    events.log_line = [&](const std::string& line) { words += " " + line; };
    events.ended = [&](const std::string& how) {
        words += " (" + how + ")";
        loop->quit();
    };
    PLUGFS_ASSIGN(auto worker, Worker::create(*loop, plan, std::move(events)));
    layers = worker->layers();
    loop->after(deadline, [&] { loop->quit(); });
    loop->run();
    worker.reset();
    if (!told) {
        return fail(EIO, "sandbox check", "plugfs-probe did not say which layers hold:" + words);
    }
    return layers;
}

}  // namespace plugfs
