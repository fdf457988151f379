#include "drivers/mtp/playlist_names.h"

#include <string_view>

namespace plugfs::mtp {

namespace {
constexpr std::string_view ending = ".m3u8";
constexpr std::string_view object_ending = ".pla";
}  // namespace

bool is_playlist_name(const std::string& name) {
    return name.size() > ending.size() && name.ends_with(ending) && name.front() != '.';
}

std::string playlist_object_name(const std::string& name) {
    return name.substr(0, name.size() - ending.size()) + std::string(object_ending);
}

std::string playlist_file_name(const std::string& object) {
    const auto dot = object.rfind('.');
    constexpr std::size_t longest_ending = 5;
    const bool has_ending = dot != std::string::npos && dot > 0 && object.size() - dot <= longest_ending;
    return (has_ending ? object.substr(0, dot) : object) + std::string(ending);
}

}  // namespace plugfs::mtp
