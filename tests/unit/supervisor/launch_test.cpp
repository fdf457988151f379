#include "supervisor/launch.h"

#include "supervisor/event_loop.h"
#include "supervisor/run_command.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/wait.h>

#include <doctest/doctest.h>

#include <array>

using namespace plugfs;

namespace {

std::string output_of(LaunchPlan plan, std::string& how) {
    int ends[2] = {-1, -1};
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    plan.descriptors.emplace_back(write_end.get(), 1);
    auto process = launch(plan);
    REQUIRE(process.ok());
    write_end.reset();
    std::string text;
    std::array<char, 4096> buffer{};
    for (ssize_t length = 0; (length = ::read(read_end.get(), buffer.data(), buffer.size())) > 0;) {
        text.append(buffer.data(), static_cast<std::size_t>(length));
    }
    pollfd ready{process->pidfd.get(), POLLIN, 0};
    REQUIRE(::poll(&ready, 1, 10'000) == 1);
    how = reap(*process);
    if (process->keeper) {
        // It has nothing to do once the other end of its socket has closed.
        siginfo_t info{};
        CHECK(::waitid(P_PIDFD, static_cast<id_t>(process->keeper.get()), &info, WEXITED) == 0);
    }
    return text;
}

}  // namespace

TEST_CASE("a program gets the descriptors of the plan and no others") {
    LaunchPlan plan;
    plan.executable = "/bin/sh";
    plan.arguments = {"-c", "for f in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$f ] && printf '%s ' $f; done; exit 3"};
    const UniqueFd extra(::open("/dev/null", O_RDONLY));
    plan.descriptors = {{extra.get(), 6}};
    std::string how;
    CHECK(output_of(plan, how) == "0 1 6 ");
    CHECK(how == "exit status 3");
}

TEST_CASE("a program that cannot be started names the stage") {
    LaunchPlan plan;
    plan.executable = "/nowhere/plugfs-none";
    auto process = launch(plan);
    REQUIRE_FALSE(process.ok());
    CHECK(process.error().code == ENOENT);
    plan.executable = "/etc/passwd";
    process = launch(plan);
    REQUIRE_FALSE(process.ok());
    CHECK(process.error().stage == "launch: exec");
}

TEST_CASE("as root a worker becomes a user of its own") {
    if (::geteuid() != 0) {
        return;
    }
    LaunchPlan plan;
    plan.executable = "/bin/sh";
    plan.arguments = {"-c", "id -u; id -g; id -G; kill -SEGV $$"};
    plan.user = worker_user(5);
    std::string how;
    const auto number = std::to_string(worker_user(5)) + "\n";
    CHECK(output_of(plan, how) == number + number + number);
    CHECK(how.starts_with("signal 11"));
}

TEST_CASE("in namespaces of its own a program is not the first process, and has another's view of none") {
    LaunchPlan plan;
    plan.executable = "/bin/sh";
    plan.arguments = {"-c", "echo $$; readlink /proc/$PPID/ns/net || echo none; exit 4"};
    plan.namespaces = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET;
    std::string how;
    const std::string said = output_of(plan, how);
    CHECK(how == "exit status 4");
    if (said.starts_with("2\n")) {  // where the kernel permits it
        CHECK(said == "2\nnone\n");
    }
}

TEST_CASE("a program that cannot be started in namespaces names the stage, too") {
    LaunchPlan plan;
    plan.executable = "/etc/passwd";
    plan.namespaces = CLONE_NEWPID | CLONE_NEWNS;
    const auto process = launch(plan);
    REQUIRE_FALSE(process.ok());
    CHECK(process.error().stage == "launch: exec");
}

TEST_CASE("run_command() returns the output, or says why there is none") {
    const auto soon = Deadline::after(std::chrono::seconds(10));
    CHECK(*run_command({{"sh", "-c", "echo hello"}, -1, ""}, soon) == "hello\n");
    const auto failed = run_command({{"sh", "-c", "echo no good >&2; exit 1"}, -1, ""}, soon);
    CHECK(failed.error().detail == "no good");
    CHECK(run_command({{"plugfs-no-such-program"}, -1, ""}, soon).error().code == ENOENT);
    CHECK(run_command({{"sleep", "60"}, -1, ""}, Deadline::after(std::chrono::milliseconds(50))).error().code ==
          ETIMEDOUT);
}

TEST_CASE("the event loop: timers in order, watches removed from inside") {
    auto loop = EventLoop::create();
    REQUIRE(loop.ok());
    std::string order;
    const auto cancelled = (*loop)->after(std::chrono::milliseconds(1), [&] { order += 'x'; });
    (*loop)->after(std::chrono::milliseconds(20), [&] {
        order += 'c';
        (*loop)->quit();
    });
    (*loop)->after(std::chrono::milliseconds(5), [&] { order += 'b'; });
    (*loop)->cancel(cancelled);
    int ends[2] = {-1, -1};
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const UniqueFd read_end(ends[0]);
    const UniqueFd write_end(ends[1]);
    REQUIRE(::write(write_end.get(), "!", 1) == 1);
    (*loop)->watch(read_end.get(), [&] {
        order += 'a';
        (*loop)->unwatch(read_end.get());
    });
    (*loop)->run();
    CHECK(order == "abc");
}
