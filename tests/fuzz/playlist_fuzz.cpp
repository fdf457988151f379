// Playlists of any bytes, and paths in them.
#include "library/playlist.h"
#include "library/playlist_paths.h"

#include <cstdlib>

using namespace plugfs::library;

namespace {

void require(bool promise) {
    if (!promise) {
        std::abort();
    }
}

// As a file on a volume.
void look_at_file(std::string_view text) {
    const auto look = [](const std::string& path) -> plugfs::Result<std::optional<std::string>> {
        require(!path.empty() && path.front() != '#');
        for (const char* folder : {"", "Music", "Music/Lists"}) {
            const auto whole = path_on_volume(folder, path);
            if (!whole) {
                continue;
            }
            require(!whole->empty() && whole->front() != '/' && !whole->ends_with("/.."));
            require(!whole->starts_with("../") && whole->find("/../") == std::string::npos);
            // As long as its first name is no drive: "E:".
            const bool odd = whole->find(":/") != std::string::npos;
            require(odd || path_on_volume(folder, path_from_folder(folder, *whole)) == whole);
        }
        return std::optional(path);
    };
    const auto same = map_playlist(text, look);
    if (same && same->size() <= playlist_size_limit) {
        const auto again = map_playlist(*same, look);
        require(again && *again == *same);
    }
    if (const auto m3u = m3u_of_pls(text); m3u && m3u->size() <= playlist_size_limit) {
        require(pls_of_m3u(*m3u).ok());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    look_at_file(text);
    const auto lines = read_playlist(text);
    if (!lines) {
        require(lines.error().code == EINVAL && !lines.error().detail.empty());
        return 0;
    }
    std::vector<std::string> tracks;
    std::vector<PlaylistTrack> named;
    for (const auto& line : *lines) {
        require(!line.empty() && line.find('\n') == std::string::npos);
        if (const auto path = storage_path(line)) {
            require(path->starts_with("../storage/") && path->find("/../") == std::string::npos);
            require(storage_path(*path) == *path);
            tracks.push_back(*path);
            named.push_back({*path, std::string(text.substr(0, line.size())), line.size()});
        }
    }
    // What we write, we read.
    const auto again = read_playlist(write_playlist(named));
    require(again && again->size() == tracks.size());
    for (std::size_t i = 0; i < tracks.size(); ++i) {
        require((*again)[i] == tracks[i] || tracks[i].find_first_of("\r\t ") != std::string::npos);
    }
    return 0;
}
