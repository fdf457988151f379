// Claim policy: whether a device is taken from a kernel driver that has it already.
//
//   never    it is left to the kernel, whether or not that has a driver
//   unused   it is taken when nobody has begun to use it a little while after it was plugged in
//   always   it is taken at once, before anybody can
//
// "A little while" is for devices that a kernel driver has, or may be about to have: whose manifest has claim rules.
//
// One that is in use (kernel_drivers.h) is never taken, whatever the policy. Rules are in manifests ("claim") and on
// the command line (--claim); of all that match the last one counts.
#pragma once

#include "supervisor/kernel_drivers.h"
#include "supervisor/manifest.h"
#include "supervisor/sysfs.h"

#include <plugfs/deadline.h>
#include <plugfs/result.h>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace plugfs {

// A rule of the command line: "never", "unused:0781", "always:0781:5567", "never:class=8". EINVAL with what is
// expected.
[[nodiscard]] Result<ClaimRule> parse_claim_rule(const std::string& text);

// What holds for a device, of the manifest's rules and then the user's.
[[nodiscard]] ClaimPolicy claim_policy_for(const Manifest& manifest, const std::vector<ClaimRule>& rules,
                                           const DeviceIdentity& identity);

// Decides about what is plugged in, and remembers since when it is.
class ClaimJudge {
  public:
    enum class Answer : std::uint8_t { yes, no, later };
    // How long a device that may be taken when it is unused is given to others first.
    static constexpr std::chrono::milliseconds first_chance{3000};
    // When to ask again after `later`.
    static constexpr std::chrono::milliseconds look_again{1000};

    explicit ClaimJudge(std::vector<ClaimRule> rules, SystemPaths paths = {})
        : rules_(std::move(rules)), paths_(std::move(paths)) {}
    // May the driver of `manifest`, which is for the device, have it? Logs a refusal, once.
    [[nodiscard]] Answer judge(const LocalDevice& device, const Manifest& manifest, Deadline::Clock::time_point now);
    // Forgets those of whose occurrences (LocalDevice::occurrence()) `present` has none.
    void forget_all_but(const std::set<std::string>& present);

  private:
    struct Seen {
        Deadline::Clock::time_point since;
        std::string said;
    };
    static Answer refuse(const LocalDevice& device, Seen& seen, const std::string& why, Answer answer);
    std::vector<ClaimRule> rules_;
    SystemPaths paths_;
    std::map<std::string, Seen> seen_;  // by occurrence
};

}  // namespace plugfs
