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
    struct Case {
        const char* what;
        const char* before;
        std::size_t memory;
        std::optional<unsigned> limit;
        const char* after;
    };
    constexpr Case cases[] = {
        {"the usual one", "16\n", large, 256U, "256"},
        {"on a small machine", "16\n", 512 * mib, 64U, "64"},
        {"where that is more than an eighth of the memory", "16\n", 64 * mib, 16U, "16"},
        {"higher already", "1000\n", large, 1000U, "1000"},
        {"none", "0\n", large, 0U, "0"},
        {"no number", "many\n", large, std::nullopt, "many"},
    };
    const Sysfs sysfs;
    for (const Case& each : cases) {
        INFO(each.what);
        sysfs.set(each.before);
        CHECK(raise_usb_memory_limit(sysfs.root, each.memory) == each.limit);
        CHECK(sysfs.get() == each.after);
    }
    CHECK(raise_usb_memory_limit(sysfs.root / "none", large) == std::nullopt);  // a kernel without USB
}

TEST_CASE("a driver's share leaves room for others") {
    CHECK(mapped_share(std::nullopt) == mib);
    CHECK(mapped_share(16U) == mib);
    CHECK(mapped_share(256U) == 16 * mib);
    CHECK(mapped_share(4000U) == 16 * mib);
    CHECK(mapped_share(0U) == 16 * mib);
}
