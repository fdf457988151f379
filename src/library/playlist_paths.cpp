#include "library/playlist_paths.h"

#include "library/playlist.h"

#include <plugfs/unicode.h>

#include <algorithm>
#include <cctype>
#include <vector>

namespace plugfs::library {

namespace {

constexpr std::size_t path_limit = 4096;  // bytes
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
    return out;
}

std::string_view extension(std::string_view filename) {
    const auto dot = filename.rfind('.');
    return dot == std::string_view::npos || dot == 0 ? std::string_view() : filename.substr(dot + 1);
}

std::string utf8(std::string text) {
    if (is_utf8(text)) {
        return text;
    }
    std::string out;
    for (const char c : text) {
        append_utf8(out, static_cast<unsigned char>(c));
    }
    return out;
}

std::vector<std::string_view> names_in(std::string_view path) {
    std::vector<std::string_view> names;
    for (std::size_t at = 0; at < path.size();) {
        const auto end = std::min(path.find('/', at), path.size());
        if (end != at) {
            names.push_back(path.substr(at, end - at));
        }
        at = end + 1;
    }
    return names;
}

// "File12=Music/a.mp3"
std::optional<std::string> pls_path(const std::string& line) {
    const auto equals = line.find('=');
    if (equals == std::string::npos || equals < 5 || lower(line.substr(0, 4)) != "file" ||
        !std::all_of(line.begin() + 4, line.begin() + static_cast<std::ptrdiff_t>(equals),
                     [](unsigned char c) { return std::isdigit(c) != 0; })) {
        return std::nullopt;
    }
    return line.substr(equals + 1);
}

}  // namespace

std::optional<PlaylistFormat> playlist_format(std::string_view filename) {
    const auto ending = lower(extension(filename));
    if (ending == "m3u" || ending == "m3u8") {
        return PlaylistFormat::m3u;
    }
    return ending == "pls" ? std::optional(PlaylistFormat::pls) : std::nullopt;
}

std::string_view playlist_stem(std::string_view filename) {
    const auto ending = extension(filename);
    return ending.empty() ? filename : filename.substr(0, filename.size() - ending.size() - 1);
}

Result<std::string> map_playlist(std::string_view text, const PathMap& map) {
    PLUGFS_ASSIGN(const auto paths, read_playlist(text));  // it is text, and not too much
    while (text.starts_with(byte_order_mark)) {            // each converter may have put its own there
        text.remove_prefix(byte_order_mark.size());
    }
    std::string mapped;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) {
            line.remove_suffix(1);
        }
        std::string whole = utf8(std::string(line));
        if (!whole.empty() && whole.front() != '#') {
            PLUGFS_ASSIGN(auto path, map(whole));
            if (!path) {
                continue;
            }
            whole = std::move(*path);
        }
        mapped += whole + "\n";
    }
    return mapped;
}

Result<std::string> m3u_of_pls(std::string_view text) {
    PLUGFS_ASSIGN(const auto lines, read_playlist(text));
    std::vector<PlaylistTrack> tracks;
    for (const auto& line : lines) {
        if (auto path = pls_path(line); path && !path->empty()) {
            tracks.push_back({utf8(std::move(*path))});
        }
    }
    return write_playlist(tracks);
}

Result<std::string> pls_of_m3u(std::string_view text) {
    PLUGFS_ASSIGN(const auto paths, read_playlist(text));
    std::string pls = "[playlist]\n";
    for (std::size_t i = 0; i < paths.size(); ++i) {
        pls += "File" + std::to_string(i + 1) + "=" + paths[i] + "\n";
    }
    return pls + "NumberOfEntries=" + std::to_string(paths.size()) + "\nVersion=2\n";
}

std::optional<std::string> path_on_volume(std::string_view folder, std::string_view path) {
    std::string plain(path);
    std::replace(plain.begin(), plain.end(), '\\', '/');
    const bool has_drive = plain.size() > 2 && plain[1] == ':' && plain[2] == '/' &&
                           std::isalpha(static_cast<unsigned char>(plain[0])) != 0;
    if (has_drive) {
        plain.erase(0, 2);
    }
    if (plain.empty() || plain.size() > path_limit || plain.find("://") != std::string::npos) {
        return std::nullopt;
    }
    std::vector<std::string_view> names = plain.starts_with('/') ? std::vector<std::string_view>() : names_in(folder);
    for (const auto name : names_in(plain)) {
        if (name == "..") {
            if (names.empty()) {
                return std::nullopt;
            }
            names.pop_back();
        } else if (name != ".") {
            names.push_back(name);
        }
    }
    std::string whole;
    for (const auto name : names) {
        whole += (whole.empty() ? "" : "/") + std::string(name);
    }
    return whole.empty() ? std::nullopt : std::optional(std::move(whole));
}

std::string path_from_folder(std::string_view folder, std::string_view path) {
    const auto from = names_in(folder);
    const auto to = names_in(path);
    std::size_t common = 0;
    while (common < from.size() && common + 1 < to.size() && from[common] == to[common]) {
        ++common;
    }
    std::string relative;
    for (std::size_t i = common; i < from.size(); ++i) {
        relative += "../";
    }
    for (std::size_t i = common; i < to.size(); ++i) {
        relative += (i == common ? "" : "/") + std::string(to[i]);
    }
    return relative;
}

}  // namespace plugfs::library
