#include "supervisor/worker.h"

#include "supervisor/event_loop.h"

#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

using namespace plugfs;

namespace {

constexpr std::chrono::seconds limit{10};

// A process that traces another until it is killed, and never waits for it.
class CarelessTracer {
  public:
    explicit CarelessTracer(pid_t traced) {
        int ends[2] = {-1, -1};
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        const UniqueFd read_end(ends[0]);
        UniqueFd write_end(ends[1]);
        pid_ = ::fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            const char traces = ::ptrace(PTRACE_SEIZE, traced, nullptr, nullptr) == 0 ? 'y' : 'n';
            (void)::write(write_end.get(), &traces, 1);
            while (true) {
                ::pause();
            }
        }
        write_end.reset();
        char answer = 0;
        REQUIRE(::read(read_end.get(), &answer, 1) == 1);
        traces_ = answer == 'y';
    }
    ~CarelessTracer() { end(); }
    CarelessTracer(const CarelessTracer&) = delete;
    CarelessTracer& operator=(const CarelessTracer&) = delete;

    [[nodiscard]] bool traces() const { return traces_; }
    void end() {
        if (pid_ > 0) {
            (void)::kill(pid_, SIGKILL);
            (void)::waitpid(pid_, nullptr, 0);
            pid_ = -1;
        }
    }

  private:
    pid_t pid_ = -1;
    bool traces_ = false;
};

}  // namespace

TEST_CASE("a worker that ends while somebody traces it has ended, and is reaped when the tracer lets go") {
    auto loop = EventLoop::create();
    REQUIRE(loop.ok());
    const Sandbox none({.off = true, .required = false, .without = {}});
    WorkerPlan plan;
    plan.label = "test";
    plan.executable = "/usr/bin/yes";  // writes lines until it is killed
    plan.sandbox = &none;

    std::unique_ptr<Worker> worker;
    std::optional<CarelessTracer> tracer;
    std::filesystem::path entry;
    std::string how;
    const std::function<void()> look = [&] {
        if (std::filesystem::exists(entry)) {
            (*loop)->after(std::chrono::milliseconds(50), look);
        } else {
            (*loop)->quit();
        }
    };
    const auto ended = [&](const std::string& end) {
        how = end;
        CHECK(std::filesystem::exists(entry));
        worker.reset();
        tracer->end();
        look();
    };
    auto created = Worker::create(**loop, plan, {[](const nlohmann::json&) {}, [](const std::string&) {}, ended});
    REQUIRE(created.ok());
    worker = std::move(*created);
    entry = "/proc/" + std::to_string(worker->pid());
    tracer.emplace(worker->pid());
    if (!tracer->traces()) {
        MESSAGE("not possible here: ptrace(2) is not allowed");
        return;
    }
    worker->kill();
    (*loop)->after(limit, [&] { (*loop)->quit(); });
    (*loop)->run();
    CHECK(how == "its exit status is still with a tracer");
    CHECK_FALSE(std::filesystem::exists(entry));
}
