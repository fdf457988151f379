#include "supervisor/claim_policy.h"

#include "temporary_folder.h"

#include <doctest/doctest.h>

using namespace plugfs;
namespace fs = std::filesystem;

namespace {

Manifest storage() {
    auto manifest = parse_manifest("storage.json", R"({"name": "storage", "executable": "plugfs-storage",
        "match": [{"interface": {"class": 8}}],
        "claim": [{"policy": "unused"},
                  {"match": {"vendor": "0x1111"}, "policy": "never"},
                  {"match": {"vendor": "0x2222", "product": "0x0002"}, "policy": "always"}]})");
    REQUIRE(manifest.ok());
    return *manifest;
}

// A machine with a stick on port 1-1, whose disk is sdb (8:16) with a partition sdb1 (8:17).
struct Machine {
    test::TemporaryFolder folder;
    SystemPaths paths{folder.path() / "sys", folder.path() / "proc", folder.path() / "dev"};
    const std::string device = "sys/devices/pci/usb1/1-1/";
    const std::string disk = device + "1-1:1.0/host5/target5:0:0/5:0:0:0/block/sdb/";

    Machine() {
        file(device + "1-1:1.0/bInterfaceNumber", "00\n");
        file(device + "1-1:1.0/bInterfaceClass", "08\n");
        file(device + "1-1:1.0/bInterfaceSubClass", "06\n");
        file(device + "1-1:1.0/bInterfaceProtocol", "50\n");
        file(disk + "dev", "8:16\n");
        file(disk + "sdb1/dev", "8:17\n");
        file(disk + "sdb1/partition", "1\n");
        fs::create_directories(folder.path() / disk / "holders");
        fs::create_directories(folder.path() / disk / "sdb1/holders");
        fs::create_directories(folder.path() / "sys/bus/usb/devices");
        fs::create_directory_symlink("../../../devices/pci/usb1/1-1", folder.path() / "sys/bus/usb/devices/1-1");
        file("proc/self/mountinfo", "36 35 8:1 / / rw,noatime master:1 - ext4 /dev/sda1 rw\n");
        file("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n/dev/sda2 partition 1 0 -2\n");
    }
    void file(const std::string& name, const std::string& text) const {
        folder.file(name, std::as_bytes(std::span(text)));
    }
    void bind(const std::string& driver) const {
        const auto link = folder.path() / device / "1-1:1.0/driver";
        fs::remove(link);
        fs::create_directory_symlink("/sys/bus/usb/drivers/" + driver, link);
    }
    [[nodiscard]] std::string refusal() const {
        const auto hold = DiskHold::create(paths, "1-1");
        return hold ? "" : hold.error().stage + ": " + hold.error().detail;
    }
};

LocalDevice stick(std::uint16_t vendor, std::uint16_t product) {
    LocalDevice device;
    device.port = "1-1";
    device.address = 4;
    device.identity.vendor_id = vendor;
    device.identity.product_id = product;
    device.identity.interfaces = {{8, 6, 0x50, ""}};
    return device;
}

}  // namespace

TEST_CASE("rules of the command line") {
    const auto all = parse_claim_rule("never");
    REQUIRE(all.ok());
    CHECK(all->policy == ClaimPolicy::never);
    CHECK(matches(all->rule, stick(1, 2).identity));
    const auto one = parse_claim_rule("always:0781:5567");
    REQUIRE(one.ok());
    CHECK(one->policy == ClaimPolicy::always);
    CHECK(matches(one->rule, stick(0x781, 0x5567).identity));
    CHECK_FALSE(matches(one->rule, stick(0x781, 0x5568).identity));
    const auto by_class = parse_claim_rule("unused:class=8");
    REQUIRE(by_class.ok());
    CHECK(matches(by_class->rule, stick(9, 9).identity));
    auto other = stick(9, 9);
    other.identity.interfaces[0].interface_class = 6;
    CHECK_FALSE(matches(by_class->rule, other.identity));
    for (const char* bad : {"", "sometimes", "never:", "never:xyz", "always:0781:", "always:12345", "never:class=300",
                            "never:class=", "always:0781:5567:1"}) {
        CAPTURE(bad);
        CHECK(parse_claim_rule(bad).error().code == EINVAL);
    }
}

TEST_CASE("the last rule that matches counts, the user's after the manifest's") {
    const auto manifest = storage();
    CHECK(claim_policy_for(manifest, {}, stick(1, 1).identity) == ClaimPolicy::unused);
    CHECK(claim_policy_for(manifest, {}, stick(0x1111, 1).identity) == ClaimPolicy::never);
    CHECK(claim_policy_for(manifest, {}, stick(0x2222, 2).identity) == ClaimPolicy::always);
    const std::vector<ClaimRule> rules = {*parse_claim_rule("always"), *parse_claim_rule("never:2222")};
    CHECK(claim_policy_for(manifest, rules, stick(0x1111, 1).identity) == ClaimPolicy::always);
    CHECK(claim_policy_for(manifest, rules, stick(0x2222, 2).identity) == ClaimPolicy::never);
    CHECK(claim_policy_for(Manifest{}, {}, stick(1, 1).identity) == ClaimPolicy::unused);
}

TEST_CASE("a bad claim rule in a manifest is named") {
    const auto manifest = parse_manifest("bad.json", R"({"name": "a", "executable": "b", "match": [{"vendor": "0x1"}],
        "claim": [{"policy": "sometimes"}]})");
    REQUIRE_FALSE(manifest.ok());
    CHECK(manifest.error().detail.find("/claim/0/policy") != std::string::npos);
}

TEST_CASE("interfaces that a kernel driver has") {
    const Machine machine;
    CHECK(bound_interfaces(machine.paths, "1-1").empty());
    machine.bind("usbfs");
    CHECK(bound_interfaces(machine.paths, "1-1").empty());
    CHECK(claimed_interfaces(machine.paths, "1-1").size() == 1);
    machine.bind("usb-storage");
    CHECK(claimed_interfaces(machine.paths, "1-1").empty());
    const auto bound = bound_interfaces(machine.paths, "1-1");
    REQUIRE(bound.size() == 1);
    CHECK(bound[0].driver == "usb-storage");
    CHECK(bound[0].number == 0);
    CHECK(bound[0].identity == InterfaceIdentity{8, 6, 0x50, ""});
    CHECK(bound_interfaces(machine.paths, "1-2").empty());
}

TEST_CASE("a disk or partition in use is seen, whoever uses it") {
    const Machine machine;
    CHECK(machine.refusal().empty());
    SUBCASE("a partition is mounted") {
        machine.file("proc/self/mountinfo", "40 35 8:17 / /media/stick rw - vfat /dev/sdb1 rw\n");
        CHECK(machine.refusal() == "sdb1: mounted on /media/stick");
    }
    SUBCASE("the whole disk is mounted") {
        machine.file("proc/self/mountinfo", "40 35 8:16 / /media/stick rw - vfat /dev/sdb rw\n");
        CHECK(machine.refusal() == "sdb: mounted on /media/stick");
    }
    SUBCASE("by a file system in user mode") {
        machine.file("proc/self/mountinfo", "40 35 0:50 / /media/n rw shared:1 - fuseblk /dev/sdb1 rw\n");
        CHECK(machine.refusal() == "sdb1: mounted on /media/n");
    }
    SUBCASE("swap") {
        machine.file("proc/swaps", "Filename\tType\n/dev/sdb1\tpartition\t1\t0\t-2\n");
        CHECK(machine.refusal() == "sdb1: used for swapping");
    }
    SUBCASE("held") {
        machine.file(machine.disk + "sdb1/holders/dm-3", "");
        CHECK(machine.refusal() == "sdb1: part of dm-3");
    }
    SUBCASE("another disk of a similar name is none of ours") {
        machine.file("proc/self/mountinfo",
                     "40 35 8:18 / /x rw - vfat /dev/sdb12 rw\n41 35 18:17 / /y rw - vfat x rw\n");
        machine.file("proc/swaps", "/dev/sdb11 partition\n");
        CHECK(machine.refusal().empty());
    }
}

TEST_CASE("what the policy means for a device that is plugged in") {
    const Machine machine;
    const auto manifest = storage();
    const auto now = Deadline::Clock::now();
    const auto later = now + ClaimJudge::first_chance;
    ClaimJudge judge({}, machine.paths);
    using Answer = ClaimJudge::Answer;
    SUBCASE("unused: others have the first chance, whether the kernel's driver is there already or not") {
        CHECK(judge.judge(stick(1, 1), manifest, now) == Answer::later);
        machine.bind("usb-storage");
        CHECK(judge.judge(stick(1, 1), manifest, later - std::chrono::milliseconds(1)) == Answer::later);
        CHECK(judge.judge(stick(1, 1), manifest, later) == Answer::yes);
        judge.forget_all_but({});
        CHECK(judge.judge(stick(1, 1), manifest, later) == Answer::later);
    }
    SUBCASE("in use: never, whatever the policy; but it may become free") {
        machine.bind("usb-storage");
        machine.file("proc/self/mountinfo", "40 35 8:17 / /media/stick rw - vfat /dev/sdb1 rw\n");
        CHECK(judge.judge(stick(1, 1), manifest, now) == Answer::later);
        CHECK(judge.judge(stick(1, 1), manifest, later) == Answer::later);
        CHECK(judge.judge(stick(0x2222, 2), manifest, later) == Answer::later);
        machine.file("proc/self/mountinfo", "");
        CHECK(judge.judge(stick(1, 1), manifest, later) == Answer::yes);
    }
    SUBCASE("always: at once") {
        machine.bind("usb-storage");
        CHECK(judge.judge(stick(0x2222, 2), manifest, now) == Answer::yes);
    }
    SUBCASE("never: not even without a driver of the kernel's") {
        CHECK(judge.judge(stick(0x1111, 1), manifest, later) == Answer::no);
    }
    SUBCASE("a driver for devices that the kernel has none for need not wait") {
        auto players = storage();
        players.claims.clear();
        CHECK(judge.judge(stick(1, 1), players, now) == Answer::yes);
    }
}
