#include "virtual/virtual_device.h"

#include <algorithm>

namespace plugfs::virtual_usb {

std::vector<std::byte> ByteSource::take(std::size_t count) {
    const std::size_t from_memory = std::min(count, bytes_.size() - at_);
    const auto begin = bytes_.begin() + static_cast<std::ptrdiff_t>(at_);
    std::vector<std::byte> taken(begin, begin + static_cast<std::ptrdiff_t>(from_memory));
    at_ += from_memory;
    const auto from_file = static_cast<std::size_t>(std::min<std::uint64_t>(count - from_memory, rest_));
    if (from_file > 0) {
        taken.resize(from_memory + from_file);
        read_(std::span(taken).subspan(from_memory));
        rest_ -= from_file;
    }
    return taken;
}

}  // namespace plugfs::virtual_usb
