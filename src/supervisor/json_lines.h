// Where in a JSON text each value stands, so that an error can name the line.
#pragma once

#include <plugfs/result.h>

#include <nlohmann/json.hpp>

#include <map>
#include <string>

namespace plugfs {

struct LocatedJson {
    nlohmann::json value;
    std::map<std::string, unsigned> lines;  // JSON pointer ("/match/0/vendor") to line, from 1

    // The line of the value at `pointer`, or of the nearest one that contains it.
    [[nodiscard]] unsigned line(std::string pointer) const;
};

// EINVAL with "line N: what" when the text is not JSON. Depth and size are bounded (64 levels, 1 MiB).
[[nodiscard]] Result<LocatedJson> parse_located(const std::string& text);

}  // namespace plugfs
