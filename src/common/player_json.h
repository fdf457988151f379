// A player's description (plugfs/player.h) on its way from the supervisor to a worker, in the message "start".
#pragma once

#include <plugfs/player.h>

#include <nlohmann/json_fwd.hpp>

#include <optional>

namespace plugfs {

inline constexpr std::size_t player_list_limit = 16;   // folders, and formats
inline constexpr std::size_t player_text_limit = 200;  // bytes of one: so all of it fits into a message

[[nodiscard]] nlohmann::json player_to_json(const PlayerDescription& player);
// Nothing: it is no description (null, too many or too long folders).
[[nodiscard]] std::optional<PlayerDescription> player_from_json(const nlohmann::json& json);

}  // namespace plugfs
