#include "common/player_json.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace plugfs {

using nlohmann::json;

namespace {

bool take_list(const json& object, const char* name, std::vector<std::string>& list) {
    const auto found = object.find(name);
    if (found == object.end() || !found->is_array() || found->size() > player_list_limit) {
        return false;
    }
    for (const auto& item : *found) {
        if (!item.is_string() || item.get_ref<const std::string&>().size() > player_text_limit) {
            return false;
        }
        list.push_back(item.get<std::string>());
    }
    return true;
}

}  // namespace

json player_to_json(const PlayerDescription& player) {
    return {{"audio_folders", player.audio_folders},
            {"playlist_folders", player.playlist_folders},
            {"playlist_formats", player.playlist_formats},
            {"backslashes", player.backslashes}};
}

std::optional<PlayerDescription> player_from_json(const json& object) {
    PlayerDescription player;
    if (!object.is_object() || !take_list(object, "audio_folders", player.audio_folders) ||
        !take_list(object, "playlist_folders", player.playlist_folders) ||
        !take_list(object, "playlist_formats", player.playlist_formats)) {
        return std::nullopt;
    }
    const auto backslashes = object.find("backslashes");
    player.backslashes = backslashes != object.end() && backslashes->is_boolean() && backslashes->get<bool>();
    return player;
}

}  // namespace plugfs
