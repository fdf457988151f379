// Manifests: which driver is for which devices. Data (drivers.d/*.json), so that a driver built elsewhere needs no
// change here.
//
//   { "name": "mtp", "executable": "plugfs-mtp", "description": "...", "priority": 50,
//     "match": [ { "interface": { "class": 6, "subclass": 1, "protocol": 1, "name": "MTP" },
//                  "device":    { "class": 0, "subclass": 0, "protocol": 0 },
//                  "vendor": "0x054c", "product": ["0x0100-0x01ff", "0x0325"] } ] }
//
// A rule matches when all that it names holds; "name" is a part of the interface's string. Of several drivers that
// match the one with the highest priority (0 to 100, 50 unless told) is taken, then the first by name.
//
// A driver may have other programs for what it finds in a device: the same driver, built with more. It asks to go on as
// one of them, by its name here; the supervisor starts only what stands here.
//
//   "alternatives": { "ntfs": "plugfs-storage-ntfs" }
//
// What is odd about certain devices is data, too. Each has a reason and says where that is known from:
//
//   "quirks": [ { "match": { "vendor": "0x46f4" }, "set": { "hides_dot_names": true },
//                 "reason": "...", "source": "..." } ]
//
// The driver is told of all that match (Host::quirk()); a later one overrules an earlier one.
//
// Whether devices are taken from a kernel driver (supervisor/claim_policy.h):
//
//   "claim": [ { "match": { "interface": { "class": 8 } }, "policy": "unused" } ]
#pragma once

#include "common/identity.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plugfs {

struct NumberRange {
    std::uint16_t first = 0;
    std::uint16_t last = 0;
};

// Class, subclass and protocol of a device or an interface; what is absent matches all.
struct ClassRule {
    std::optional<std::uint8_t> class_code;
    std::optional<std::uint8_t> subclass;
    std::optional<std::uint8_t> protocol;
    std::string name;  // interfaces only; empty matches all
};

struct MatchRule {
    std::optional<ClassRule> interface;
    std::optional<ClassRule> device;
    std::vector<NumberRange> vendors;   // empty matches all
    std::vector<NumberRange> products;  // empty matches all
};

struct Quirk {
    MatchRule rule;
    std::map<std::string, std::int64_t> set;  // true and false are 1 and 0
    std::string reason;
    std::string source;
};

enum class ClaimPolicy : std::uint8_t { never, unused, always };

struct ClaimRule {
    MatchRule rule;  // an empty one matches all
    ClaimPolicy policy = ClaimPolicy::unused;
};

struct Manifest {
    std::string name;
    std::string executable;  // a file name, looked up in the drivers' directory
    std::string description;
    int priority = 50;
    std::vector<MatchRule> rules;
    std::vector<Quirk> quirks;
    std::vector<ClaimRule> claims;
    std::map<std::string, std::string> alternatives;  // executables, as above, by their name
};

[[nodiscard]] std::optional<ClaimPolicy> claim_policy_named(std::string_view name);
[[nodiscard]] bool matches(const MatchRule& rule, const DeviceIdentity& identity);
// Whether a driver is for this interface of a device that it is for.
[[nodiscard]] bool is_for(const Manifest& manifest, const InterfaceIdentity& interface);

// Reads one manifest. The error names `file`, the line and the field.
[[nodiscard]] Result<Manifest> parse_manifest(const std::string& file, const std::string& text);

// All *.json in `directory`, by name; those that are bad are logged and left out. ENOENT: no such directory.
[[nodiscard]] Result<std::vector<Manifest>> load_manifests(const std::filesystem::path& directory);

// The manifest for a device, or null. Owned by `manifests`.
[[nodiscard]] const Manifest* choose_driver(const std::vector<Manifest>& manifests, const DeviceIdentity& identity);

// What the manifest says is odd about a device.
[[nodiscard]] std::map<std::string, std::int64_t> quirks_for(const Manifest& manifest, const DeviceIdentity& identity);

}  // namespace plugfs
