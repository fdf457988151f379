// What may be written to a control, and what it says when something else is.

#include <plugfs/controls.h>
#include <plugfs/driver.h>

#include <algorithm>
#include <charconv>

namespace plugfs {

namespace {

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_space(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_space(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

std::optional<std::string> number(const Control& control, std::string_view text) {
    if (text.starts_with('+')) {
        text.remove_prefix(1);
    }
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < control.minimum ||
        value > control.maximum) {
        return std::nullopt;
    }
    // Steps are counted from the minimum; the distance may not fit a signed number.
    const auto distance = static_cast<std::uint64_t>(value) - static_cast<std::uint64_t>(control.minimum);
    const bool on_step =
        control.step <= 1 || value == control.maximum || distance % static_cast<std::uint64_t>(control.step) == 0;
    return on_step ? std::optional(std::to_string(value)) : std::nullopt;
}

std::optional<std::string> words(const Control& control, std::string_view text) {
    const bool clean = std::none_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7f;
    });
    return clean && text.size() <= control.longest ? std::optional(std::string(text)) : std::nullopt;
}

}  // namespace

std::string allowed_values(const Control& control) {
    std::string allowed;
    switch (control.type) {
        case Control::Type::number: {
            const bool bounded = control.minimum != INT64_MIN || control.maximum != INT64_MAX;
            allowed =
                bounded ? "a number from " + std::to_string(control.minimum) + " to " + std::to_string(control.maximum)
                        : "a number";
            if (control.step > 1) {
                allowed += " in steps of " + std::to_string(control.step);
            }
            return allowed;
        }
        case Control::Type::choice:
            for (const auto& choice : control.choices) {
                allowed += (allowed.empty() ? "one of: " : ", ") + choice;
            }
            return allowed.empty() ? "nothing" : allowed;
        case Control::Type::text:
            break;
    }
    return "text of at most " + std::to_string(control.longest) + " bytes in one line";
}

Result<std::string> parse_control_value(const Control& control, std::string_view text) {
    const auto wanted = trimmed(text);
    std::optional<std::string> value;
    switch (control.type) {
        case Control::Type::number:
            value = number(control, wanted);
            break;
        case Control::Type::choice:
            if (std::find(control.choices.begin(), control.choices.end(), wanted) != control.choices.end()) {
                value = std::string(wanted);
            }
            break;
        case Control::Type::text:
            value = words(control, wanted);
            break;
    }
    if (!value) {
        return fail(EINVAL, control.name, quoted(wanted, 80) + " is not " + allowed_values(control));
    }
    return std::move(*value);
}

}  // namespace plugfs
