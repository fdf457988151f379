// Controls: what can be set on a device, as files in `controls/`; see Driver::controls().
//
// Each control is a file of its name that holds its value as text, and a newline. Writing to it sets it. The kit checks
// what is written against the control's type before the driver hears of it: whoever writes nonsense gets EINVAL, and
// the log says what is allowed.
#pragma once

#include <plugfs/result.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plugfs {

struct Control {
    enum class Type : std::uint8_t {
        number,  // decimal, from `minimum` to `maximum` in steps of `step`
        choice,  // one of `choices`
        text,    // UTF-8 of at most `longest` bytes, without control characters
    };
    std::string name;  // a file name: lower case, words with hyphens ("battery-level"); unique
    Type type = Type::text;
    bool writable = false;
    std::int64_t minimum = INT64_MIN;  // number
    std::int64_t maximum = INT64_MAX;
    std::int64_t step = 1;
    std::vector<std::string> choices = {};
    std::size_t longest = 255;  // bytes of a text
    // What it is set to, where that is known without asking the device once more.
    std::optional<std::string> value = std::nullopt;
};

// What may be written, for people: "a number from 0 to 100 in steps of 5", "one of: auto, manual".
[[nodiscard]] std::string allowed_values(const Control& control);

// The value in what somebody wrote: without white space around it, a number in its plain form ("007" is "7"). EINVAL:
// it is not allowed; the detail says what is.
[[nodiscard]] Result<std::string> parse_control_value(const Control& control, std::string_view text);

class Controls {
  public:
    virtual ~Controls() = default;

    // All of them. Asked when somebody looks into `controls/`, and again after Host::controls_changed().
    [[nodiscard]] virtual Result<std::vector<Control>> list() = 0;
    // The value of one as it is now, without a newline. ENOENT: there is no such control.
    [[nodiscard]] virtual Result<std::string> get(const std::string& name) = 0;
    // Sets it. `value` is allowed as far as the control's description goes. May be called again with the same value,
    // when a process has died in the middle of it. EINVAL: the device does not take it; ENOTSUP, EIO.
    [[nodiscard]] virtual Result<void> set(const std::string& name, const std::string& value) = 0;
};

}  // namespace plugfs
