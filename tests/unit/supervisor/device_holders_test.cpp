#include "supervisor/device_holders.h"

#include "../temporary_folder.h"
#include "common/unique_fd.h"
#include "supervisor/mount.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <future>
#include <thread>

using namespace plugfs;

TEST_CASE("who has a file open is found, this process excepted") {
    const test::TemporaryFolder folder;
    const std::string path = folder.path() / "node";
    std::ofstream(path) << "x";
    const UniqueFd ours(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(ours);
    CHECK(device_holders(path).empty());
    CHECK(device_holders(folder.path() / "not there").empty());

    int ready[2] = {-1, -1};
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::close(ready[0]);
        (void)::open(path.c_str(), O_RDWR);
        (void)::write(ready[1], "x", 1);
        ::pause();
        ::_exit(0);
    }
    ::close(ready[1]);
    char byte = 0;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    ::close(ready[0]);
    // The child has what we had open besides: it is named once.
    const auto holders = device_holders(path);
    (void)::kill(child, SIGKILL);
    (void)::waitpid(child, nullptr, 0);
    REQUIRE(holders.size() == 1);
    CHECK(holders[0].pid == child);
    CHECK(holders[0].user == ::getuid());
    CHECK(holders[0].name.substr(0, 5) == "test_");
    CHECK(holders_text(holders).find("process " + std::to_string(child)) != std::string::npos);
    CHECK(device_holders(path).empty());
}

TEST_CASE("files of a mount that nobody serves are not touched") {
    const test::TemporaryFolder folder;
    const test::TemporaryFolder other;
    const std::string unused = other.path() / "unused";
    std::ofstream(unused) << "x";
    MountOptions options;
    options.subtype = "plugfs-test";
    auto fuse = mount_fuse(folder.path(), options);
    if (!fuse) {
        MESSAGE("no FUSE here: ", fuse.error().text());
        return;
    }
    // A child has it open; whoever asks the mount for anything waits until its descriptor is closed.
    int ready[2] = {-1, -1};
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::close(fuse->get());
        (void)::open(folder.path().c_str(), O_PATH);
        (void)::write(ready[1], "x", 1);
        ::pause();
        ::_exit(0);
    }
    char byte = 0;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    std::atomic<bool> waited = false;
    std::promise<void> done;
    std::thread rescue([&, end = done.get_future()] {
        waited = end.wait_for(std::chrono::seconds(20)) == std::future_status::timeout;
        fuse->reset();
    });
    CHECK(device_holders(unused).empty());
    CHECK_FALSE(waited);
    done.set_value();
    rescue.join();
    (void)unmount(folder.path());
    (void)::kill(child, SIGKILL);
    (void)::waitpid(child, nullptr, 0);
    ::close(ready[0]);
    ::close(ready[1]);
}

TEST_CASE("a program's name is quoted") {
    CHECK(holders_text({{7, "a\x1b[2Jb", 1000}, {8, "c", 0}}) ==
          "\"a\\x1b[2Jb\" (process 7 of user 1000), \"c\" (process 8 of user 0)");
    CHECK(holders_text({}).empty());
}
