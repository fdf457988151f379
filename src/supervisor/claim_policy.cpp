#include "supervisor/claim_policy.h"

#include "common/log.h"

#include <plugfs/driver.h>  // quoted()

#include <algorithm>
#include <charconv>
#include <optional>

namespace plugfs {

namespace {

template <class Number>
std::optional<Number> number(std::string_view text, int base) {
    Number value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

Error bad_rule(const std::string& text) {
    return fail(EINVAL, "--claim " + plugfs::quoted(text),
                "expected never, unused or always, alone or with :VENDOR, :VENDOR:PRODUCT (hexadecimal) or :class=N");
}

}  // namespace

Result<ClaimRule> parse_claim_rule(const std::string& text) {
    const auto colon = text.find(':');
    const auto policy = claim_policy_named(text.substr(0, colon));
    if (!policy) {
        return bad_rule(text);
    }
    ClaimRule rule{{}, *policy};
    if (colon == std::string::npos) {
        return rule;
    }
    const std::string_view rest = std::string_view(text).substr(colon + 1);
    if (rest.starts_with("class=")) {
        const auto code = number<std::uint8_t>(rest.substr(6), 10);
        if (!code) {
            return bad_rule(text);
        }
        rule.rule.interface = ClassRule{code, std::nullopt, std::nullopt, ""};
        return rule;
    }
    const auto second = rest.find(':');
    const auto vendor = number<std::uint16_t>(rest.substr(0, second), 16);
    if (!vendor) {
        return bad_rule(text);
    }
    rule.rule.vendors = {{*vendor, *vendor}};
    if (second != std::string_view::npos) {
        const auto product = number<std::uint16_t>(rest.substr(second + 1), 16);
        if (!product) {
            return bad_rule(text);
        }
        rule.rule.products = {{*product, *product}};
    }
    return rule;
}

ClaimPolicy claim_policy_for(const Manifest& manifest, const std::vector<ClaimRule>& rules,
                             const DeviceIdentity& identity) {
    ClaimPolicy policy = ClaimPolicy::unused;
    for (const auto* list : {&manifest.claims, &rules}) {
        for (const auto& rule : *list) {
            if (matches(rule.rule, identity)) {
                policy = rule.policy;
            }
        }
    }
    return policy;
}

ClaimJudge::Answer ClaimJudge::refuse(const LocalDevice& device, Seen& seen, const std::string& why, Answer answer) {
    if (seen.said != why) {
        seen.said = why;
        log::info(stable_id(device.identity, device.port) + " " + plugfs::quoted(device.identity.product) +
                  ": left to others: " + why);
    }
    return answer;
}

ClaimJudge::Answer ClaimJudge::judge(const LocalDevice& device, const Manifest& manifest,
                                     Deadline::Clock::time_point now) {
    auto& seen = seen_.try_emplace(device.occurrence(), Seen{now, {}}).first->second;
    const ClaimPolicy policy = claim_policy_for(manifest, rules_, device.identity);
    if (policy == ClaimPolicy::never) {
        return refuse(device, seen, "the policy is never", Answer::no);
    }
    const auto bound = bound_interfaces(paths_, device.port);
    const auto wanted = std::find_if(bound.begin(), bound.end(), [&manifest](const BoundInterface& interface) {
        return is_for(manifest, interface.identity);
    });
    if (wanted != bound.end()) {
        if (const auto hold = DiskHold::create(paths_, device.port); !hold) {
            return refuse(device, seen, hold.error().stage + " is in use: " + hold.error().detail, Answer::later);
        }
    }
    const bool others_first = policy == ClaimPolicy::unused && (wanted != bound.end() || !manifest.claims.empty());
    return others_first && now < seen.since + first_chance ? Answer::later : Answer::yes;
}

void ClaimJudge::forget_all_but(const std::set<std::string>& present) {
    std::erase_if(seen_, [&present](const auto& item) { return present.count(item.first) == 0; });
}

}  // namespace plugfs
