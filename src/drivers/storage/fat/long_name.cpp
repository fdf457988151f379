#include "drivers/storage/fat/long_name.h"

#include "drivers/storage/text/little_endian.h"

#include <algorithm>

namespace plugfs::storage::fat {

namespace {

constexpr std::size_t slot_size = 32;
constexpr std::uint32_t part_limit = 20;
constexpr std::size_t unit_offsets[units_in_slot] = {1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30};

}  // namespace

void LongName::add(std::span<const std::byte> slot) {
    const auto sequence = get_le<std::uint8_t>(slot, 0);
    const auto sum = get_le<std::uint8_t>(slot, 13);
    const std::uint32_t number = sequence & 0x3fU;
    if ((sequence & last_part) != 0) {
        if (number == 0 || number > part_limit) {
            return reset();
        }
        parts_ = number;
        next_ = number;
        checksum_ = sum;
        units_.assign(number * units_in_slot, u'\0');
    }
    if (parts_ == 0 || number != next_ || sum != checksum_ || number == 0) {
        return reset();
    }
    for (std::size_t i = 0; i < units_in_slot; ++i) {
        units_[(number - 1) * units_in_slot + i] = static_cast<char16_t>(get_le<std::uint16_t>(slot, unit_offsets[i]));
    }
    next_ = number - 1;
}

std::optional<std::u16string> LongName::complete(const ShortName& name) const {
    if (parts_ == 0 || next_ != 0 || checksum_ != checksum(name)) {
        return std::nullopt;
    }
    auto text = units_.substr(0, units_.find(u'\0'));
    return text.empty() || text.size() > name_limit ? std::nullopt : std::optional(std::move(text));
}

std::vector<std::byte> LongName::encode(const std::u16string& name, std::uint8_t checksum) {
    const std::size_t parts = (name.size() + units_in_slot - 1) / units_in_slot;
    std::vector<std::byte> out(parts * slot_size);
    for (std::size_t number = parts; number > 0; --number) {
        const auto slot = std::span(out).subspan((parts - number) * slot_size, slot_size);
        put_le<std::uint8_t>(slot, 0, static_cast<std::uint8_t>(number | (number == parts ? last_part : 0U)));
        put_le<std::uint8_t>(slot, 11, attribute_long_name);
        put_le<std::uint8_t>(slot, 13, checksum);
        for (std::size_t i = 0; i < units_in_slot; ++i) {
            const std::size_t at = (number - 1) * units_in_slot + i;
            const unsigned unit = at < name.size() ? name[at] : (at == name.size() ? 0U : 0xffffU);
            put_le<std::uint16_t>(slot, unit_offsets[i], static_cast<std::uint16_t>(unit));
        }
    }
    return out;
}

}  // namespace plugfs::storage::fat
