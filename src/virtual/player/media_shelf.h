// MediaShelf: what the virtual player knows of its music beyond files: properties of tracks, abstract albums and
// playlists with what they reference, pictures.
//
// Tracks: from their tags, as most players do, and what the initiator has set since. Albums are files ALBUM.alb,
// playlists NAME.pla: a line for each track, its path from the storage's root. As objects they are abstract, without
// content. An album's picture is ALBUM.jpg beside it; a picture is its own thumbnail.
#pragma once

#include "virtual/player/object_store.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace plugfs::virtual_usb {

[[nodiscard]] std::uint16_t format_of(const StoredObject& object);
[[nodiscard]] bool is_abstract(const StoredObject& object);

class MediaShelf {
  public:
    using Properties = std::map<std::uint16_t, std::string>;  // numbers in decimal

    // `store` must outlive it.
    explicit MediaShelf(ObjectStore& store) : store_(store) {}

    // MTP appendix B: those of music that this object has.
    const Properties& properties(const StoredObject& object);
    // A response code.
    std::uint16_t set(const StoredObject& object, std::uint16_t property, const std::string& text);
    // MTP D.2.27, D.2.28: handles, and a response code. Of anything but albums and playlists there are none.
    [[nodiscard]] std::vector<std::uint32_t> references(const StoredObject& object);
    std::uint16_t set_references(const StoredObject& object, const std::vector<std::uint32_t>& handles);
    // The picture that stands for an object.
    [[nodiscard]] static std::optional<std::filesystem::path> sample(const StoredObject& object);

  private:
    struct Known {
        std::uint64_t size = 0;
        std::int64_t modified = 0;
        Properties properties;
    };
    ObjectStore& store_;
    std::map<std::filesystem::path, Known> known_;
    std::map<std::filesystem::path, Properties> set_;
};

}  // namespace plugfs::virtual_usb
