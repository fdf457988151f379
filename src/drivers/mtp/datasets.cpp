#include "drivers/mtp/datasets.h"

#include "drivers/mtp/property_value.h"

#include <algorithm>
#include <unordered_map>

namespace plugfs::mtp {

namespace {

Error too_short(const char* dataset, const std::string& field, const ByteReader& reader, std::size_t size) {
    return fail(EIO, dataset,
                field + " at offset " + std::to_string(reader.failed_at()) + " passes the end of " +
                    std::to_string(size) + " bytes");
}

// A dataset read field by field; remembers which one was the first to pass the end.
class Fields {
  public:
    Fields(const char* dataset, std::span<const std::byte> bytes)
        : dataset_(dataset), size_(bytes.size()), reader_(bytes) {}

    std::uint16_t u16(const char* field) { return noted(field, reader_.u16le()); }
    std::uint32_t u32(const char* field) { return noted(field, reader_.u32le()); }
    std::uint64_t u64(const char* field) { return noted(field, reader_.u64le()); }
    std::string string(const char* field, bool* damaged = nullptr) {
        return noted(field, read_string(reader_, damaged));
    }
    std::vector<std::uint16_t> array_16(const char* field) { return noted(field, read_array_16(reader_)); }
    std::vector<std::uint32_t> array_32(const char* field) { return noted(field, read_array_32(reader_)); }
    void skip(const char* field, std::size_t count) { (void)noted(field, reader_.take(count)); }
    [[nodiscard]] bool ok() const { return reader_.ok(); }
    // Only when !ok().
    [[nodiscard]] Error error() const { return too_short(dataset_, failed_, reader_, size_); }

  private:
    template <class Value>
    Value noted(const char* field, Value value) {
        if (!reader_.ok() && failed_ == nullptr) {
            failed_ = field;
        }
        return value;
    }

    const char* dataset_;
    std::size_t size_;
    ByteReader reader_;
    const char* failed_ = nullptr;
};

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
            object.filename = shown_name(read_string(reader, &object.damaged_name));
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
            if (is_media_property(property)) {
                if (auto text = read_value_text(reader, type); text && !text->empty()) {
                    if (object.media == nullptr) {
                        object.media = std::make_shared<MediaProperties>();
                    }
                    (*object.media)[property] = std::move(*text);
                }
                break;
            }
            if (!skip_value(reader, type)) {
                return fail(EIO, "ObjectPropList",
                            "value of property " + hexadecimal(property) + " with data type " + hexadecimal(type) +
                                " at offset " + std::to_string(reader.offset()));
            }
    }
    return {};
}

}  // namespace

bool is_media_property(std::uint16_t property) {
    using namespace object_property;
    constexpr std::uint16_t all[] = {name,  artist,   album_name, album_artist,          genre,
                                     track, duration, composer,   original_release_date, representative_sample_size};
    return std::find(std::begin(all), std::end(all), property) != std::end(all);
}

bool DeviceInfo::supports(std::uint16_t operation) const {
    return std::find(operations_supported.begin(), operations_supported.end(), operation) != operations_supported.end();
}

Result<DeviceInfo> parse_device_info(std::span<const std::byte> dataset) {
    Fields fields("DeviceInfo", dataset);
    DeviceInfo info;
    info.standard_version = fields.u16("StandardVersion");
    info.vendor_extension_id = fields.u32("VendorExtensionID");
    fields.skip("VendorExtensionVersion", 2);
    info.vendor_extension_description = fields.string("VendorExtensionDesc");
    info.functional_mode = fields.u16("FunctionalMode");
    info.operations_supported = fields.array_16("OperationsSupported");
    info.events_supported = fields.array_16("EventsSupported");
    info.device_properties_supported = fields.array_16("DevicePropertiesSupported");
    info.capture_formats = fields.array_16("CaptureFormats");
    info.image_formats = fields.array_16("ImageFormats");
    if (!fields.ok()) {
        return fields.error();
    }
    // Some devices leave the last strings out; what is missing stays empty.
    info.manufacturer = fields.string("Manufacturer");
    info.model = fields.string("Model");
    info.device_version = fields.string("DeviceVersion");
    info.serial_number = fields.string("SerialNumber");
    return info;
}

Result<StorageInfo> parse_storage_info(std::span<const std::byte> dataset) {
    Fields fields("StorageInfo", dataset);
    StorageInfo info;
    info.storage_type = fields.u16("StorageType");
    info.filesystem_type = fields.u16("FilesystemType");
    info.access_capability = fields.u16("AccessCapability");
    info.max_capacity = fields.u64("MaxCapacity");
    info.free_space_in_bytes = fields.u64("FreeSpaceInBytes");
    fields.skip("FreeSpaceInObjects", 4);
    if (!fields.ok()) {
        return fields.error();
    }
    info.storage_description = fields.string("StorageDescription");
    info.volume_label = fields.string("VolumeLabel");
    return info;
}

Result<ObjectInfo> parse_object_info(std::uint32_t handle, std::span<const std::byte> dataset) {
    Fields fields("ObjectInfo", dataset);
    ObjectInfo info;
    info.handle = handle;
    info.storage_id = fields.u32("StorageID");
    info.object_format = fields.u16("ObjectFormat");
    fields.skip("ProtectionStatus", 2);
    info.size = fields.u32("ObjectCompressedSize");
    info.size_known = info.size != size_not_in_32_bits;
    fields.skip("ThumbFormat", 2);
    fields.skip("ThumbCompressedSize to ImageBitDepth", 6 * 4);
    info.parent = fields.u32("ParentObject");
    fields.skip("AssociationType", 2);
    fields.skip("AssociationDesc", 4);
    fields.skip("SequenceNumber", 4);
    info.filename = shown_name(fields.string("Filename", &info.damaged_name));
    if (!fields.ok()) {
        return fields.error();
    }
    const std::string created = fields.string("DateCreated");
    info.modified = parse_date_time(fields.string("DateModified"));
    if (!info.modified) {
        info.created = parse_date_time(created);  // a local time costs more than all else here
    }
    return info;
}

Result<std::vector<std::uint32_t>> parse_handles(const char* what, std::span<const std::byte> dataset) {
    Fields fields(what, dataset);
    auto handles = fields.array_32("the array");
    return fields.ok() ? Result<std::vector<std::uint32_t>>(std::move(handles)) : fields.error();
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
            return too_short("ObjectPropList", "property " + hexadecimal(property) + " of element " + std::to_string(i),
                             reader, dataset.size());
        }
    }
    // Every object has a name; that alone says nothing of music, and is not worth its memory.
    const auto nothing = std::make_shared<MediaProperties>();
    for (auto& object : objects) {
        const bool only_name =
            object.media != nullptr && object.media->size() == 1 && object.media->count(object_property::name) != 0;
        if (object.media == nullptr || only_name) {
            object.media = nothing;
        }
    }
    return objects;
}

Result<std::uint64_t> parse_object_size(std::span<const std::byte> dataset) {
    Fields fields("ObjectPropValue", dataset);
    const std::uint64_t size = dataset.size() >= 8 ? fields.u64("ObjectSize") : fields.u32("ObjectSize");
    return fields.ok() ? Result<std::uint64_t>(size) : fields.error();
}

}  // namespace plugfs::mtp
