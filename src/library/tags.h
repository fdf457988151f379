// Tags: what audio files say of themselves (ID3, Vorbis comments, MP4 and ASF metadata, RIFF INFO), as attributes.
//
// For devices that do not say it themselves: only the parts of a file are read in which tags and lengths stand, through
// a function that the driver gives, with a bound on all of it. The parsers are TagLib's; they run in the driver's
// process, where what a hostile file does to them ends.
#pragma once

#include <plugfs/attributes.h>
#include <plugfs/result.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace plugfs::library {

// A file on a device. `read` is Driver::read(): up to out.size() bytes at an offset, fewer at the end.
struct TaggedFile {
    std::string name;  // its extension says what it is
    std::uint64_t size = 0;
    std::function<Result<std::size_t>(std::uint64_t offset, std::span<std::byte> out)> read;
};

// Bytes that are read of one file, at most.
inline constexpr std::uint64_t read_limit = std::uint64_t{12} << 20U;

// Whether a file of that name may have tags that can be read.
[[nodiscard]] bool may_have_tags(std::string_view filename);
// What is known of a file (plugfs/attributes.h); of a cover, its size. ENODATA: nothing, it is no such file. Errors of
// `read` come back as they are.
[[nodiscard]] Result<std::vector<Attribute>> read_tags(const TaggedFile& file);
// The cover. ENODATA: there is none; EFBIG: more than Attributes::value_limit.
[[nodiscard]] Result<std::string> read_cover(const TaggedFile& file);

}  // namespace plugfs::library
