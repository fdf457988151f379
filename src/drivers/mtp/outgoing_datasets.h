// Datasets of PTP and MTP that we send.
#pragma once

#include "drivers/mtp/datasets.h"

#include <plugfs/bytes.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plugfs::mtp {

// An object that is to be made.
struct NewObject {
    std::uint32_t storage = 0;
    std::uint32_t parent = 0;  // 0: the storage's root
    std::uint16_t object_format = format::undefined;
    std::uint64_t size = 0;
    std::string filename;  // UTF-8, at most string_limit units of UTF-16
    std::optional<std::int64_t> modified;
};

// A string of a dataset has at most 255 units of UTF-16, one of them the null at its end (PTP 5.3.4).
inline constexpr std::size_t string_limit = 254;
// How many units of UTF-16 a text in UTF-8 takes; nothing if it is no valid UTF-8.
[[nodiscard]] std::optional<std::size_t> utf16_length(std::string_view text);
// PTP 5.3.4. `text` is valid and not too long.
void write_string(ByteWriter& writer, std::string_view text);
// PTP 5.3.5, "YYYYMMDDThhmmss" in the device's local time, which is taken to be this machine's; see parse_date_time().
[[nodiscard]] std::string format_date_time(std::int64_t seconds);

// PTP 5.5.2. The size of an object of 4 GiB or more does not fit; see object_prop_list_dataset().
[[nodiscard]] std::vector<std::byte> object_info_dataset(const NewObject& object);

// The format for a file name, by its extension; `undefined` for one that is not known. Players show what they know.
[[nodiscard]] std::uint16_t format_for(std::string_view filename);

}  // namespace plugfs::mtp
