#include "drivers/storage/exfat/entry_set.h"

#include "drivers/storage/text/little_endian.h"
#include "drivers/storage/text/times.h"

#include <algorithm>

namespace plugfs::storage::exfat {

namespace {

constexpr std::size_t slot_size = 32;
constexpr std::size_t units_in_slot = 15;

// Of the File entry (7.4).
constexpr std::size_t at_secondary_count = 1;
constexpr std::size_t at_checksum = 2;
constexpr std::size_t at_attributes = 4;
constexpr std::size_t at_created = 8;
constexpr std::size_t at_modified = 12;
constexpr std::size_t at_accessed = 16;
constexpr std::size_t at_created_10ms = 20;
constexpr std::size_t at_modified_10ms = 21;
constexpr std::size_t at_created_zone = 22;
constexpr std::size_t at_modified_zone = 23;
constexpr std::size_t at_accessed_zone = 24;
// Of the Stream Extension entry (7.6), from the start of the set.
constexpr std::size_t at_flags = slot_size + 1;
constexpr std::size_t at_name_length = slot_size + 3;
constexpr std::size_t at_name_hash = slot_size + 4;
constexpr std::size_t at_valid = slot_size + 8;
constexpr std::size_t at_cluster = slot_size + 20;
constexpr std::size_t at_size = slot_size + 24;

constexpr std::uint8_t flag_allocation_possible = 0x01;
constexpr std::uint8_t flag_contiguous = 0x02;
constexpr std::uint8_t zone_known = 0x80;
constexpr int zone_step = 15;  // minutes

std::uint16_t set_checksum(std::span<const std::byte> slots) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < slots.size(); ++i) {
        if (i != at_checksum && i != at_checksum + 1) {
            sum = ((sum << 15U | sum >> 1U) + static_cast<std::uint32_t>(slots[i])) & 0xffffU;
        }
    }
    return static_cast<std::uint16_t>(sum);
}

std::size_t slots_for(std::size_t name_length) {
    return (name_length + units_in_slot - 1) / units_in_slot;
}

std::optional<std::int64_t> time_in(std::span<const std::byte> slots, int utc_offset) {
    const auto zone = get_le<std::uint8_t>(slots, at_modified_zone);
    if ((zone & zone_known) != 0) {
        const int steps = (zone & 0x40U) != 0 ? static_cast<int>(zone & 0x7fU) - 128 : static_cast<int>(zone & 0x7fU);
        utc_offset = steps * zone_step;
    }
    const bool odd = get_le<std::uint8_t>(slots, at_modified_10ms) >= 100;
    return from_dos_time(
        {get_le<std::uint16_t>(slots, at_modified + 2), get_le<std::uint16_t>(slots, at_modified), odd}, utc_offset);
}

struct TimeFields {
    std::size_t time;
    std::size_t fraction;  // 0: none
    std::size_t zone;
};

void put_time(std::span<std::byte> slots, const TimeFields& at, std::int64_t seconds, int utc_offset) {
    const int steps = std::clamp(utc_offset / zone_step, -48, 56);
    const DosTime time = to_dos_time(seconds, steps * zone_step);
    put_le<std::uint16_t>(slots, at.time, time.time);
    put_le<std::uint16_t>(slots, at.time + 2, time.date);
    if (at.fraction != 0) {
        put_le<std::uint8_t>(slots, at.fraction, time.odd_second ? 100 : 0);
    }
    put_le<std::uint8_t>(slots, at.zone,
                         static_cast<std::uint8_t>(zone_known | (static_cast<unsigned>(steps) & 0x7fU)));
}

// What is wrong with the kinds of the entries; empty: nothing.
std::string check_types(std::span<const std::byte> slots, std::size_t name_slots) {
    for (std::size_t i = 1; i < slots.size() / slot_size; ++i) {
        const auto type = get_le<std::uint8_t>(slots, i * slot_size);
        const std::uint8_t wanted = i == 1 ? type_stream : type_name;
        const bool known = i < 2 + name_slots;
        constexpr std::uint8_t unknown_but_benign = type_in_use | type_secondary | type_benign;
        if (known ? type != wanted : (type & unknown_but_benign) != unknown_but_benign) {
            return "entry " + std::to_string(i) + " of a set has the type " + std::to_string(type);
        }
    }
    return "";
}

}  // namespace

std::size_t secondary_count(std::span<const std::byte> file_entry) {
    return get_le<std::uint8_t>(file_entry, at_secondary_count);
}

ParsedSet parse_entry_set(std::span<const std::byte> slots, int utc_offset) {
    ParsedSet out;
    const std::size_t count = slots.size() / slot_size;
    if (count < 3 || secondary_count(slots) + 1 != count) {
        out.wrong = "a set has " + std::to_string(count) + " entries";
        return out;
    }
    if (get_le<std::uint16_t>(slots, at_checksum) != set_checksum(slots)) {
        out.wrong = "a set has the wrong SetChecksum";
        return out;
    }
    const std::size_t name_length = get_le<std::uint8_t>(slots, at_name_length);
    if (name_length == 0 || 2 + slots_for(name_length) > count) {
        out.wrong = "a set has the NameLength " + std::to_string(name_length);
        return out;
    }
    out.wrong = check_types(slots, slots_for(name_length));
    for (std::size_t i = 0; i < name_length; ++i) {
        const std::size_t at = (2 + i / units_in_slot) * slot_size + 2 + 2 * (i % units_in_slot);
        out.set.name += static_cast<char16_t>(get_le<std::uint16_t>(slots, at));
    }
    out.set.attributes = get_le<std::uint16_t>(slots, at_attributes);
    out.set.modified = time_in(slots, utc_offset);
    out.set.first_cluster = get_le<std::uint32_t>(slots, at_cluster);
    out.set.contiguous = (get_le<std::uint8_t>(slots, at_flags) & flag_contiguous) != 0;
    out.set.size = get_le<std::uint64_t>(slots, at_size);
    out.set.valid = get_le<std::uint64_t>(slots, at_valid);
    return out;
}

std::vector<std::byte> name_entry_set(std::span<const std::byte> old, const std::u16string& name,
                                      std::uint16_t name_hash) {
    std::vector<std::byte> out(2 * slot_size);
    std::span<const std::byte> unknown;
    if (!old.empty()) {
        std::copy_n(old.begin(), out.size(), out.begin());
        unknown = old.subspan((2 + slots_for(get_le<std::uint8_t>(old, at_name_length))) * slot_size);
    }
    const std::size_t name_slots = slots_for(name.size());
    const std::size_t secondaries = 1 + name_slots + unknown.size() / slot_size;
    if (secondaries > secondary_limit) {
        return {};
    }
    out.resize((2 + name_slots) * slot_size);
    out.insert(out.end(), unknown.begin(), unknown.end());
    const std::span<std::byte> slots(out);
    put_le<std::uint8_t>(slots, 0, type_file);
    put_le<std::uint8_t>(slots, at_secondary_count, static_cast<std::uint8_t>(secondaries));
    put_le<std::uint8_t>(slots, slot_size, type_stream);
    put_le<std::uint8_t>(slots, at_name_length, static_cast<std::uint8_t>(name.size()));
    put_le<std::uint16_t>(slots, at_name_hash, name_hash);
    for (std::size_t i = 0; i < name_slots; ++i) {
        put_le<std::uint8_t>(slots, (2 + i) * slot_size, type_name);
    }
    for (std::size_t i = 0; i < name.size(); ++i) {
        const std::size_t at = (2 + i / units_in_slot) * slot_size + 2 + 2 * (i % units_in_slot);
        put_le<std::uint16_t>(slots, at, name[i]);
    }
    return out;
}

void update_entry_set(std::span<std::byte> slots, const EntrySet& set, int utc_offset) {
    put_le<std::uint16_t>(slots, at_attributes, set.attributes);
    if (set.modified && set.modified != time_in(slots, utc_offset)) {
        put_time(slots, {at_modified, at_modified_10ms, at_modified_zone}, *set.modified, utc_offset);
    }
    const unsigned flags = flag_allocation_possible | (set.contiguous ? flag_contiguous : 0U);
    put_le<std::uint8_t>(slots, at_flags, static_cast<std::uint8_t>(flags));
    put_le<std::uint64_t>(slots, at_valid, set.valid);
    put_le<std::uint32_t>(slots, at_cluster, set.first_cluster);
    put_le<std::uint64_t>(slots, at_size, set.size);
    put_le<std::uint16_t>(slots, at_checksum, set_checksum(slots));
}

void put_creation_time(std::span<std::byte> slots, std::int64_t seconds, int utc_offset) {
    put_time(slots, {at_created, at_created_10ms, at_created_zone}, seconds, utc_offset);
    put_time(slots, {at_accessed, 0, at_accessed_zone}, seconds, utc_offset);
}

std::uint16_t name_hash(const std::u16string& upper) {
    std::uint32_t hash = 0;
    for (const char16_t unit : upper) {
        hash = ((hash << 15U | hash >> 1U) + (unit & 0xffU)) & 0xffffU;
        hash = ((hash << 15U | hash >> 1U) + (unit >> 8U)) & 0xffffU;
    }
    return static_cast<std::uint16_t>(hash);
}

std::uint16_t name_hash_in(std::span<const std::byte> slots) {
    return get_le<std::uint16_t>(slots, at_name_hash);
}

}  // namespace plugfs::storage::exfat
