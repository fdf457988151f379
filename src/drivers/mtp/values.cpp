// The parts that datasets are made of: strings, arrays, dates, values of any type.

#include "drivers/mtp/datasets.h"

#include <plugfs/unicode.h>

#include <array>
#include <charconv>
#include <chrono>
#include <ctime>

namespace plugfs::mtp {

namespace {

constexpr std::string_view dot_prefix = "~plugfs-dot";

template <class Number, class Read>
std::vector<Number> read_array(ByteReader& reader, Read read) {
    const std::uint32_t count = reader.u32le();
    // Checked before anything is allocated: the count is the device's word.
    if (count > reader.remaining() / sizeof(Number)) {
        reader.skip(reader.remaining() + 1);
        return {};
    }
    std::vector<Number> numbers(count);
    for (auto& number : numbers) {
        number = read();
    }
    return numbers;
}

// The bytes of one integer of a data type; 0 when it is none.
std::size_t integer_width(std::uint16_t type) {
    constexpr std::array<std::uint8_t, 11> widths = {0, 1, 1, 2, 2, 4, 4, 8, 8, 16, 16};
    return type < widths.size() ? widths[type] : 0;
}

std::optional<int> digits(const std::string& text, std::size_t at, std::size_t count) {
    unsigned value = 0;  // of unsigned numbers from_chars() takes no sign: "-0" is no hour
    if (at + count > text.size()) {
        return std::nullopt;
    }
    const char* begin = text.data() + at;
    const auto [end, error] = std::from_chars(begin, begin + count, value);
    return error == std::errc() && end == begin + count ? std::optional(static_cast<int>(value)) : std::nullopt;
}

// Seconds of a time zone, "Z" or "+hhmm" or "-hhmm", anywhere after the seconds; false when it is none that can be.
struct Zone {
    bool valid = true;
    bool given = false;
    int minutes_east = 0;
};
Zone read_zone(const std::string& text) {
    const auto at = text.find_first_of("+-Z", 15);
    if (at == std::string::npos) {
        return {};
    }
    if (text[at] == 'Z') {
        return {.given = true};
    }
    const auto hours = digits(text, at + 1, 2);
    const auto minutes = digits(text, at + 3, 2);
    if (!hours || !minutes || *hours > 14 || *minutes > 59) {
        return {.valid = false};
    }
    const int total = (*hours * 60) + *minutes;
    return {.given = true, .minutes_east = text[at] == '-' ? -total : total};
}

std::optional<std::int64_t> from_local_time(std::tm& fields) {
    fields.tm_isdst = -1;
    fields.tm_wday = -1;  // mktime() sets it when it succeeds, and -1 alone may be a time
    const std::time_t time = std::mktime(&fields);
    return fields.tm_wday < 0 ? std::nullopt : std::optional<std::int64_t>(time);
}

}  // namespace

std::string stored_name(const std::string& name, bool hides_dots) {
    return hides_dots && name.starts_with('.') ? std::string(dot_prefix) + name : name;
}

std::string shown_name(const std::string& stored) {
    const bool meant_otherwise = stored.starts_with(dot_prefix) && stored.substr(dot_prefix.size()).starts_with('.');
    return meant_otherwise ? stored.substr(dot_prefix.size()) : stored;
}

std::string read_string(ByteReader& reader, bool* damaged) {
    const std::size_t count = reader.u8();
    ByteReader units(reader.take(2 * count));
    std::u16string text;
    while (units.ok() && units.remaining() >= 2) {
        const auto unit = static_cast<char16_t>(units.u16le());
        if (unit == 0) {
            break;
        }
        text += unit;
    }
    return utf16_to_utf8(text, damaged);
}

std::vector<std::uint16_t> read_array_16(ByteReader& reader) {
    return read_array<std::uint16_t>(reader, [&reader] { return reader.u16le(); });
}

std::vector<std::uint32_t> read_array_32(ByteReader& reader) {
    return read_array<std::uint32_t>(reader, [&reader] { return reader.u32le(); });
}

std::optional<std::int64_t> parse_date_time(const std::string& text) {
    using namespace std::chrono;
    const auto year_part = digits(text, 0, 4);
    const auto month_part = digits(text, 4, 2);
    const auto day_part = digits(text, 6, 2);
    const auto hour = digits(text, 9, 2);
    const auto minute = digits(text, 11, 2);
    const auto second = digits(text, 13, 2);
    if (!year_part || !month_part || !day_part || !hour || !minute || !second || text[8] != 'T') {
        return std::nullopt;
    }
    const auto date =
        year(*year_part) / month(static_cast<unsigned>(*month_part)) / day(static_cast<unsigned>(*day_part));
    const Zone zone = read_zone(text);
    if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60 || !zone.valid) {
        return std::nullopt;
    }
    if (!zone.given) {
        std::tm fields{};
        fields.tm_year = *year_part - 1900;
        fields.tm_mon = *month_part - 1;
        fields.tm_mday = *day_part;
        fields.tm_hour = *hour;
        fields.tm_min = *minute;
        fields.tm_sec = *second;
        return from_local_time(fields);
    }
    const auto moment =
        sys_days(date) + hours(*hour) + minutes(*minute) + seconds(*second) - minutes(zone.minutes_east);
    return duration_cast<seconds>(moment.time_since_epoch()).count();
}

bool skip_value(ByteReader& reader, std::uint16_t type) {
    if (type == data_type::string) {
        reader.skip(std::size_t{2} * reader.u8());
        return reader.ok();
    }
    const bool array = (type & data_type::array_flag) != 0;
    const std::size_t width = integer_width(type & ~data_type::array_flag);
    if (width == 0) {
        return false;
    }
    const std::uint64_t count = array ? reader.u32le() : 1;
    if (count > reader.remaining() / width) {
        return false;
    }
    reader.skip(static_cast<std::size_t>(count) * width);
    return reader.ok();
}

}  // namespace plugfs::mtp
