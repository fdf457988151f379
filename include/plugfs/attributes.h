// Attributes: what a device knows of a file besides its name, size and time; see Driver::attributes().
//
// Programs see them as extended attributes in the name space "user": media.artist is user.media.artist. Names in use:
//
//   media.title, media.artist, media.album, media.album_artist, media.genre, media.composer
//   media.track, media.disc     numbers, from 1
//   media.year                  four digits
//   media.duration_ms           a number
//   media.cover                 the picture on the album's cover, JPEG or PNG as it is
//   media.thumbnail             a small picture, the same
//
// What is not known is left out. Of a file with any of the first seven or a duration the kit makes a track, if
// makes_tracks() says so: tracks/<artist>/<album>/<NN title>.<ext>.
#pragma once

#include <plugfs/result.h>
#include <plugfs/tree.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace plugfs {

struct Attribute {
    std::string name;
    std::string value;
    // Of a picture: its size in bytes, known before it has been fetched. `value` is empty then, and asked for with
    // Attributes::get() when somebody wants it.
    std::optional<std::uint64_t> size = std::nullopt;
};

class Attributes {
  public:
    static constexpr std::uint64_t value_limit = std::uint64_t{8} << 20U;  // bytes of the largest picture

    virtual ~Attributes() = default;

    // All that is known of a file. Kept until the file changes. ESTALE as in Driver::read(); ENOTSUP: nothing is known
    // of files like this.
    [[nodiscard]] virtual Result<std::vector<Attribute>> list(Key file) = 0;
    // One whose value list() has left out. ENODATA: there is none after all; EFBIG: more than value_limit.
    [[nodiscard]] virtual Result<std::string> get(Key file, const std::string& name) = 0;
    // Optional: sets one (with nothing: removes it). EINVAL: the value is not possible; ENOTSUP: the device, or this
    // file, does not have it; EPERM: it cannot be changed. May be called again with the same value.
    [[nodiscard]] virtual Result<void> set(Key file, const std::string& name, const std::optional<std::string>& value) {
        (void)file;
        (void)value;
        return fail(ENOTSUP, name);
    }

    // Whether tracks/ is shown; asked once, after start() (later: Host::show_tracks()). Then the kit looks at all files
    // of the device, when somebody looks into tracks/.
    [[nodiscard]] virtual bool makes_tracks() const { return false; }
};

}  // namespace plugfs
