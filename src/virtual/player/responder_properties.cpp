// Responder: properties of objects and of the player itself, references and pictures. Datasets as in MTP 5 and
// appendices B to E.

#include "virtual/player/responder.h"
#include "virtual/player/strings.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace plugfs::virtual_usb {

namespace rc = mtp::response;
namespace prop = mtp::object_property;

namespace {

constexpr std::uint16_t object_properties[] = {prop::storage_id,
                                               prop::object_format,
                                               prop::protection_status,
                                               prop::object_size,
                                               prop::object_file_name,
                                               prop::date_modified,
                                               prop::parent_object,
                                               prop::persistent_unique_object_identifier,
                                               prop::name};
// And those of music, which an object has if something is known.
constexpr std::uint16_t music_properties[] = {prop::artist,
                                              prop::album_name,
                                              prop::album_artist,
                                              prop::genre,
                                              prop::composer,
                                              prop::track,
                                              prop::duration,
                                              prop::original_release_date,
                                              prop::representative_sample_size};

// Properties come as parameters of 32 bits: what has more than 16 is none.
std::uint16_t type_of(std::uint32_t property) {
    namespace type = mtp::data_type;
    switch (property) {
        case prop::storage_id:
        case prop::parent_object:
            return type::uint32;
        case prop::object_format:
        case prop::protection_status:
            return type::uint16;
        case prop::object_size:
            return type::uint64;
        case prop::persistent_unique_object_identifier:
            return type::uint128;
        case prop::object_file_name:
        case prop::date_modified:
        case prop::name:
        case prop::artist:
        case prop::album_name:
        case prop::album_artist:
        case prop::genre:
        case prop::composer:
        case prop::original_release_date:
            return type::string;
        case prop::track:
            return type::uint16;
        case prop::duration:
        case prop::representative_sample_size:
            return type::uint32;
        case prop::representative_sample_data:
            return type::array_flag | type::uint8;
        default:
            return 0;
    }
}

}  // namespace

void Responder::write_property(ByteWriter& out, const StoredObject& object, std::uint16_t property) {
    switch (property) {
        case prop::storage_id:
            out.u32le(object.storage);
            break;
        case prop::object_format:
            out.u16le(format_of(object));
            break;
        case prop::protection_status:
            out.u16le(0);
            break;
        case prop::object_size:
            out.u64le(is_abstract(object) ? 0 : object.size);
            break;
        case prop::object_file_name:
            write_string(out, shown_name(object));
            break;
        case prop::name: {
            const auto text = media_text(object, property);
            write_string(out, text.empty() ? shown_name(object) : text);
            break;
        }
        case prop::date_modified:
            write_string(out, date_time(object.modified, faults_.on("local-dates")));
            break;
        case prop::parent_object:
            out.u32le(object.parent);
            break;
        case prop::persistent_unique_object_identifier:
            out.u64le(object.identity[0]);
            out.u64le(object.identity[1]);
            break;
        case prop::track:
            out.u16le(static_cast<std::uint16_t>(std::atoi(media_text(object, property).c_str())));
            break;
        case prop::duration:
        case prop::representative_sample_size:
            out.u32le(static_cast<std::uint32_t>(std::atoi(media_text(object, property).c_str())));
            break;
        case prop::representative_sample_data:
            write_sample(out, object);
            break;
        default:
            if (type_of(property) == mtp::data_type::string) {
                write_string(out, media_text(object, property));
            }
            break;
    }
}

std::string Responder::media_text(const StoredObject& object, std::uint16_t property) {
    if (object.handle == 0) {
        return {};
    }
    const auto& properties = shelf_.properties(object);
    const auto found = properties.find(property);
    return found == properties.end() ? std::string() : found->second;
}

void Responder::write_sample(ByteWriter& out, const StoredObject& object) {
    std::ifstream picture;
    if (const auto path = MediaShelf::sample(object)) {
        picture.open(*path, std::ios::binary);
    }
    const std::string bytes((std::istreambuf_iterator<char>(picture)), {});
    out.u32le(static_cast<std::uint32_t>(bytes.size()));
    out.append(std::as_bytes(std::span(bytes)));
}

// PTP 10.5.10
std::uint16_t Responder::thumb(std::uint32_t handle) {
    const auto* object = store_.find(handle);
    if (object == nullptr) {
        return rc::invalid_object_handle;
    }
    if (!MediaShelf::sample(*object)) {
        return rc::no_thumbnail_present;
    }
    ByteWriter out;
    write_sample(out, *object);
    const auto bytes = std::span(out.bytes()).subspan(4);
    send_dataset({bytes.begin(), bytes.end()});
    return rc::ok;
}

std::uint16_t Responder::object_references(std::uint32_t handle) {
    const auto* object = store_.find(handle);
    if (object == nullptr) {
        return rc::invalid_object_handle;
    }
    const auto handles = shelf_.references(*object);
    ByteWriter out;
    out.u32le(static_cast<std::uint32_t>(handles.size()));
    for (const std::uint32_t each : handles) {
        out.u32le(each);
    }
    send_dataset(std::move(out).take());
    return rc::ok;
}

std::uint16_t Responder::object_prop_value(std::uint32_t handle, std::uint32_t property) {
    const auto* object = store_.find(handle);
    if (object == nullptr) {
        return rc::invalid_object_handle;
    }
    if (type_of(property) == 0) {
        return rc::invalid_object_prop_code;
    }
    ByteWriter out;
    write_property(out, *object, static_cast<std::uint16_t>(property));
    send_dataset(std::move(out).take());
    return rc::ok;
}

std::uint16_t Responder::object_prop_list(const Parameters& parameters) {
    const auto [handle, format, property, group, depth] = parameters;
    const std::uint32_t wanted = property;  // clang 14 does not capture bindings
    if (format != 0) {
        return rc::specification_by_format_unsupported;
    }
    if (group != 0 || (property != mtp::all_properties && type_of(property) == 0)) {
        return rc::parameter_not_supported;
    }
    std::vector<std::uint32_t> handles;
    if (depth == 0 && handle != 0 && handle != 0xFFFFFFFF) {
        if (store_.find(handle) == nullptr) {
            return rc::invalid_object_handle;
        }
        handles = {handle};
    } else if (depth == 1 && handle != 0xFFFFFFFF) {
        if (handle == 0) {
            for (const auto& storage : store_.storages()) {
                const auto some = store_.list(storage.id, 0);
                handles.insert(handles.end(), some.begin(), some.end());
            }
        } else if (const auto* folder = store_.find(handle)) {
            handles = store_.list(folder->storage, handle);
        } else {
            return rc::invalid_object_handle;
        }
    } else {
        return rc::specification_by_depth_unsupported;
    }
    ByteWriter elements;
    std::uint32_t count = 0;
    for (const std::uint32_t item : handles) {
        const auto* object = store_.find(item);
        if (object == nullptr) {
            continue;
        }
        const auto give = [&](std::uint16_t code) {
            if (wanted == mtp::all_properties || wanted == code) {
                elements.u32le(item);
                elements.u16le(code);
                elements.u16le(type_of(code));
                write_property(elements, *object, code);
                ++count;
            }
        };
        std::for_each(std::begin(object_properties), std::end(object_properties), give);
        for (const std::uint16_t code : music_properties) {
            if (!media_text(*object, code).empty()) {
                give(code);
            }
        }
    }
    ByteWriter out;
    out.u32le(count);
    out.append(elements.bytes());
    send_dataset(std::move(out).take());
    return rc::ok;
}

std::uint16_t Responder::object_props_supported() {
    ByteWriter out;
    out.u32le(std::size(object_properties) + std::size(music_properties));
    for (const std::uint16_t code : object_properties) {
        out.u16le(code);
    }
    for (const std::uint16_t code : music_properties) {
        out.u16le(code);
    }
    send_dataset(std::move(out).take());
    return rc::ok;
}

std::uint16_t Responder::object_prop_desc(std::uint32_t property) {
    const std::uint16_t type = type_of(property);
    if (type == 0) {
        return rc::invalid_object_prop_code;
    }
    // MTP 5.2.1: code, type, get only, default value, group, no form
    ByteWriter out;
    out.u16le(static_cast<std::uint16_t>(property));
    out.u16le(type);
    out.u8(0);
    StoredObject none;
    if (type == mtp::data_type::string) {
        out.u8(0);
    } else if (type == mtp::data_type::uint128) {
        out.u64le(0);
        out.u64le(0);
    } else {
        write_property(out, none, static_cast<std::uint16_t>(property));
    }
    out.u32le(0);
    out.u8(0);
    send_dataset(std::move(out).take());
    return rc::ok;
}

std::uint16_t Responder::device_prop(std::uint32_t property, bool description) {
    auto dataset = properties_.dataset(property, description);
    if (!dataset) {
        return rc::device_prop_not_supported;
    }
    send_dataset(std::move(*dataset));
    return rc::ok;
}

}  // namespace plugfs::virtual_usb
