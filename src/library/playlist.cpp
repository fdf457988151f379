#include "library/playlist.h"

#include <algorithm>

namespace plugfs::library {

namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
constexpr std::string_view storage = "storage";

bool is_control(char each) {
    return static_cast<unsigned char>(each) < 0x20 || each == 0x7F;
}

}  // namespace

std::string write_playlist(const std::vector<PlaylistTrack>& tracks) {
    std::string plain = "#EXTM3U\n";
    std::string extended = plain;
    for (const auto& track : tracks) {
        plain += track.path + "\n";
        if (track.seconds || !track.title.empty()) {
            std::string title = track.title;
            // Whatever it is, it stays within its line.
            std::replace_if(title.begin(), title.end(), is_control, ' ');
            extended += "#EXTINF:" + (track.seconds ? std::to_string(*track.seconds) : "-1") + "," + title + "\n";
        }
        extended += track.path + "\n";
    }
    return extended.size() <= playlist_size_limit ? extended : plain;
}

Result<std::vector<std::string>> read_playlist(std::string_view text) {
    if (text.size() > playlist_size_limit) {
        return fail(EINVAL, "playlist", std::to_string(text.size()) + " bytes");
    }
    while (text.starts_with(byte_order_mark)) {  // each converter may have put its own there
        text.remove_prefix(byte_order_mark.size());
    }
    if (text.find('\0') != std::string_view::npos) {
        return fail(EINVAL, "playlist", "it is no text");
    }
    std::vector<std::string> paths;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) {
            line.remove_suffix(1);
        }
        if (line.empty() || line.front() == '#') {
            continue;
        }
        if (paths.size() >= playlist_track_limit) {
            return fail(EINVAL, "playlist", "more than " + std::to_string(playlist_track_limit) + " tracks");
        }
        paths.emplace_back(line);
    }
    return paths;
}

std::optional<std::string> storage_path(std::string_view path) {
    std::vector<std::string_view> parts;
    bool above = false;  // "..", which is where storage/ lies
    const bool absolute = path.starts_with('/');
    for (std::size_t at = 0; at <= path.size();) {
        const auto end = std::min(path.find('/', at), path.size());
        const auto part = path.substr(at, end - at);
        at = end + 1;
        if (part.empty() || part == ".") {
            continue;
        }
        if (part != "..") {
            parts.push_back(part);
        } else if (!parts.empty()) {
            parts.pop_back();
        } else if (above || absolute) {
            return std::nullopt;
        } else {
            above = true;
        }
    }
    if (absolute) {
        const auto found = std::find(parts.begin(), parts.end(), storage);
        parts.erase(parts.begin(), found);
    } else if (!above) {
        return std::nullopt;
    }
    constexpr std::size_t least_parts = 3;
    if (parts.size() < least_parts || parts.front() != storage) {
        return std::nullopt;
    }
    std::string plain = "..";
    for (const auto part : parts) {
        plain += "/" + std::string(part);
    }
    return plain;
}

}  // namespace plugfs::library
