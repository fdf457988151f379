// File names from strings that a device chose.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace plugfs {

inline constexpr std::size_t name_limit = 255;  // NAME_MAX, bytes

// A valid file name that resembles `text`: valid UTF-8 (bad bytes become U+FFFD), no '/' (becomes U+2215, which looks
// like it), no control characters, line or paragraph separators or bidirectional overrides (become '_'), not "." or
// "..", at most 255 bytes, cut between characters and before the extension. Empty text becomes `fallback`.
[[nodiscard]] std::string safe_name(std::string_view text, std::string_view fallback = "unnamed");

// The same for the name of a device's folder, where people type it: also no leading dot, no white space at either end.
[[nodiscard]] std::string safe_device_name(std::string_view text, std::string_view fallback = "device");

// `name` itself if it is free, else "stem (2).ext", "stem (3).ext", ...
[[nodiscard]] std::string unique_name(const std::string& name, const std::function<bool(const std::string&)>& taken);

}  // namespace plugfs
