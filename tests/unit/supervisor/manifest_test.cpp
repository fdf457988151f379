#include "supervisor/manifest.h"

#include <doctest/doctest.h>

#include <fstream>

using namespace plugfs;

namespace {

const std::string good = R"({
  "name": "mtp", "executable": "plugfs-mtp", "priority": 60,
  "match": [
    {"interface": {"class": 6, "subclass": 1, "protocol": 1}},
    {"interface": {"class": 255, "name": "MTP"}},
    {"vendor": "0x1234", "product": ["0x0001-0x00ff", "0x4000"]}
  ]
})";

DeviceIdentity device(std::uint16_t vendor, std::uint16_t product, InterfaceIdentity interface = {}) {
    DeviceIdentity identity;
    identity.vendor_id = vendor;
    identity.product_id = product;
    identity.interfaces = {std::move(interface)};
    return identity;
}

std::string complaint(const std::string& text) {
    const auto manifest = parse_manifest("bad.json", text);
    return manifest.ok() ? "none" : manifest.error().stage + " " + manifest.error().detail;
}

}  // namespace

TEST_CASE("quirks are those of all rules that match, and need a reason and a source") {
    const auto with = [](const std::string& quirks) {
        return R"({"name": "a", "executable": "b", "match": [{"vendor": "0x1"}], "quirks": )" + quirks + "}";
    };
    const auto manifest = parse_manifest("a.json", with(R"([
        {"match": {"vendor": "0x1"}, "set": {"slow": true, "limit": 5}, "reason": "r", "source": "s"},
        {"match": {"vendor": "0x2"}, "set": {"other": 1}, "reason": "r", "source": "s"},
        {"match": {"vendor": "0x1", "product": "0x7"}, "set": {"limit": -3, "slow": false}, "reason": "r", "source": "s"}])"));
    REQUIRE(manifest.ok());
    CHECK(quirks_for(*manifest, device(1, 1)) == std::map<std::string, std::int64_t>{{"limit", 5}, {"slow", 1}});
    CHECK(quirks_for(*manifest, device(1, 7)) == std::map<std::string, std::int64_t>{{"limit", -3}, {"slow", 0}});
    CHECK(quirks_for(*manifest, device(3, 1)).empty());
    CHECK(complaint(with("{}")).find("/quirks: must be a list") != std::string::npos);
    CHECK(complaint(with(R"([{"set": {"a": 1}, "reason": "r", "source": "s"}])")).find("/quirks/0/match: is missing") !=
          std::string::npos);
    CHECK(complaint(with(R"([{"match": {"vendor": "0x1"}, "set": {"a": 1}, "source": "s"}])"))
              .find("/quirks/0/reason: is missing") != std::string::npos);
    CHECK(complaint(with(R"([{"match": {"vendor": "0x1"}, "set": {"a": "x"}, "reason": "r", "source": "s"}])"))
              .find("/quirks/0/set/a: must be true") != std::string::npos);
    CHECK(complaint(with(R"([{"match": {"vendor": "0x1"}, "set": {}, "reason": "r", "source": "s"}])"))
              .find("/quirks/0/set: must be") != std::string::npos);
}

TEST_CASE("alternatives are programs in the drivers' directory") {
    const auto with = [](const std::string& alternatives) {
        return R"({"name": "a", "executable": "b", "match": [{"vendor": "0x1"}], "alternatives": )" + alternatives +
               "}";
    };
    const auto manifest = parse_manifest("a.json", with(R"({"ntfs": "b-ntfs", "other": "c"})"));
    REQUIRE(manifest.ok());
    CHECK(manifest->alternatives == std::map<std::string, std::string>{{"ntfs", "b-ntfs"}, {"other", "c"}});
    CHECK(parse_manifest("mtp.json", good)->alternatives.empty());
    CHECK(complaint(with("[]")).find("/alternatives: must be an object") != std::string::npos);
    for (const char* bad : {R"("")", R"("../sh")", R"("/bin/sh")", R"(".hidden")", "7", "null"}) {
        CHECK(
            complaint(with(R"({"ntfs": )" + std::string(bad) + "}")).find("/alternatives/ntfs: must be a file name") !=
            std::string::npos);
    }
}

TEST_CASE("a manifest matches by interface, by its name and by numbers") {
    const auto manifest = parse_manifest("mtp.json", good);
    REQUIRE(manifest.ok());
    const std::vector<Manifest> all = {*manifest};
    CHECK(choose_driver(all, device(1, 1, {6, 1, 1, ""})) != nullptr);
    CHECK(choose_driver(all, device(1, 1, {6, 1, 2, ""})) == nullptr);
    CHECK(choose_driver(all, device(1, 1, {255, 3, 4, "Phone MTP mode"})) != nullptr);
    CHECK(choose_driver(all, device(1, 1, {255, 3, 4, "ADB"})) == nullptr);
    CHECK(choose_driver(all, device(0x1234, 0x00ff)) != nullptr);
    CHECK(choose_driver(all, device(0x1234, 0x4000)) != nullptr);
    CHECK(choose_driver(all, device(0x1234, 0x0100)) == nullptr);
    CHECK(choose_driver(all, device(0x1235, 0x0001)) == nullptr);
}

TEST_CASE("of several drivers the one with the highest priority is taken, then the first by name") {
    const auto make = [](const std::string& name, int priority) {
        return *parse_manifest("x", R"({"name":")" + name + R"(","executable":"x","priority":)" +
                                        std::to_string(priority) + R"(,"match":[{"vendor":"0001"}]})");
    };
    const std::vector<Manifest> all = {make("low", 10), make("beta", 70), make("alpha", 70)};
    CHECK(choose_driver(all, device(1, 1))->name == "alpha");
}

TEST_CASE("a bad manifest is named with file, line and field") {
    CHECK(complaint("{\n \"name\": \"x\",\n \"executable\": \"e\",\n \"match\": [\n  {\"interface\":\n   {\"class\": "
                    "300}}]}") == "bad.json:6 field /match/0/interface/class: must be a number from 0 to 255");
    CHECK(complaint("{\n\"name\": 3}") == "bad.json:2 field /name: must be a string that is not empty");
    CHECK(complaint("{\"name\":\"x\",\n\"executable\":\"../sh\",\"match\":[{\"vendor\":\"1\"}]}") ==
          "bad.json:2 field /executable: must be a file name without a directory");
    CHECK(complaint("{\"name\":\"x\",\"executable\":\"e\",\n\"match\":[\n{\"vendor\":\"0x12345\"}]}")
              .starts_with("bad.json:3 field /match/0/vendor: "));
    CHECK(complaint("{\"name\":\"x\",\"executable\":\"e\",\n\"match\":[{\"product\":\"0x12\"}]}")
              .starts_with("bad.json:2 field /match/0/product: "));
    CHECK(complaint("{\"name\":\"x\",\"executable\":\"e\",\n\"match\":[{}]}") ==
          "bad.json:2 field /match/0: would match every device");
    CHECK(complaint("{\"name\":\"x\",\n\n\"exe\":\"e\"}") == "bad.json:3 field /exe: no such field");
    CHECK(complaint("{\n\"name\": \"x\",\n}").starts_with("bad.json:3 no JSON near"));
    CHECK(complaint("").starts_with("bad.json:1 no JSON near"));
    CHECK(complaint(std::string(100, '[')).find("nested too deep") != std::string::npos);
}

TEST_CASE("the others still load") {
    const auto directory = std::filesystem::temp_directory_path() / ("plugfs-manifests-" + std::to_string(::getpid()));
    std::filesystem::create_directories(directory);
    std::ofstream(directory / "a.json") << "{";
    std::ofstream(directory / "b.json") << good;
    std::ofstream(directory / "c.txt") << "{";
    const auto all = load_manifests(directory);
    std::filesystem::remove_all(directory);
    REQUIRE(all.ok());
    REQUIRE(all->size() == 1);
    CHECK(all->front().name == "mtp");
    CHECK(load_manifests(directory).error().code == ENOENT);
}
