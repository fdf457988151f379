#include "virtual/player/media_shelf.h"

#include "drivers/mtp/codes.h"
#include "library/tags.h"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>

namespace plugfs::virtual_usb {

namespace fs = std::filesystem;
namespace prop = mtp::object_property;
namespace rc = mtp::response;

namespace {

constexpr std::size_t known_limit = 100'000;

struct Name {
    const char* attribute;
    std::uint16_t property;
};
constexpr Name names[] = {{"media.title", prop::name},       {"media.artist", prop::artist},
                          {"media.album", prop::album_name}, {"media.album_artist", prop::album_artist},
                          {"media.genre", prop::genre},      {"media.composer", prop::composer},
                          {"media.track", prop::track},      {"media.duration_ms", prop::duration}};

MediaShelf::Properties from_tags(const StoredObject& object) {
    const UniqueFd file(::open(object.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    const library::TaggedFile tagged{
        object.name, object.size, [&file](std::uint64_t offset, std::span<std::byte> out) -> Result<std::size_t> {
            const ssize_t got = ::pread(file.get(), out.data(), out.size(), static_cast<off_t>(offset));
            return got < 0 ? Result<std::size_t>(fail(errno, "read")) : static_cast<std::size_t>(got);
        }};
    MediaShelf::Properties properties;
    const auto tags = library::read_tags(tagged);
    for (const auto& tag : tags ? *tags : std::vector<Attribute>()) {
        for (const auto& name : names) {
            if (tag.name == name.attribute) {
                properties[name.property] = tag.value;
            }
        }
        if (tag.name == "media.year" && tag.value.size() == 4) {
            properties[prop::original_release_date] = tag.value + "0101T000000";
        }
    }
    return properties;
}

}  // namespace

std::uint16_t format_of(const StoredObject& object) {
    if (object.folder) {
        return mtp::format::association;
    }
    static const std::map<std::string, std::uint16_t> formats = {{".wav", mtp::format::wav},
                                                                 {".mp3", mtp::format::mp3},
                                                                 {".jpg", mtp::format::exif_jpeg},
                                                                 {".m3u", mtp::format::m3u_playlist},
                                                                 {".m3u8", mtp::format::m3u_playlist},
                                                                 {".alb", mtp::format::abstract_audio_album},
                                                                 {".pla", mtp::format::abstract_audio_video_playlist}};
    const auto found = formats.find(object.path.extension());
    return found == formats.end() ? mtp::format::undefined : found->second;
}

bool is_abstract(const StoredObject& object) {
    const auto format = format_of(object);
    return format == mtp::format::abstract_audio_album || format == mtp::format::abstract_audio_video_playlist;
}

const MediaShelf::Properties& MediaShelf::properties(const StoredObject& object) {
    if (known_.size() >= known_limit) {
        known_.clear();
    }
    auto& known = known_[object.path];
    if (known.size != object.size || known.modified != object.modified || known.properties.empty()) {
        known = {object.size, object.modified, object.folder ? Properties() : from_tags(object)};
        if (is_abstract(object)) {
            known.properties[prop::name] = object.path.stem();
        }
        if (const auto picture = sample(object)) {
            std::error_code error;
            const auto size = fs::file_size(*picture, error);
            known.properties[prop::representative_sample_size] = std::to_string(error ? 0 : size);
        }
    }
    if (const auto changed = set_.find(object.path); changed != set_.end()) {
        for (const auto& [property, text] : changed->second) {
            known.properties[property] = text;
        }
    }
    return known.properties;
}

std::uint16_t MediaShelf::set(const StoredObject& object, std::uint16_t property, const std::string& text) {
    if (object.folder || (is_abstract(object) && property != prop::name)) {
        return rc::object_prop_not_supported;
    }
    set_[object.path][property] = text;
    return rc::ok;
}

std::vector<std::uint32_t> MediaShelf::references(const StoredObject& object) {
    std::vector<std::uint32_t> handles;
    if (!is_abstract(object)) {
        return handles;
    }
    const std::uint32_t storage = object.storage;
    std::ifstream lines(object.path);
    for (std::string line; std::getline(lines, line);) {
        if (const auto handle = store_.find_path(storage, line); handle != 0) {
            handles.push_back(handle);
        }
    }
    return handles;
}

std::uint16_t MediaShelf::set_references(const StoredObject& object, const std::vector<std::uint32_t>& handles) {
    if (!is_abstract(object)) {
        return rc::invalid_object_handle;
    }
    const fs::path path = object.path;
    const fs::path root = store_.storage(object.storage)->root;
    std::string lines;
    for (const std::uint32_t handle : handles) {
        const auto* target = store_.find(handle);
        if (target == nullptr || target->folder) {
            return rc::invalid_object_reference;
        }
        lines += target->path.lexically_relative(root).string() + "\n";
    }
    std::ofstream file(path, std::ios::trunc);
    file << lines;
    file.close();
    return file ? rc::ok : rc::store_full;
}

std::optional<fs::path> MediaShelf::sample(const StoredObject& object) {
    const auto format = format_of(object);
    if (format == mtp::format::exif_jpeg) {
        return object.path;
    }
    fs::path picture = object.path;
    picture.replace_extension(".jpg");
    std::error_code error;
    const bool has = format == mtp::format::abstract_audio_album && fs::is_regular_file(picture, error);
    return has ? std::optional(picture) : std::nullopt;
}

}  // namespace plugfs::virtual_usb
