#include "dataset_writer.h"

#include <algorithm>

namespace plugfs::mtp::test {

void put_string(ByteWriter& out, std::u16string_view text) {
    if (text.empty()) {
        out.u8(0);
        return;
    }
    out.u8(static_cast<std::uint8_t>(text.size() + 1));
    for (const char16_t unit : text) {
        out.u16le(unit);
    }
    out.u16le(0);
}

void put_array(ByteWriter& out, std::initializer_list<std::uint16_t> numbers) {
    out.u32le(static_cast<std::uint32_t>(numbers.size()));
    for (const std::uint16_t number : numbers) {
        out.u16le(number);
    }
}

std::vector<std::byte> device_info(std::initializer_list<std::uint16_t> operations) {
    ByteWriter out;
    out.u16le(100);
    out.u32le(6);
    out.u16le(100);
    put_string(out, u"microsoft.com: 1.0");
    out.u16le(0);
    put_array(out, operations);
    put_array(out, {event::object_added, event::object_removed});
    put_array(out, {device_property::battery_level});
    put_array(out, {});
    put_array(out, {format::association, format::mp3});
    put_string(out, u"Sony");
    put_string(out, u"NWZ-A15");
    put_string(out, u"1.20");
    put_string(out, u"0123456789");
    return std::move(out).take();
}

std::vector<std::byte> storage_info(std::u16string_view description, std::u16string_view label) {
    ByteWriter out;
    out.u16le(3);
    out.u16le(2);
    out.u16le(0);
    out.u64le(std::uint64_t{64} << 30U);
    out.u64le(std::uint64_t{5} << 30U);
    out.u32le(0xFFFFFFFF);
    put_string(out, description);
    put_string(out, label);
    return std::move(out).take();
}

std::vector<std::byte> object_info(const Described& object) {
    ByteWriter out;
    out.u32le(object.storage);
    out.u16le(object.format);
    out.u16le(0);
    out.u32le(static_cast<std::uint32_t>(std::min<std::uint64_t>(object.size, size_not_in_32_bits)));
    out.u16le(format::exif_jpeg);
    for (std::uint32_t i = 1; i <= 6; ++i) {
        out.u32le(i);  // of the thumbnail and the image: not 0, so that a wrong offset shows
    }
    out.u32le(object.parent);
    out.u16le(object.format == format::association ? 1 : 0);
    out.u32le(0);
    out.u32le(0);
    put_string(out, object.name);
    put_string(out, u"20200101T000000Z");
    put_string(out, object.modified);
    put_string(out, u"");
    return std::move(out).take();
}

std::vector<std::byte> object_prop_list(std::span<const Described> objects) {
    PropListWriter list;
    for (const auto& object : objects) {
        list.element(object.handle, object_property::storage_id, data_type::uint32).u32le(object.storage);
        list.element(object.handle, object_property::object_format, data_type::uint16).u16le(object.format);
        list.element(object.handle, object_property::object_size, data_type::uint64).u64le(object.size);
        put_string(list.element(object.handle, object_property::object_file_name, data_type::string), object.name);
        put_string(list.element(object.handle, object_property::date_modified, data_type::string), object.modified);
        list.element(object.handle, object_property::parent_object, data_type::uint32).u32le(object.parent);
    }
    return list.list();
}

ByteWriter& PropListWriter::element(std::uint32_t handle, std::uint16_t property, std::uint16_t type) {
    elements_.u32le(handle);
    elements_.u16le(property);
    elements_.u16le(type);
    ++count_;
    return elements_;
}

std::vector<std::byte> PropListWriter::list(std::uint32_t count) const {
    ByteWriter out;
    out.u32le(count);
    out.append(elements_.bytes());
    return std::move(out).take();
}

}  // namespace plugfs::mtp::test
