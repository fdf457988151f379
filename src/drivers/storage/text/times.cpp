#include "drivers/storage/text/times.h"

#include <algorithm>
#include <chrono>

namespace plugfs::storage {

namespace {

using std::chrono::sys_days;
using std::chrono::year;

constexpr int first_year = 1980;
constexpr int last_year = 2107;
constexpr std::int64_t day_length = 86'400;

std::int64_t seconds_at(int which_year) {
    return sys_days(year(which_year) / std::chrono::January / 1).time_since_epoch().count() * day_length;
}

}  // namespace

DosTime to_dos_time(std::int64_t seconds, int offset) {
    // Clamped first: a sum of hostile numbers may not fit.
    constexpr std::int64_t margin = 2 * day_length;
    seconds = std::clamp(seconds, seconds_at(first_year) - margin, seconds_at(last_year + 1) + margin);
    const std::int64_t local =
        std::clamp(seconds + std::int64_t{offset} * 60, seconds_at(first_year), seconds_at(last_year + 1) - 1);
    const std::chrono::year_month_day day(sys_days(std::chrono::days(local / day_length)));
    const auto second = static_cast<unsigned>(local % day_length);
    DosTime out;
    out.date = static_cast<std::uint16_t>((static_cast<unsigned>(int(day.year()) - first_year) << 9U) |
                                          (unsigned(day.month()) << 5U) | unsigned(day.day()));
    out.time = static_cast<std::uint16_t>(((second / 3600) << 11U) | ((second / 60 % 60) << 5U) | (second % 60 / 2));
    out.odd_second = second % 2 != 0;
    return out;
}

std::optional<std::int64_t> from_dos_time(const DosTime& time, int offset) {
    const std::chrono::year_month_day day(year(first_year + (time.date >> 9U)),
                                          std::chrono::month((time.date >> 5U) & 0xfU),
                                          std::chrono::day(time.date & 0x1fU));
    const unsigned hour = time.time >> 11U;
    const unsigned minute = (time.time >> 5U) & 0x3fU;
    const unsigned second = (time.time & 0x1fU) * 2U;
    if (!day.ok() || hour > 23 || minute > 59 || second > 59) {
        return std::nullopt;
    }
    const std::int64_t days = sys_days(day).time_since_epoch().count();
    return days * day_length + hour * 3600 + minute * 60 + second + (time.odd_second ? 1 : 0) -
           std::int64_t{offset} * 60;
}

}  // namespace plugfs::storage
