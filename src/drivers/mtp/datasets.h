// Datasets of PTP and MTP, parsed with bounds. All of it is foreign: a length, a count or an offset that does not add
// up is an error that names the dataset and the field.
#pragma once

#include "drivers/mtp/codes.h"

#include <plugfs/bytes.h>
#include <plugfs/result.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace plugfs::mtp {

// PTP 5.3.4: a count of UTF-16 units, the terminating null included, then the units. The result is UTF-8; units that
// are no UTF-16 become U+FFFD, and `damaged` becomes true. A string that passes the end fails the reader.
std::string read_string(ByteReader& reader, bool* damaged = nullptr);
// PTP 5.3.3: a count, then the numbers.
[[nodiscard]] std::vector<std::uint16_t> read_array_16(ByteReader& reader);
[[nodiscard]] std::vector<std::uint32_t> read_array_32(ByteReader& reader);

// PTP 5.3.5: "YYYYMMDDThhmmss" with ".s" and a time zone ("Z", "+hhmm") both optional. Seconds since 1970 UTC; without
// a zone the time is the device's local time (MTP 3.2.5), which is taken to be this machine's: the one lies beside the
// other. Nothing when it is no date. Uses the C library's time zone, which run_driver() has read.
[[nodiscard]] std::optional<std::int64_t> parse_date_time(const std::string& text);

// PTP 5.5.1
struct DeviceInfo {
    std::uint16_t standard_version = 0;
    std::uint32_t vendor_extension_id = 0;
    std::string vendor_extension_description;
    std::uint16_t functional_mode = 0;
    std::vector<std::uint16_t> operations_supported;
    std::vector<std::uint16_t> events_supported;
    std::vector<std::uint16_t> device_properties_supported;
    std::vector<std::uint16_t> capture_formats;
    std::vector<std::uint16_t> image_formats;
    std::string manufacturer;
    std::string model;
    std::string device_version;
    std::string serial_number;

    [[nodiscard]] bool supports(std::uint16_t operation) const;
};
[[nodiscard]] Result<DeviceInfo> parse_device_info(std::span<const std::byte> dataset);

// PTP 5.5.3
struct StorageInfo {
    std::uint16_t storage_type = 0;
    std::uint16_t filesystem_type = 0;
    std::uint16_t access_capability = 0;  // 0: read-write
    std::uint64_t max_capacity = 0;       // bytes
    std::uint64_t free_space_in_bytes = 0;
    std::string storage_description;
    std::string volume_label;
};
[[nodiscard]] Result<StorageInfo> parse_storage_info(std::span<const std::byte> dataset);

// Some devices do not show what begins with a dot, though they take it: there it gets another name.
[[nodiscard]] std::string stored_name(const std::string& name, bool hides_dots);
// The name as it was meant.
[[nodiscard]] std::string shown_name(const std::string& stored);

// What is known of an object, from ObjectInfo (PTP 5.5.2) or from a list of properties.
// Properties of music and pictures (title, artist, ...) as text, by their codes; empty ones are left out.
using MediaProperties = std::map<std::uint16_t, std::string>;
[[nodiscard]] bool is_media_property(std::uint16_t property);

struct ObjectInfo {
    std::uint32_t handle = 0;
    std::uint32_t storage_id = 0;
    std::uint16_t object_format = 0;
    std::uint64_t size = 0;
    bool size_known = false;              // false: ObjectInfo said 0xFFFFFFFF; ask for the property ObjectSize
    std::optional<std::uint32_t> parent;  // 0: in the root; absent: not said
    std::string filename;
    bool damaged_name = false;            // it was no valid UTF-16
    std::optional<std::int64_t> created;  // from an ObjectInfo dataset only where there is no other date
    std::optional<std::int64_t> modified;
    std::shared_ptr<MediaProperties> media;  // null: not said
    std::string persistent_identity;         // the 16 bytes of PersistentUniqueObjectIdentifier; empty if 0 or not said

    [[nodiscard]] bool folder() const { return object_format == format::association; }
};
[[nodiscard]] Result<ObjectInfo> parse_object_info(std::uint32_t handle, std::span<const std::byte> dataset);

// GetStorageIDs, GetObjectHandles: an array of 32-bit numbers.
[[nodiscard]] Result<std::vector<std::uint32_t>> parse_handles(const char* what, std::span<const std::byte> dataset);

// MTP E.2.1.1, ObjectPropList: the objects in it, in the order in which they first appear; at most object_limit.
inline constexpr std::size_t object_limit = 1'000'000;
[[nodiscard]] Result<std::vector<ObjectInfo>> parse_object_prop_list(std::span<const std::byte> dataset);

// GetObjectPropValue of ObjectSize: 64 bits, or 32 from some devices.
[[nodiscard]] Result<std::uint64_t> parse_object_size(std::span<const std::byte> dataset);

// Skips one value of a data type; false when the type is unknown or the value passes the end.
[[nodiscard]] bool skip_value(ByteReader& reader, std::uint16_t data_type);

}  // namespace plugfs::mtp
