#include "drivers/mtp/datasets.h"

#include <algorithm>
#include <unordered_map>

namespace plugfs::mtp {

namespace {

Error too_short(const char* dataset, const ByteReader& reader, std::size_t size) {
    return fail(EIO, dataset,
                "a field at offset " + std::to_string(reader.failed_at()) + " passes the end of " +
                    std::to_string(size) + " bytes");
}

std::string hexadecimal(std::uint32_t number) {
    constexpr const char* digits = "0123456789abcdef";
    std::string text = "0x";
    for (int shift = 12; shift >= 0; shift -= 4) {
        text += digits[(number >> static_cast<unsigned>(shift)) & 15U];
    }
    return text;
}

// One property of one object in an ObjectPropList. What is not needed is skipped; what has another type than the
// specification says is an error, because nothing after it can be trusted.
Result<void> read_property(ByteReader& reader, std::uint16_t property, std::uint16_t type, ObjectInfo& object) {
    const auto expect = [&](std::uint16_t wanted) -> Result<void> {
        if (type != wanted) {
            return fail(EIO, "ObjectPropList",
                        "property " + hexadecimal(property) + " has data type " + hexadecimal(type));
        }
        return {};
    };
    switch (property) {
        case object_property::storage_id:
            PLUGFS_TRY(expect(data_type::uint32));
            object.storage_id = reader.u32le();
            break;
        case object_property::object_format:
            PLUGFS_TRY(expect(data_type::uint16));
            object.object_format = reader.u16le();
            break;
        case object_property::object_size:
            // 64 bits by the specification; some devices send 32.
            if (type == data_type::uint32) {
                object.size = reader.u32le();
                object.size_known = object.size != size_not_in_32_bits;
            } else {
                PLUGFS_TRY(expect(data_type::uint64));
                object.size = reader.u64le();
                object.size_known = true;
            }
            break;
        case object_property::object_file_name:
            PLUGFS_TRY(expect(data_type::string));
            object.filename = read_string(reader, &object.damaged_name);
            break;
        case object_property::date_created:
            PLUGFS_TRY(expect(data_type::string));
            object.created = parse_date_time(read_string(reader));
            break;
        case object_property::date_modified:
            PLUGFS_TRY(expect(data_type::string));
            object.modified = parse_date_time(read_string(reader));
            break;
        case object_property::parent_object:
            PLUGFS_TRY(expect(data_type::uint32));
            object.parent = reader.u32le();
            break;
        case object_property::persistent_unique_object_identifier: {
            PLUGFS_TRY(expect(data_type::uint128));
            const auto bytes = reader.take(16);
            if (std::all_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte == std::byte{0}; })) {
                break;
            }
            object.persistent_identity.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
            break;
        }
        default:
            if (!skip_value(reader, type)) {
                return fail(EIO, "ObjectPropList",
                            "value of property " + hexadecimal(property) + " with data type " + hexadecimal(type) +
                                " at offset " + std::to_string(reader.offset()));
            }
    }
    return {};
}

}  // namespace

bool DeviceInfo::supports(std::uint16_t operation) const {
    return std::find(operations_supported.begin(), operations_supported.end(), operation) != operations_supported.end();
}

Result<DeviceInfo> parse_device_info(std::span<const std::byte> dataset) {
    ByteReader reader(dataset);
    DeviceInfo info;
    info.standard_version = reader.u16le();
    info.vendor_extension_id = reader.u32le();
    reader.skip(2);  // VendorExtensionVersion
    info.vendor_extension_description = read_string(reader);
    info.functional_mode = reader.u16le();
    info.operations_supported = read_array_16(reader);
    info.events_supported = read_array_16(reader);
    info.device_properties_supported = read_array_16(reader);
    info.capture_formats = read_array_16(reader);
    info.image_formats = read_array_16(reader);
    if (!reader.ok()) {
        return too_short("DeviceInfo", reader, dataset.size());
    }
    // Some devices leave the last strings out; what is missing stays empty.
    info.manufacturer = read_string(reader);
    info.model = read_string(reader);
    info.device_version = read_string(reader);
    info.serial_number = read_string(reader);
    return info;
}

Result<StorageInfo> parse_storage_info(std::span<const std::byte> dataset) {
    ByteReader reader(dataset);
    StorageInfo info;
    info.storage_type = reader.u16le();
    info.filesystem_type = reader.u16le();
    info.access_capability = reader.u16le();
    info.max_capacity = reader.u64le();
    info.free_space_in_bytes = reader.u64le();
    reader.skip(4);  // FreeSpaceInObjects
    if (!reader.ok()) {
        return too_short("StorageInfo", reader, dataset.size());
    }
    info.storage_description = read_string(reader);
    info.volume_label = read_string(reader);
    return info;
}

Result<ObjectInfo> parse_object_info(std::uint32_t handle, std::span<const std::byte> dataset) {
    ByteReader reader(dataset);
    ObjectInfo info;
    info.handle = handle;
    info.storage_id = reader.u32le();
    info.object_format = reader.u16le();
    reader.skip(2);  // ProtectionStatus
    info.size = reader.u32le();
    info.size_known = info.size != size_not_in_32_bits;
    reader.skip(2 + 4 + 4 + 4 + 4 + 4 + 4);  // thumbnail and image: formats, sizes, depth
    info.parent = reader.u32le();
    reader.skip(2 + 4 + 4);  // AssociationType, AssociationDesc, SequenceNumber
    info.filename = read_string(reader, &info.damaged_name);
    if (!reader.ok()) {
        return too_short("ObjectInfo", reader, dataset.size());
    }
    info.created = parse_date_time(read_string(reader));
    info.modified = parse_date_time(read_string(reader));
    return info;
}

Result<std::vector<std::uint32_t>> parse_handles(const char* what, std::span<const std::byte> dataset) {
    ByteReader reader(dataset);
    auto handles = read_array_32(reader);
    if (!reader.ok()) {
        return too_short(what, reader, dataset.size());
    }
    return handles;
}

Result<std::vector<ObjectInfo>> parse_object_prop_list(std::span<const std::byte> dataset) {
    ByteReader reader(dataset);
    const std::uint32_t count = reader.u32le();
    // An element has at least a handle, a property, a data type and one byte.
    constexpr std::size_t least_element = 4 + 2 + 2 + 1;
    if (!reader.ok() || count > reader.remaining() / least_element) {
        return fail(EIO, "ObjectPropList",
                    "NumberOfElements " + std::to_string(count) + " in " + std::to_string(dataset.size()) + " bytes");
    }
    std::vector<ObjectInfo> objects;
    std::unordered_map<std::uint32_t, std::size_t> index;
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t handle = reader.u32le();
        const std::uint16_t property = reader.u16le();
        const std::uint16_t type = reader.u16le();
        const auto [at, added] = index.try_emplace(handle, objects.size());
        if (added && objects.size() >= object_limit) {
            return fail(EIO, "ObjectPropList", "more than " + std::to_string(object_limit) + " objects");
        }
        if (added) {
            objects.push_back({.handle = handle});
        }
        PLUGFS_TRY(read_property(reader, property, type, objects[at->second]));
        if (!reader.ok()) {
            return too_short("ObjectPropList", reader, dataset.size());
        }
    }
    return objects;
}

Result<std::uint64_t> parse_object_size(std::span<const std::byte> dataset) {
    ByteReader reader(dataset);
    const std::uint64_t size = dataset.size() >= 8 ? reader.u64le() : reader.u32le();
    return reader.ok() ? Result<std::uint64_t>(size) : too_short("ObjectSize", reader, dataset.size());
}

}  // namespace plugfs::mtp
