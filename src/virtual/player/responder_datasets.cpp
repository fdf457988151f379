// Responder: the operations' answers. Datasets as in PTP 5.5 and MTP 5 and appendix B.

#include "virtual/player/responder.h"

#include <fcntl.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <ctime>

namespace plugfs::virtual_usb {

namespace op = mtp::operation;
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

// UTF-8 to UTF-16 units; bytes that are no UTF-8 become units that are no UTF-16, which is what the initiator shall
// cope with.
std::vector<std::uint16_t> utf16(const std::string& text) {
    std::vector<std::uint16_t> units;
    for (std::size_t i = 0; i < text.size();) {
        const auto first = static_cast<unsigned char>(text[i]);
        const std::size_t length =
            first < 0x80 ? 1 : (first >= 0xf0 ? 4 : (first >= 0xe0 ? 3 : (first >= 0xc2 ? 2 : 0)));
        if (length == 0 || i + length > text.size()) {
            units.push_back(0xD800U | first);
            ++i;
            continue;
        }
        std::uint32_t code = length == 1 ? first : first & (0x7fU >> length);
        for (std::size_t k = 1; k < length; ++k) {
            code = (code << 6U) | (static_cast<unsigned char>(text[i + k]) & 0x3fU);
        }
        if (code >= 0x10000) {
            units.push_back(static_cast<std::uint16_t>(0xD800U + ((code - 0x10000) >> 10U)));
            units.push_back(static_cast<std::uint16_t>(0xDC00U + ((code - 0x10000) & 0x3ffU)));
        } else {
            units.push_back(static_cast<std::uint16_t>(code));
        }
        i += length;
    }
    return units;
}

void write_string(ByteWriter& out, const std::string& text) {
    auto units = utf16(text);
    if (units.empty()) {
        out.u8(0);
        return;
    }
    units.resize(std::min<std::size_t>(units.size(), 254));
    out.u8(static_cast<std::uint8_t>(units.size() + 1));
    for (const std::uint16_t unit : units) {
        out.u16le(unit);
    }
    out.u16le(0);
}

void write_array(ByteWriter& out, std::initializer_list<std::uint16_t> numbers) {
    out.u32le(static_cast<std::uint32_t>(numbers.size()));
    for (const std::uint16_t number : numbers) {
        out.u16le(number);
    }
}

std::string date_time(std::int64_t moment) {
    std::array<char, 32> text{};
    std::tm utc{};
    const std::time_t time = moment;
    ::gmtime_r(&time, &utc);
    (void)std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &utc);
    return text.data();
}

std::uint16_t format_of(const StoredObject& object) {
    if (object.folder) {
        return mtp::format::association;
    }
    const auto extension = object.path.extension();
    if (extension == ".wav") {
        return mtp::format::wav;
    }
    if (extension == ".mp3") {
        return mtp::format::mp3;
    }
    return extension == ".m3u8" || extension == ".m3u" ? mtp::format::m3u_playlist : mtp::format::undefined;
}

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
            return type::string;
        default:
            return 0;
    }
}

}  // namespace

std::vector<std::byte> Responder::device_info() const {
    ByteWriter out;
    out.u16le(100);
    out.u32le(6);  // MTP
    out.u16le(110);
    write_string(
        out, supported(op::get_partial_object_64) ? "microsoft.com: 1.0; android.com: 1.0;" : "microsoft.com: 1.0;");
    out.u16le(0);
    std::vector<std::uint16_t> operations;
    for (const std::uint16_t operation : {op::get_device_info,
                                          op::open_session,
                                          op::close_session,
                                          op::get_storage_ids,
                                          op::get_storage_info,
                                          op::get_num_objects,
                                          op::get_object_handles,
                                          op::get_object_info,
                                          op::get_object,
                                          op::get_device_prop_desc,
                                          op::get_device_prop_value,
                                          op::get_partial_object,
                                          op::get_partial_object_64,
                                          op::get_object_props_supported,
                                          op::get_object_prop_desc,
                                          op::get_object_prop_value,
                                          op::get_object_prop_list,
                                          op::send_object_info,
                                          op::send_object,
                                          op::delete_object,
                                          op::move_object,
                                          op::set_object_prop_value,
                                          op::begin_edit_object,
                                          op::end_edit_object,
                                          op::truncate_object,
                                          op::send_partial_object}) {
        if (supported(operation)) {
            operations.push_back(operation);
        }
    }
    out.u32le(static_cast<std::uint32_t>(operations.size()));
    for (const std::uint16_t operation : operations) {
        out.u16le(operation);
    }
    namespace ev = mtp::event;
    write_array(out,
                {ev::object_added, ev::object_removed, ev::store_added, ev::store_removed, ev::object_info_changed});
    write_array(out, {mtp::device_property::battery_level, mtp::device_property::device_friendly_name});
    write_array(out, {});
    namespace fm = mtp::format;
    write_array(out, {fm::undefined, fm::association, fm::wav, fm::mp3, fm::m3u_playlist});
    write_string(out, description_.manufacturer);
    write_string(out, description_.product);
    write_string(out, "1.0");
    write_string(out, description_.serial_number);
    return std::move(out).take();
}

std::uint16_t Responder::storage_ids() {
    ByteWriter out;
    const bool locked = faults_.on("locked");
    out.u32le(locked ? 0 : static_cast<std::uint32_t>(store_.storages().size()));
    for (const auto& storage : store_.storages()) {
        if (!locked) {
            out.u32le(storage.id);
        }
    }
    send_dataset(std::move(out).take());
    return rc::ok;
}

std::uint16_t Responder::storage_info(std::uint32_t id) {
    const auto* storage = store_.storage(id);
    if (storage == nullptr || faults_.on("locked")) {
        return rc::invalid_storage_id;
    }
    struct statvfs space {};
    (void)::statvfs(storage->root.c_str(), &space);
    ByteWriter out;
    out.u16le(3);                                // fixed RAM
    out.u16le(2);                                // generic hierarchical
    out.u16le(faults_.on("read-only") ? 1 : 0);  // read-only without object deletion, or read-write
    out.u64le(std::uint64_t{space.f_blocks} * space.f_frsize);
    out.u64le(free_space(id));
    out.u32le(0xFFFFFFFF);
    write_string(out, storage->name);
    write_string(out, "");
    send_dataset(std::move(out).take());
    return rc::ok;
}

std::uint16_t Responder::object_handles(const Parameters& parameters, bool count_only) {
    const std::uint32_t format = parameters[1];
    const std::uint32_t parent = parameters[2] == mtp::root_parent ? 0 : parameters[2];
    if (format != 0) {
        return rc::specification_by_format_unsupported;
    }
    std::vector<std::uint32_t> folders = {parent};
    std::vector<std::uint32_t> handles;
    for (const auto& storage : store_.storages()) {
        if (faults_.on("locked") || (parameters[0] != mtp::all_storages && parameters[0] != storage.id)) {
            continue;
        }
        const auto some = store_.list(storage.id, parent);
        handles.insert(handles.end(), some.begin(), some.end());
        if (parameters[2] == 0) {
            // Parent 0: every object of the storage (PTP 10.4.7).
            for (std::size_t i = handles.size() - some.size(); i < handles.size(); ++i) {
                const auto more = store_.list(storage.id, handles[i]);
                handles.insert(handles.end(), more.begin(), more.end());
            }
        }
    }
    if (parameters[0] != mtp::all_storages && store_.storage(parameters[0]) == nullptr) {
        return rc::invalid_storage_id;
    }
    if (const auto* folder = store_.find(parent); parent != 0 && (folder == nullptr || !folder->folder)) {
        return rc::invalid_parent_object;
    }
    if (count_only) {
        answer_[0] = static_cast<std::uint32_t>(handles.size());
        return rc::ok;
    }
    ByteWriter out;
    out.u32le(static_cast<std::uint32_t>(handles.size()));
    for (const std::uint32_t handle : handles) {
        out.u32le(handle);
    }
    send_dataset(std::move(out).take());
    return rc::ok;
}

std::string Responder::shown_name(const StoredObject& object) const {
    if (!faults_.on("odd-names") || object.folder) {
        return object.name;
    }
    switch (object.handle % 3) {
        case 0:
            return "twice.wav";
        case 1:
            return "AC/DC " + std::to_string(object.handle) + ".wav";
        default:
            return "bad \xff " + std::to_string(object.handle) + ".wav";
    }
}

std::uint16_t Responder::object_info(std::uint32_t handle) {
    const auto* object = store_.find(handle);
    if (object == nullptr) {
        return rc::invalid_object_handle;
    }
    ByteWriter out;
    out.u32le(object->storage);
    out.u16le(format_of(*object));
    out.u16le(0);
    out.u32le(static_cast<std::uint32_t>(std::min<std::uint64_t>(object->size, mtp::size_not_in_32_bits)));
    out.u16le(0);
    for (int i = 0; i < 6; ++i) {
        out.u32le(0);
    }
    out.u32le(object->parent);
    out.u16le(object->folder ? 1 : 0);
    out.u32le(0);
    out.u32le(0);
    write_string(out, shown_name(*object));
    write_string(out, date_time(object->modified));
    write_string(out, date_time(object->modified));
    write_string(out, "");
    send_dataset(std::move(out).take());
    return rc::ok;
}

void Responder::write_property(ByteWriter& out, const StoredObject& object, std::uint16_t property) const {
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
            out.u64le(object.size);
            break;
        case prop::object_file_name:
        case prop::name:
            write_string(out, shown_name(object));
            break;
        case prop::date_modified:
            write_string(out, date_time(object.modified));
            break;
        case prop::parent_object:
            out.u32le(object.parent);
            break;
        case prop::persistent_unique_object_identifier:
            out.u64le(object.identity[0]);
            out.u64le(object.identity[1]);
            break;
        default:
            break;
    }
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
        for (const std::uint16_t code : object_properties) {
            if (property == mtp::all_properties || property == code) {
                elements.u32le(item);
                elements.u16le(code);
                elements.u16le(type_of(code));
                write_property(elements, *object, code);
                ++count;
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
    out.u32le(std::size(object_properties));
    for (const std::uint16_t code : object_properties) {
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

std::uint16_t Responder::object(std::uint32_t handle, std::uint64_t offset, std::uint64_t length) {
    const auto* object = store_.find(handle);
    if (object == nullptr || object->folder) {
        return rc::invalid_object_handle;
    }
    const bool past_end = offset > object->size || (length != UINT64_MAX && length > object->size - offset);
    if (past_end && faults_.on("read-past-end-hang")) {
        return 0;
    }
    const std::uint64_t count = offset >= object->size ? 0 : std::min(length, object->size - offset);
    const auto file = std::make_shared<UniqueFd>(::open(object->path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!*file) {
        return rc::access_denied;
    }
    answer_[0] = static_cast<std::uint32_t>(count);
    ByteSource bytes;
    auto at = std::make_shared<std::uint64_t>(offset);
    bytes.append(count, [file, at](std::span<std::byte> out) {
        std::size_t done = 0;
        while (done < out.size()) {
            const ssize_t got = ::pread(file->get(), out.data() + done, out.size() - done, static_cast<off_t>(*at));
            if (got <= 0) {
                break;  // the file has become shorter: zeros
            }
            done += static_cast<std::size_t>(got);
            *at += static_cast<std::uint64_t>(got);
        }
    });
    send_data(std::move(bytes));
    return rc::ok;
}

std::uint16_t Responder::device_prop(std::uint32_t property, bool description) {
    ByteWriter out;
    const bool battery = property == mtp::device_property::battery_level;
    if (!battery && property != mtp::device_property::device_friendly_name) {
        return rc::device_prop_not_supported;
    }
    constexpr std::uint8_t level = 80;
    const auto value = [&] { battery ? out.u8(level) : write_string(out, description_.product); };
    if (description) {
        out.u16le(static_cast<std::uint16_t>(property));
        out.u16le(battery ? mtp::data_type::uint8 : mtp::data_type::string);
        out.u8(0);
        value();
    }
    value();
    if (description) {
        out.u8(battery ? 1 : 0);
        if (battery) {
            out.u8(0);
            out.u8(100);
            out.u8(1);
        }
    }
    send_dataset(std::move(out).take());
    return rc::ok;
}

}  // namespace plugfs::virtual_usb
