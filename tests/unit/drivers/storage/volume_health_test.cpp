#include "drivers/storage/volume_health.h"

#include <doctest/doctest.h>

#include <vector>

using namespace plugfs;
using namespace plugfs::storage;

namespace {
struct Fixture {
    std::vector<std::string> lines;
    VolumeReport report = [this](LogLevel /*level*/, const std::string& line) { lines.push_back(line); };
};
}  // namespace

TEST_CASE("damage ends writing, and is reported once") {
    Fixture it;
    VolumeHealth health("FAT32", "", it.report);
    CHECK(health.writable());
    CHECK(health.check_writable().ok());
    CHECK(health.seen(fail(EIO, "read", "the medium")).code == EIO);
    CHECK(health.writable());
    CHECK(health.seen(fail(EUCLEAN, "FAT", "a cycle")).code == EUCLEAN);
    CHECK_FALSE(health.writable());
    health.damaged("more of it");
    CHECK(health.check_writable().error().code == EROFS);
    CHECK(health.read_only_because() == "the file system is damaged: FAT: a cycle");
    CHECK(it.lines == std::vector<std::string>{"FAT32 volume: damaged, not written to any more: FAT: a cycle"});
}

TEST_CASE("who could not be written to before keeps that reason") {
    Fixture it;
    VolumeHealth health("ext4", "the medium is write-protected", it.report);
    health.damaged("a bitmap");
    CHECK(health.read_only_because() == "the medium is write-protected");
    CHECK(it.lines.size() == 1);
}
