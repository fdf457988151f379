#include "supervisor/device_names.h"
#include "supervisor/endpoint.h"
#include "supervisor/mount_table.h"
#include "supervisor/options.h"

#include <unistd.h>

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

using namespace plugfs;

namespace {

Result<Options> options(std::vector<std::string> words) {
    words.insert(words.begin(), "plugfsd");
    std::vector<char*> pointers;
    for (auto& word : words) {
        pointers.push_back(word.data());
    }
    pointers.push_back(nullptr);
    return parse_options(static_cast<int>(words.size()), pointers.data());
}

}  // namespace

TEST_CASE("two devices of the same model keep their names, whoever comes first next time") {
    const auto file =
        (std::filesystem::temp_directory_path() / ("plugfs-names-" + std::to_string(::getpid()))).string();
    {
        DeviceNames names(file);
        CHECK(names.name_for("054c:0325-A", "Walkman") == "Walkman");
        CHECK(names.name_for("054c:0325-B", "Walkman") == "Walkman-2");
        CHECK(names.name_for("054c:0325-A", "Walkman") == "Walkman");
    }
    {
        DeviceNames names(file);
        CHECK(names.name_for("054c:0325-B", "Walkman") == "Walkman-2");
        CHECK(names.name_for("054c:0325-C", "Walkman") == "Walkman-3");
    }
    std::ofstream(file, std::ios::trunc) << R"([{"id":"x","name":"../../etc"},{"id":3},17])";
    CHECK(DeviceNames(file).name_for("x", "").find('/') == std::string::npos);
    std::ofstream(file, std::ios::trunc) << "{";
    CHECK(DeviceNames(file).name_for("x", "P") == "P");
    std::filesystem::remove(file);
}

TEST_CASE("endpoints") {
    CHECK(parse_endpoint("unix:/run/x")->path == "/run/x");
    const auto tcp = parse_endpoint("tcp:[::1]:4000");
    REQUIRE(tcp.ok());
    CHECK(tcp->host == "::1");
    CHECK(tcp->port == "4000");
    for (const auto* bad : {"", "unix:", "tcp:host", "tcp::1", "tcp:host:", "/run/x"}) {
        CHECK(parse_endpoint(bad).error().code == EINVAL);
    }
    CHECK_FALSE(parse_endpoint("unix:" + std::string(200, 'x')).ok());
}

TEST_CASE("a line of mountinfo") {
    const auto entry = parse_mountinfo_line(
        R"(36 35 0:98 / /mnt/de\040vices/walkman rw,nosuid master:1 - fuse.plugfs-mtp plugfs rw,user_id=0)");
    CHECK(entry.path == "/mnt/de vices/walkman");
    CHECK(entry.type == "fuse.plugfs-mtp");
    CHECK(entry.source == "plugfs");
    CHECK(entry.minor == 98);
    CHECK(parse_mountinfo_line("nonsense").path.empty());
    CHECK(parse_mountinfo_line("").path.empty());
}

TEST_CASE("the command line") {
    const auto all = options(
        {"-f", "--demo=3", "--attach", "unix:/a", "--attach", "tcp:h:1", "-o", "allow_other,uid=7,umask=077", "/mnt"});
    REQUIRE(all.ok());
    CHECK(all->foreground);
    CHECK(all->demo_players == 3);
    CHECK(all->endpoints.size() == 2);
    CHECK(all->allow_other);
    CHECK(*all->uid == 7);
    CHECK(all->umask == 077);
    CHECK(all->mount_point == "/mnt");
    CHECK(options({"--demo", "/mnt"})->demo_players == 1);
    CHECK(options({}).error().detail.find("no mount point") != std::string::npos);
    CHECK_FALSE(options({"/a", "/b"}).ok());
    CHECK_FALSE(options({"-o", "uid=x", "/a"}).ok());
    CHECK_FALSE(options({"-o", "nonsense", "/a"}).ok());
    CHECK_FALSE(options({"--demo=1000", "/a"}).ok());
    CHECK_FALSE(options({"--log-level", "loud", "/a"}).ok());
}
