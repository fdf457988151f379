#include "supervisor/usb_memory.h"

#include <doctest/doctest.h>

#include <stdlib.h>

#include <fstream>
#include <string>

using namespace plugfs;

namespace fs = std::filesystem;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20U;
constexpr std::size_t large = 8192 * mib;

// A copy of the part of sysfs that matters.
class Sysfs {
  public:
    Sysfs() {
        std::string folder = fs::temp_directory_path() / "plugfs-test-XXXXXX";
        REQUIRE(::mkdtemp(folder.data()) != nullptr);
        root = folder;
        fs::create_directories(file().parent_path());
    }
    ~Sysfs() {
        std::error_code error;
        fs::remove_all(root, error);
    }
    Sysfs(const Sysfs&) = delete;
    Sysfs& operator=(const Sysfs&) = delete;

    [[nodiscard]] fs::path file() const { return root / "module/usbcore/parameters/usbfs_memory_mb"; }
    void set(const std::string& text) const { std::ofstream(file()) << text; }
    [[nodiscard]] std::string get() const {
        std::string text;
        std::getline(std::ifstream(file()), text);
        return text;
    }
    fs::path root;
};

}  // namespace

TEST_CASE("the limit of the memory for USB transfers is raised, and never lowered") {
    const Sysfs sysfs;
    SUBCASE("the usual one") {
        sysfs.set("16\n");
        CHECK(raise_usb_memory_limit(sysfs.root, large) == 256U);
        CHECK(sysfs.get() == "256");
    }
    SUBCASE("on a small machine") {
        sysfs.set("16\n");
        CHECK(raise_usb_memory_limit(sysfs.root, 512 * mib) == 64U);
        CHECK(sysfs.get() == "64");
    }
    SUBCASE("where that is more than an eighth of the memory") {
        sysfs.set("16\n");
        CHECK(raise_usb_memory_limit(sysfs.root, 64 * mib) == 16U);
        CHECK(sysfs.get() == "16");
    }
    SUBCASE("higher already") {
        sysfs.set("1000\n");
        CHECK(raise_usb_memory_limit(sysfs.root, large) == 1000U);
        CHECK(sysfs.get() == "1000");
    }
    SUBCASE("none") {
        sysfs.set("0\n");
        CHECK(raise_usb_memory_limit(sysfs.root, large) == 0U);
        CHECK(sysfs.get() == "0");
    }
    SUBCASE("no number") {
        sysfs.set("many\n");
        CHECK(raise_usb_memory_limit(sysfs.root, large) == std::nullopt);
        CHECK(sysfs.get() == "many");
    }
    SUBCASE("a kernel without USB") {
        CHECK(raise_usb_memory_limit(sysfs.root / "none", large) == std::nullopt);
    }
}

TEST_CASE("a driver's share leaves room for others") {
    CHECK(mapped_share(std::nullopt) == mib);
    CHECK(mapped_share(16U) == mib);
    CHECK(mapped_share(256U) == 16 * mib);
    CHECK(mapped_share(4000U) == 16 * mib);
    CHECK(mapped_share(0U) == 16 * mib);
}
