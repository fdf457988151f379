// Times as FAT and exFAT have them: two seconds a step, 1980 to 2107, in local time (Microsoft FAT specification 6,
// exFAT specification 7.4.8). Seconds elsewhere are since 1970-01-01 UTC.
#pragma once

#include <cstdint>
#include <optional>

namespace plugfs::storage {

struct DosTime {
    std::uint16_t date = 0;  // year - 1980 << 9 | month << 5 | day
    std::uint16_t time = 0;  // hour << 11 | minute << 5 | second / 2
    bool odd_second = false;
    friend bool operator==(const DosTime&, const DosTime&) = default;
};

// `offset`: minutes that local time is ahead of UTC. What lies outside the years becomes the nearest time within.
[[nodiscard]] DosTime to_dos_time(std::int64_t seconds, int offset);
// Nothing: no date, or a time that does not exist.
[[nodiscard]] std::optional<std::int64_t> from_dos_time(const DosTime& time, int offset);

}  // namespace plugfs::storage
