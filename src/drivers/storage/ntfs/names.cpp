#include "drivers/storage/ntfs/names.h"

#include "drivers/storage/text/utf16.h"
#include "drivers/storage/volume.h"

#include <plugfs/driver.h>

#include <algorithm>
#include <bit>

namespace plugfs::storage::ntfs {

namespace {

constexpr std::size_t name_limit = 255;
constexpr unsigned key_bits = 56;
constexpr unsigned sequence_bits = 16;
static_assert(volume_key_limit == Key{1} << key_bits);
static_assert(std::endian::native == std::endian::little && sizeof(ntfschar) == sizeof(char16_t),
              "structures of the medium are used as they are");

}  // namespace

Result<std::u16string> new_name(const std::string& name) {
    constexpr std::u16string_view forbidden = u"\"*/:<>?\\|";
    const auto out = utf8_to_utf16(name);
    if (!out || out->empty() || out->back() == u'.' || out->back() == u' ' ||
        std::any_of(out->begin(), out->end(),
                    [&](char16_t c) { return c < 0x20 || forbidden.find(c) != std::u16string_view::npos; })) {
        return fail(EINVAL, "name", quoted(name));
    }
    return out->size() > name_limit ? Result<std::u16string>(fail(ENAMETOOLONG, "name", quoted(name)))
                                    : Result<std::u16string>(*out);
}

std::u16string name_of(const FILE_NAME_ATTR& name) {
    std::u16string out(name.file_name_length, u'\0');
    std::memcpy(out.data(), name.file_name, out.size() * sizeof(char16_t));
    return out;
}

const ntfschar* units(const std::u16string& name) {
    return reinterpret_cast<const ntfschar*>(name.data());
}

Keys::Keys(std::uint64_t records)
    : record_bits_(std::clamp<unsigned>(static_cast<unsigned>(std::bit_width(records)), 8, 32)),
      hash_bits_(key_bits - sequence_bits - record_bits_) {}

std::uint64_t Keys::hash(std::uint64_t folder, std::u16string_view name) const {
    std::uint64_t value = folder * 0x9e3779b97f4a7c15;
    for (const char16_t unit : name) {
        value = (value ^ unit) * 0x100000001b3;
    }
    value ^= value >> 32U;
    value *= 0x9e3779b97f4a7c15;
    return value >> (64 - hash_bits_);
}

Key Keys::make(std::uint64_t record, std::uint16_t sequence, std::uint64_t folder, std::u16string_view name) const {
    return ((hash(folder, name) << sequence_bits | sequence) << record_bits_) | record;
}

Keys::Parts Keys::split(Key key) const {
    return {key & ((std::uint64_t{1} << record_bits_) - 1), static_cast<std::uint16_t>(key >> record_bits_),
            key >> (record_bits_ + sequence_bits)};
}

}  // namespace plugfs::storage::ntfs
