#include "supervisor/player_descriptions.h"

#include "common/player_json.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>

namespace plugfs {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t file_limit = std::size_t{64} << 10U;  // bytes
constexpr std::size_t directory_limit = 5000;               // files

std::string_view trimmed(std::string_view text) {
    const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
    while (!text.empty() && blank(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && blank(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
    return out;
}

std::vector<std::string_view> items(std::string_view list) {
    std::vector<std::string_view> found;
    for (std::size_t at = 0; at <= list.size();) {
        const auto end = std::min(list.find(';', at), list.size());
        found.push_back(trimmed(list.substr(at, end - at)));
        at = end + 1;
    }
    return found;
}

// "Music/Playlists/" is "Music/Playlists"; what leads out of the volume is none.
std::optional<std::string> folder(std::string_view path) {
    std::string plain;
    for (std::size_t at = 0; at <= path.size();) {
        const auto end = std::min(path.find('/', at), path.size());
        const auto name = path.substr(at, end - at);
        at = end + 1;
        if (name.empty() || name == ".") {
            continue;
        }
        if (name == ".." || name.find('\\') != std::string_view::npos) {
            return std::nullopt;
        }
        plain += (plain.empty() ? "" : "/") + std::string(name);
    }
    return plain.size() <= player_text_limit ? std::optional(plain) : std::nullopt;
}

// An item that is empty is none, but a list that is empty is the root.
std::vector<std::string> folders(std::string_view value) {
    std::vector<std::string> found;
    if (trimmed(value).empty()) {
        return {""};
    }
    for (const auto item : items(value)) {
        const auto one = item.empty() ? std::nullopt : folder(item);
        if (one && found.size() < player_list_limit && std::find(found.begin(), found.end(), *one) == found.end()) {
            found.push_back(*one);
        }
    }
    return found;
}

std::vector<std::string> formats(std::string_view value) {
    std::vector<std::string> found;
    for (const auto item : items(value)) {
        if (!item.empty() && item.size() <= player_text_limit && found.size() < player_list_limit) {
            found.push_back(lower(item));
        }
    }
    return found;
}

bool has(std::string_view list, std::string_view wanted) {
    const auto all = items(list);
    return std::any_of(all.begin(), all.end(), [wanted](std::string_view item) { return lower(item) == wanted; });
}

}  // namespace

std::optional<PlayerDescription> parse_player_description(std::string_view text, std::uint16_t vendor_id,
                                                          std::uint16_t product_id) {
    std::array<char, 16> wanted{};
    (void)std::snprintf(wanted.data(), wanted.size(), "usb:%04x:%04x", vendor_id, product_id);
    PlayerDescription player;
    bool fits = false;
    bool storage = false;
    std::string section;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.size() > 2 && line.front() == '[' && line.back() == ']') {
            section = lower(line.substr(1, line.size() - 2));
            continue;
        }
        const auto equals = line.find('=');
        if (line.empty() || line.front() == '#' || equals == std::string_view::npos) {
            continue;
        }
        const std::string name = section + "/" + lower(trimmed(line.substr(0, equals)));
        const auto value = trimmed(line.substr(equals + 1));
        if (name == "device/devicematch") {
            fits |= has(value, wanted.data());
        } else if (name == "device/accessprotocol") {
            storage |= has(value, "storage");
        } else if (name == "storage/audiofolders") {
            player.audio_folders = folders(value);
        } else if (name == "storage/playlistpath") {
            player.playlist_folders = folders(value);
        } else if (name == "playlist/formats" || name == "playlists/formats") {
            player.playlist_formats = formats(value);
        } else if (name == "playlist/folderseparator" || name == "playlists/folderseparator") {
            player.backslashes = lower(value) == "dos";
        }
    }
    return fits && storage ? std::optional(std::move(player)) : std::nullopt;
}

std::optional<PlayerDescription> find_player_description(const std::string& directory, const DeviceIdentity& identity) {
    std::error_code error;
    std::size_t count = 0;
    for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
        if (++count > directory_limit) {
            break;
        }
        if (at->path().extension() != ".mpi" || !at->is_regular_file(error)) {
            continue;
        }
        std::string text(file_limit, '\0');
        std::ifstream stream(at->path(), std::ios::binary);
        stream.read(text.data(), static_cast<std::streamsize>(text.size()));
        text.resize(static_cast<std::size_t>(stream.gcount()));
        if (auto found = parse_player_description(text, identity.vendor_id, identity.product_id)) {
            return found;
        }
    }
    return std::nullopt;
}

}  // namespace plugfs
