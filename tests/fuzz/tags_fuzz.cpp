// Audio files of any bytes. The first byte chooses what the name says that it is.
#include "library/tags.h"

#include <algorithm>
#include <cstdlib>

using namespace plugfs;
using namespace plugfs::library;

namespace {

void require(bool promise) {
    if (!promise) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr const char* names[] = {"a.mp3", "a.wav", "a.flac", "a.ogg", "a.opus",
                                     "a.m4a", "a.wma", "a.aiff", "a.ape"};
    if (size == 0) {
        return 0;
    }
    const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
    std::uint64_t read = 0;
    const TaggedFile file{names[data[0] % std::size(names)], bytes.size(),
                          [&](std::uint64_t offset, std::span<std::byte> out) -> Result<std::size_t> {
                              require(offset <= bytes.size() && out.size() <= bytes.size() - offset);
                              std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
                              read += out.size();
                              return out.size();
                          }};
    const auto attributes = read_tags(file);
    require(read <= read_limit);
    if (!attributes) {
        require(attributes.error().code == ENODATA);
        return 0;
    }
    for (const auto& attribute : *attributes) {
        require(attribute.name.starts_with("media."));
        require(attribute.size || (!attribute.value.empty() && attribute.value.size() <= 1024));
        require(attribute.value.find('\n') == std::string::npos);
        if (attribute.size) {
            const auto cover = read_cover(file);
            require(cover && cover->size() == *attribute.size);
        }
    }
    return 0;
}
