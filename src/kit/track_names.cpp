#include "kit/track_names.h"

#include "common/names.h"

#include <algorithm>
#include <charconv>

namespace plugfs::kit {

namespace {

std::string_view value_of(const std::vector<Attribute>& attributes, std::string_view name) {
    const auto found = std::find_if(attributes.begin(), attributes.end(),
                                    [name](const Attribute& attribute) { return attribute.name == name; });
    return found == attributes.end() ? std::string_view() : std::string_view(found->value);
}

// "3", "03" and "3/12" are 3.
std::optional<unsigned> track_number(std::string_view text) {
    unsigned number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    constexpr unsigned most = 9999;
    return error == std::errc() && number > 0 && number <= most ? std::optional(number) : std::nullopt;
}

}  // namespace

std::optional<TrackPlace> track_place(const std::vector<Attribute>& attributes, std::string_view filename) {
    constexpr std::string_view marks[] = {"media.title", "media.artist", "media.album",      "media.album_artist",
                                          "media.genre", "media.track",  "media.duration_ms"};
    const bool is_track = std::any_of(std::begin(marks), std::end(marks),
                                      [&](std::string_view mark) { return !value_of(attributes, mark).empty(); });
    if (!is_track) {
        return std::nullopt;
    }
    const auto dot = filename.rfind('.');
    const bool has_extension = dot != std::string_view::npos && dot > 0;
    const auto extension = has_extension ? filename.substr(dot) : std::string_view();
    const auto album_artist = value_of(attributes, "media.album_artist");
    const auto title = value_of(attributes, "media.title");
    std::string name;
    if (title.empty()) {
        name = filename;
    } else {
        if (const auto number = track_number(value_of(attributes, "media.track"))) {
            name = (*number < 10 ? "0" : "") + std::to_string(*number) + " ";
        }
        name += std::string(title) + std::string(extension);
    }
    TrackPlace place;
    place.artist =
        safe_name(album_artist.empty() ? value_of(attributes, "media.artist") : album_artist, "Unknown Artist");
    place.album = safe_name(value_of(attributes, "media.album"), "Unknown Album");
    place.file = safe_name(name, "Unknown Title");
    return place;
}

}  // namespace plugfs::kit
