#include "supervisor/manifest.h"

#include "common/log.h"
#include "supervisor/json_lines.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <sstream>

namespace plugfs {

using nlohmann::json;

namespace {

constexpr std::size_t rule_limit = 1000;
constexpr std::size_t alternative_limit = 16;

bool is_program(const std::string& name) {
    return !name.empty() && name.find('/') == std::string::npos && name.front() != '.';
}

// Walks one manifest; knows where it is, so that every complaint names file, line and field.
class ManifestReader {
  public:
    ManifestReader(const std::string& file, const LocatedJson& text) : file_(file), text_(text) {}

    Result<Manifest> read();

  private:
    [[nodiscard]] Error complaint(const std::string& pointer, const std::string& what) const {
        return fail(EINVAL, file_ + ":" + std::to_string(text_.line(pointer)),
                    "field " + (pointer.empty() ? "/" : pointer) + ": " + what);
    }
    // No member but `known` ones: a misspelt field must not be ignored, or the rule would match too much.
    Result<void> only(const json& object, const std::string& pointer, std::initializer_list<const char*> known) const;
    Result<std::string> string(const json& object, const std::string& pointer, const char* field, bool needed) const;
    Result<std::optional<std::uint8_t>> byte(const json& object, const std::string& pointer, const char* field) const;
    Result<MatchRule> rule(const json& item, const std::string& pointer) const;
    Result<Quirk> quirk(const json& item, const std::string& pointer) const;
    Result<ClaimRule> claim(const json& item, const std::string& pointer) const;
    Result<std::map<std::string, std::string>> alternatives() const;
    // A list that may be missing, of at most rule_limit items, each read by `read_item`.
    template <class Item>
    Result<std::vector<Item>> list(const char* field,
                                   Result<Item> (ManifestReader::*read_item)(const json&, const std::string&)
                                       const) const;
    Result<ClassRule> class_rule(const json& item, const std::string& pointer, bool with_name) const;
    Result<std::vector<NumberRange>> ranges(const json& item, const std::string& pointer) const;
    Result<NumberRange> range(const json& item, const std::string& pointer) const;

    const std::string& file_;
    const LocatedJson& text_;
};

std::optional<std::uint16_t> hexadecimal(std::string_view text) {
    if (text.starts_with("0x") || text.starts_with("0X")) {
        text.remove_prefix(2);
    }
    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return number;
}

Result<void> ManifestReader::only(const json& object, const std::string& pointer,
                                  std::initializer_list<const char*> known) const {
    if (!object.is_object()) {
        return complaint(pointer, "must be an object");
    }
    for (const auto& [key, value] : object.items()) {
        const auto& name = key;
        if (std::none_of(known.begin(), known.end(), [&](const char* item) { return name == item; })) {
            return complaint(std::string(pointer).append("/").append(key), "no such field");
        }
    }
    return {};
}

Result<std::string> ManifestReader::string(const json& object, const std::string& pointer, const char* field,
                                           bool needed) const {
    const auto found = object.find(field);
    if (found == object.end()) {
        return needed ? Result<std::string>(complaint(pointer + "/" + field, "is missing")) : std::string();
    }
    if (!found->is_string() || (needed && found->get<std::string>().empty())) {
        return complaint(pointer + "/" + field, "must be a string that is not empty");
    }
    return found->get<std::string>();
}

Result<std::optional<std::uint8_t>> ManifestReader::byte(const json& object, const std::string& pointer,
                                                         const char* field) const {
    const auto found = object.find(field);
    if (found == object.end()) {
        return std::optional<std::uint8_t>();
    }
    if (!found->is_number_unsigned() || found->get<std::uint64_t>() > 255) {
        return complaint(pointer + "/" + field, "must be a number from 0 to 255");
    }
    return std::optional<std::uint8_t>(found->get<std::uint8_t>());
}

Result<ClassRule> ManifestReader::class_rule(const json& item, const std::string& pointer, bool with_name) const {
    PLUGFS_TRY(with_name ? only(item, pointer, {"class", "subclass", "protocol", "name"})
                         : only(item, pointer, {"class", "subclass", "protocol"}));
    ClassRule rule;
    PLUGFS_ASSIGN(rule.class_code, byte(item, pointer, "class"));
    PLUGFS_ASSIGN(rule.subclass, byte(item, pointer, "subclass"));
    PLUGFS_ASSIGN(rule.protocol, byte(item, pointer, "protocol"));
    PLUGFS_ASSIGN(rule.name, string(item, pointer, "name", false));
    return rule;
}

Result<NumberRange> ManifestReader::range(const json& item, const std::string& pointer) const {
    const std::string expected = R"(must be a string like "0x1234" or "0x1200-0x12ff")";
    if (!item.is_string()) {
        return complaint(pointer, expected);
    }
    const auto text = item.get<std::string>();
    const auto dash = text.find('-');
    const auto first = hexadecimal(std::string_view(text).substr(0, dash));
    const auto last = dash == std::string::npos ? first : hexadecimal(std::string_view(text).substr(dash + 1));
    if (!first || !last || *first > *last) {
        return complaint(pointer, expected + ", not " + plugfs::quoted(text));
    }
    return NumberRange{*first, *last};
}

Result<std::vector<NumberRange>> ManifestReader::ranges(const json& item, const std::string& pointer) const {
    std::vector<NumberRange> all;
    if (!item.is_array()) {
        PLUGFS_ASSIGN(auto one, range(item, pointer));
        all.push_back(one);
        return all;
    }
    for (std::size_t i = 0; i < item.size(); ++i) {
        PLUGFS_ASSIGN(auto one, range(item[i], pointer + "/" + std::to_string(i)));
        all.push_back(one);
    }
    return all;
}

Result<MatchRule> ManifestReader::rule(const json& item, const std::string& pointer) const {
    PLUGFS_TRY(only(item, pointer, {"interface", "device", "vendor", "product"}));
    if (item.empty()) {
        return complaint(pointer, "would match every device");
    }
    MatchRule rule;
    if (const auto found = item.find("interface"); found != item.end()) {
        PLUGFS_ASSIGN(rule.interface, class_rule(*found, pointer + "/interface", true));
    }
    if (const auto found = item.find("device"); found != item.end()) {
        PLUGFS_ASSIGN(rule.device, class_rule(*found, pointer + "/device", false));
    }
    if (const auto found = item.find("vendor"); found != item.end()) {
        PLUGFS_ASSIGN(rule.vendors, ranges(*found, pointer + "/vendor"));
    }
    if (const auto found = item.find("product"); found != item.end()) {
        if (rule.vendors.empty()) {
            return complaint(pointer + "/product", "means nothing without a vendor");
        }
        PLUGFS_ASSIGN(rule.products, ranges(*found, pointer + "/product"));
    }
    return rule;
}

Result<Quirk> ManifestReader::quirk(const json& item, const std::string& pointer) const {
    PLUGFS_TRY(only(item, pointer, {"match", "set", "reason", "source"}));
    Quirk quirk;
    const auto match = item.find("match");
    if (match == item.end()) {
        return complaint(pointer + "/match", "is missing");
    }
    PLUGFS_ASSIGN(quirk.rule, rule(*match, pointer + "/match"));
    PLUGFS_ASSIGN(quirk.reason, string(item, pointer, "reason", true));
    PLUGFS_ASSIGN(quirk.source, string(item, pointer, "source", true));
    const auto set = item.find("set");
    if (set == item.end() || !set->is_object() || set->empty()) {
        return complaint(pointer + "/set", "must be an object that is not empty");
    }
    for (const auto& [key, value] : set->items()) {
        if (!value.is_boolean() && !value.is_number_integer()) {
            return complaint(std::string(pointer).append("/set/").append(key), "must be true, false or a whole number");
        }
        quirk.set[key] = value.is_boolean() ? (value.get<bool>() ? 1 : 0) : value.get<std::int64_t>();
    }
    return quirk;
}

Result<ClaimRule> ManifestReader::claim(const json& item, const std::string& pointer) const {
    PLUGFS_TRY(only(item, pointer, {"match", "policy"}));
    ClaimRule claim;
    if (const auto match = item.find("match"); match != item.end()) {
        PLUGFS_ASSIGN(claim.rule, rule(*match, pointer + "/match"));
    }
    PLUGFS_ASSIGN(const auto name, string(item, pointer, "policy", true));
    const auto policy = claim_policy_named(name);
    if (!policy) {
        return complaint(pointer + "/policy", "must be never, unused or always");
    }
    claim.policy = *policy;
    return claim;
}

template <class Item>
Result<std::vector<Item>> ManifestReader::list(
    const char* field, Result<Item> (ManifestReader::*read_item)(const json&, const std::string&) const) const {
    std::vector<Item> items;
    const auto found = text_.value.find(field);
    const std::string pointer = std::string("/") + field;
    if (found == text_.value.end()) {
        return items;
    }
    if (!found->is_array() || found->size() > rule_limit) {
        return complaint(pointer, "must be a list of at most 1,000");
    }
    for (std::size_t i = 0; i < found->size(); ++i) {
        PLUGFS_ASSIGN(auto item, (this->*read_item)((*found)[i], pointer + "/" + std::to_string(i)));
        items.push_back(std::move(item));
    }
    return items;
}

Result<std::map<std::string, std::string>> ManifestReader::alternatives() const {
    std::map<std::string, std::string> all;
    const auto found = text_.value.find("alternatives");
    if (found == text_.value.end()) {
        return all;
    }
    if (!found->is_object() || found->size() > alternative_limit) {
        return complaint("/alternatives", "must be an object of at most " + std::to_string(alternative_limit));
    }
    for (const auto& [key, value] : found->items()) {
        if (!value.is_string() || !is_program(value.get<std::string>())) {
            return complaint("/alternatives/" + key, "must be a file name without a directory");
        }
        all[key] = value.get<std::string>();
    }
    return all;
}

Result<Manifest> ManifestReader::read() {
    const json& top = text_.value;
    PLUGFS_TRY(
        only(top, "", {"name", "executable", "description", "priority", "match", "quirks", "claim", "alternatives"}));
    Manifest manifest;
    PLUGFS_ASSIGN(manifest.name, string(top, "", "name", true));
    PLUGFS_ASSIGN(manifest.executable, string(top, "", "executable", true));
    PLUGFS_ASSIGN(manifest.description, string(top, "", "description", false));
    if (!is_program(manifest.executable)) {
        return complaint("/executable", "must be a file name without a directory");
    }
    if (const auto found = top.find("priority"); found != top.end()) {
        if (!found->is_number_unsigned() || found->get<std::uint64_t>() > 100) {
            return complaint("/priority", "must be a number from 0 to 100");
        }
        manifest.priority = found->get<int>();
    }
    const auto match = top.find("match");
    if (match == top.end() || !match->is_array() || match->empty() || match->size() > rule_limit) {
        return complaint("/match", "must be a list of 1 to 1,000 rules");
    }
    for (std::size_t i = 0; i < match->size(); ++i) {
        PLUGFS_ASSIGN(auto one, rule((*match)[i], "/match/" + std::to_string(i)));
        manifest.rules.push_back(std::move(one));
    }
    PLUGFS_ASSIGN(manifest.quirks, list("quirks", &ManifestReader::quirk));
    PLUGFS_ASSIGN(manifest.claims, list("claim", &ManifestReader::claim));
    PLUGFS_ASSIGN(manifest.alternatives, alternatives());
    return manifest;
}

}  // namespace

std::optional<ClaimPolicy> claim_policy_named(std::string_view name) {
    constexpr std::array<std::string_view, 3> names = {"never", "unused", "always"};
    const auto found = std::find(names.begin(), names.end(), name);
    return found == names.end() ? std::nullopt
                                : std::optional(static_cast<ClaimPolicy>(std::distance(names.begin(), found)));
}

Result<Manifest> parse_manifest(const std::string& file, const std::string& text) {
    auto located = parse_located(text);
    if (!located) {
        return fail(located.error().code, file + ":" + located.error().stage.substr(5), located.error().detail);
    }
    return ManifestReader(file, *located).read();
}

Result<std::vector<Manifest>> load_manifests(const std::filesystem::path& directory) {
    std::error_code error;
    std::vector<std::filesystem::path> files;
    for (const auto& item : std::filesystem::directory_iterator(directory, error)) {
        if (item.path().extension() == ".json") {
            files.push_back(item.path());
        }
    }
    if (error) {
        return fail(error.value(), "drivers directory " + directory.string());
    }
    std::sort(files.begin(), files.end());
    std::vector<Manifest> manifests;
    for (const auto& file : files) {
        std::ifstream stream(file, std::ios::binary);
        std::stringstream text;
        text << stream.rdbuf();
        auto manifest = stream ? parse_manifest(file.string(), text.str())
                               : Result<Manifest>(fail(EIO, file.string(), "cannot be read"));
        if (manifest) {
            manifests.push_back(std::move(*manifest));
        } else {
            log::error("manifest left out: " + manifest.error().text());
        }
    }
    return manifests;
}

}  // namespace plugfs
