#include "supervisor/remote_watch.h"

#include "common/log.h"

#include <algorithm>

namespace plugfs {

using nlohmann::json;

namespace {
constexpr std::chrono::milliseconds first_delay{500};
constexpr std::chrono::milliseconds longest_delay{5000};
constexpr std::chrono::milliseconds probe_deadline{15000};
}  // namespace

RemoteWatch::RemoteWatch(EventLoop& loop, Endpoint endpoint, Settings settings, Found found)
    : loop_(loop), endpoint_(std::move(endpoint)), settings_(std::move(settings)), found_(std::move(found)) {
    settings_.start_message["transport"] = "usbredir";
    connect();
}

RemoteWatch::~RemoteWatch() {
    loop_.cancel(timer_);
}

void RemoteWatch::connect() {
    timer_ = 0;
    connector_ = std::make_unique<Connector>(loop_, endpoint_, [this](Result<UniqueFd> socket) {
        const auto keep = std::move(connector_);
        if (socket) {
            probe(std::move(*socket));
        } else {
            try_later(socket.error().text());
        }
    });
}

void RemoteWatch::probe(UniqueFd socket) {
    identity_.reset();
    WorkerPlan plan;
    plan.label = endpoint_.text;
    plan.executable = settings_.probe;
    plan.device = socket.get();
    plan.user = settings_.user;
    plan.sandbox = settings_.sandbox;
    plan.start = settings_.start_message;
    Worker::Events events;
    events.message = [this](const json& message) {
        if (message["type"] == "identity") {
            if (auto identity = identity_from_json(message)) {
                identity_ = std::move(*identity);
            } else {
                log::warning(endpoint_.text + ": " + identity.error().text());
            }
        }
    };
    events.log_line = [this](const std::string& line) { log::info(endpoint_.text + ": " + line); };
    events.ended = [this](const std::string& how) { probe_ended(how); };
    auto worker = Worker::create(loop_, plan, std::move(events));
    if (!worker) {
        try_later(worker.error().text());
        return;
    }
    probe_ = std::move(*worker);
    timer_ = loop_.after(probe_deadline, [this] {
        timer_ = 0;
        probe_->kill();
    });
}

void RemoteWatch::probe_ended(const std::string& how) {
    loop_.cancel(timer_);
    timer_ = 0;
    probe_.reset();
    const auto identity = std::exchange(identity_, std::nullopt);
    if (!identity) {
        try_later("the device did not say who it is (probe: " + how + ")");
    } else if (!found_(endpoint_, *identity)) {
        try_later("no driver for " + stable_id(*identity, "") + plugfs::quoted(identity->product));
    } else {
        looking_ = false;
        attempts_ = 0;
        last_problem_.clear();
    }
}

void RemoteWatch::try_later(const std::string& why) {
    if (why != last_problem_) {
        log::info(endpoint_.text + ": " + why + "; trying again");
        last_problem_ = why;
    }
    const auto delay = std::min(longest_delay, first_delay * (1U << std::min(attempts_, 4U)));
    ++attempts_;
    timer_ = loop_.after(delay, [this] { connect(); });
}

void RemoteWatch::device_gone() {
    if (std::exchange(looking_, true)) {
        return;
    }
    loop_.cancel(timer_);
    attempts_ = 0;
    timer_ = loop_.after(first_delay, [this] { connect(); });
}

}  // namespace plugfs
