// Where a track is found in tracks/: <artist>/<album>/<NN title>.<ext>, from what is known of it.
#pragma once

#include <plugfs/attributes.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plugfs::kit {

// File names, valid but not yet unique.
struct TrackPlace {
    std::string artist;
    std::string album;
    std::string file;
    bool operator==(const TrackPlace&) const = default;
};

// Nothing: the file is no track. `filename` gives the extension, and the title where there is none.
[[nodiscard]] std::optional<TrackPlace> track_place(const std::vector<Attribute>& attributes,
                                                    std::string_view filename);

}  // namespace plugfs::kit
