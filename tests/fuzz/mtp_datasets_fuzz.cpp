// Datasets, containers and events of any bytes. The first byte chooses what the rest is taken for: 0 DeviceInfo,
// 1 StorageInfo, 2 ObjectInfo, 3 an array of handles, 4 ObjectPropList, 5 a string that is a date, 6 a value of some
// type, 7 events in packets, 8 containers, 9 an ObjectPropValue of ObjectSize,
// 10 DevicePropDesc and what may be written to such a property, 11 a value as text.
#include "drivers/mtp/container.h"
#include "drivers/mtp/datasets.h"
#include "drivers/mtp/outgoing_datasets.h"
#include "drivers/mtp/property_value.h"

#include <algorithm>
#include <cstdlib>

using namespace plugfs;
using namespace plugfs::mtp;

namespace {

// What the parsers promise their users.
void require(bool promise) {
    if (!promise) {
        std::abort();
    }
}

// Well-formed UTF-8 without a null; RFC 3629, 4.
void require_utf8(const std::string& text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto first = static_cast<unsigned char>(text[i++]);
        const int more = first < 0x80 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
        require(first != 0 && first < 0xF5 && (first < 0x80 || first >= 0xC2));
        char32_t code = more == 0 ? first : first & (0x3FU >> static_cast<unsigned>(more));
        for (int k = 0; k < more; ++k) {
            require(i < text.size());
            const auto next = static_cast<unsigned char>(text[i++]);
            require(next >= 0x80 && next < 0xC0);
            code = (code << 6U) | (next & 0x3FU);
        }
        require(code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF));
        require(more < 2 || code >= (more == 2 ? 0x800U : 0x10000U));
    }
}

template <class T>
bool checked(const Result<T>& result) {
    if (!result) {
        require(result.error().code == EIO && !result.error().stage.empty() && !result.error().detail.empty());
        require_utf8(result.error().text());
    }
    return result.ok();
}

void check_object(const ObjectInfo& object) {
    require_utf8(object.filename);
    require(object.filename.size() <= 3 * 255);
    require(object.persistent_identity.empty() || object.persistent_identity.size() == 16);
}

void device_info(std::span<const std::byte> bytes) {
    if (const auto info = parse_device_info(bytes); checked(info)) {
        for (const auto* text : {&info->vendor_extension_description, &info->manufacturer, &info->model,
                                 &info->device_version, &info->serial_number}) {
            require_utf8(*text);
        }
        require(info->operations_supported.size() * 2 <= bytes.size());
        for (const std::uint16_t operation : info->operations_supported) {
            require(info->supports(operation));
        }
    }
}

void storage_info(std::span<const std::byte> bytes) {
    if (const auto info = parse_storage_info(bytes); checked(info)) {
        require_utf8(info->storage_description);
        require_utf8(info->volume_label);
    }
}

void object_prop_list(std::span<const std::byte> bytes) {
    if (const auto objects = parse_object_prop_list(bytes); checked(objects)) {
        require(objects->size() * 9 <= bytes.size());
        for (const auto& object : *objects) {
            check_object(object);
        }
    }
}

void date(std::span<const std::byte> bytes) {
    ByteReader reader(bytes);
    const auto text = read_string(reader);
    require_utf8(text);
    // Years have four digits; a zone shifts by a day at most.
    if (const auto moment = parse_date_time(text)) {
        require(*moment > -62'168'000'000 && *moment < 253'403'000'000);
    }
    (void)parse_date_time({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

void value(std::span<const std::byte> bytes) {
    ByteReader reader(bytes);
    const std::uint16_t type = reader.u16le();
    const std::size_t before = reader.offset();
    if (skip_value(reader, type)) {
        require(reader.ok() && reader.offset() > before);
    }
}

void device_prop_desc(std::span<const std::byte> bytes) {
    const auto description = parse_device_prop_desc(bytes);
    if (!checked(description)) {
        return;
    }
    require(description->supported_values.size() <= bytes.size());
    if (description->current_value) {
        require_utf8(*description->current_value);
        // What the device says can be said to it, where its type can be sent at all; but not 255 units without a null.
        const auto again = encode_value(description->data_type, *description->current_value);
        const bool no_null = description->data_type == data_type::string &&
                             utf16_length(*description->current_value).value_or(0) > string_limit;
        require(again || again.error().code == ENOTSUP || no_null);
    }
}

void value_text(std::span<const std::byte> bytes) {
    ByteReader reader(bytes);
    const std::uint16_t type = reader.u16le();
    if (const auto text = read_value_text(reader, type)) {
        require(reader.ok());
        require_utf8(*text);
    }
    (void)encode_value(type, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

// As the driver puts packets together: of at most 28 bytes.
void events(std::span<const std::byte> bytes) {
    std::vector<std::byte> partial;
    while (!bytes.empty()) {
        const std::size_t length = std::min<std::size_t>(std::to_integer<unsigned>(bytes.front()) % 29, bytes.size());
        const auto packet = bytes.first(length);
        bytes = bytes.subspan(std::max<std::size_t>(length, 1));
        partial.insert(partial.end(), packet.begin(), packet.end());
        const auto event = read_event(partial);
        if (!checked(event) || *event) {
            partial.clear();
        }
        // What is no error and no event waits for more, and not for ever.
        require(partial.size() < largest_message);
    }
}

void containers(std::span<const std::byte> bytes) {
    while (bytes.size() >= container_header_size) {
        const auto header = read_container_header(bytes.first<container_header_size>());
        bytes = bytes.subspan(container_header_size);
        const auto parameters = read_parameters(bytes.first(std::min(bytes.size(), 4 * parameter_limit)));
        const auto command = command_container(header.code, header.transaction, parameters);
        const auto again = read_container_header(std::span(command).first<container_header_size>());
        require(again.length == command.size() && again.is(ContainerType::command));
        require(again.code == header.code && again.transaction == header.transaction);
        require(read_parameters(std::span(command).subspan(container_header_size)) == parameters);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
    switch (data[0] % 12) {
        case 0:
            device_info(bytes);
            break;
        case 1:
            storage_info(bytes);
            break;
        case 2:
            if (const auto object = parse_object_info(1, bytes); checked(object)) {
                check_object(*object);
            }
            break;
        case 3:
            if (const auto handles = parse_handles("handles", bytes); checked(handles)) {
                require(handles->size() * 4 <= bytes.size());
            }
            break;
        case 4:
            object_prop_list(bytes);
            break;
        case 5:
            date(bytes);
            break;
        case 6:
            value(bytes);
            break;
        case 7:
            events(bytes);
            break;
        case 8:
            containers(bytes);
            break;
        case 10:
            device_prop_desc(bytes);
            break;
        case 11:
            value_text(bytes);
            break;
        default:
            (void)checked(parse_object_size(bytes));
    }
    return 0;
}
