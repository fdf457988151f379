// Manifests and devices: which driver is for which, and what is peculiar to one.

#include "supervisor/manifest.h"

#include <algorithm>

namespace plugfs {

namespace {

bool in_ranges(const std::vector<NumberRange>& ranges, std::uint16_t number) {
    return ranges.empty() || std::any_of(ranges.begin(), ranges.end(), [number](const NumberRange& range) {
               return number >= range.first && number <= range.last;
           });
}

bool fits(const ClassRule& rule, std::uint8_t class_code, std::uint8_t subclass, std::uint8_t protocol,
          const std::string& name) {
    return rule.class_code.value_or(class_code) == class_code && rule.subclass.value_or(subclass) == subclass &&
           rule.protocol.value_or(protocol) == protocol && name.find(rule.name) != std::string::npos;
}

bool fits(const MatchRule& rule, const DeviceIdentity& identity) {
    const bool interface_fits =
        !rule.interface ||
        std::any_of(identity.interfaces.begin(), identity.interfaces.end(), [&](const InterfaceIdentity& interface) {
            return fits(*rule.interface, interface.interface_class, interface.interface_subclass,
                        interface.interface_protocol, interface.name);
        });
    const bool device_fits = !rule.device || fits(*rule.device, identity.device_class, identity.device_subclass,
                                                  identity.device_protocol, "");
    return interface_fits && device_fits && in_ranges(rule.vendors, identity.vendor_id) &&
           in_ranges(rule.products, identity.product_id);
}

}  // namespace

bool matches(const MatchRule& rule, const DeviceIdentity& identity) {
    return fits(rule, identity);
}

bool is_for(const Manifest& manifest, const InterfaceIdentity& interface) {
    return std::any_of(manifest.rules.begin(), manifest.rules.end(), [&interface](const MatchRule& rule) {
        return !rule.interface || fits(*rule.interface, interface.interface_class, interface.interface_subclass,
                                       interface.interface_protocol, interface.name);
    });
}

std::map<std::string, std::int64_t> quirks_for(const Manifest& manifest, const DeviceIdentity& identity) {
    std::map<std::string, std::int64_t> all;
    for (const auto& quirk : manifest.quirks) {
        if (fits(quirk.rule, identity)) {
            for (const auto& [name, value] : quirk.set) {
                all[name] = value;
            }
        }
    }
    return all;
}

const Manifest* choose_driver(const std::vector<Manifest>& manifests, const DeviceIdentity& identity) {
    const Manifest* best = nullptr;
    for (const auto& manifest : manifests) {
        const bool matches = std::any_of(manifest.rules.begin(), manifest.rules.end(),
                                         [&](const MatchRule& rule) { return fits(rule, identity); });
        const bool better = best == nullptr || manifest.priority > best->priority ||
                            (manifest.priority == best->priority && manifest.name < best->name);
        if (matches && better) {
            best = &manifest;
        }
    }
    return best;
}

}  // namespace plugfs
