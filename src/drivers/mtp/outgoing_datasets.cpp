#include "drivers/mtp/outgoing_datasets.h"

#include <plugfs/unicode.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <ctime>

namespace plugfs::mtp {

namespace {

struct Extension {
    std::string_view name;
    std::uint16_t format;
};

// MTP appendix A. Sorted by name.
constexpr std::array extensions = {Extension{"3gp", 0xB984},
                                   Extension{"aac", format::aac},
                                   Extension{"aif", 0x3007},
                                   Extension{"asf", 0x300C},
                                   Extension{"avi", 0x300A},
                                   Extension{"bmp", 0x3804},
                                   Extension{"flac", format::flac},
                                   Extension{"gif", 0x3807},
                                   Extension{"htm", 0x3005},
                                   Extension{"html", 0x3005},
                                   Extension{"jpeg", format::exif_jpeg},
                                   Extension{"jpg", format::exif_jpeg},
                                   Extension{"m4a", format::mp4},
                                   Extension{"mp2", 0xB983},
                                   Extension{"mp3", format::mp3},
                                   Extension{"mp4", format::mp4},
                                   Extension{"mpeg", 0x300B},
                                   Extension{"mpg", 0x300B},
                                   Extension{"oga", format::ogg},
                                   Extension{"ogg", format::ogg},
                                   Extension{"png", format::png},
                                   Extension{"tif", 0x380D},
                                   Extension{"tiff", 0x380D},
                                   Extension{"txt", format::text},
                                   Extension{"wav", format::wav},
                                   Extension{"wma", format::wma},
                                   Extension{"wmv", 0xB981}};

}  // namespace

std::optional<std::size_t> utf16_length(std::string_view text) {
    std::size_t units = 0;
    while (!text.empty()) {
        const auto [code, length] = decode_utf8(text);
        if (length == 0) {
            return std::nullopt;
        }
        units += code > 0xFFFF ? 2 : 1;
        text.remove_prefix(length);
    }
    return units;
}

void write_string(ByteWriter& writer, std::string_view text) {
    const std::size_t units = std::min(utf16_length(text).value_or(0), string_limit);
    // No text at all is a count of 0, without the null.
    writer.u8(static_cast<std::uint8_t>(units == 0 ? 0 : units + 1));
    for (std::size_t written = 0; written < units;) {
        const auto [code, length] = decode_utf8(text);
        text.remove_prefix(length);
        if (code > 0xFFFF && written + 2 <= units) {
            writer.u16le(static_cast<std::uint16_t>(0xD800 + ((code - 0x10000) >> 10U)));
            writer.u16le(static_cast<std::uint16_t>(0xDC00 + ((code - 0x10000) & 0x3FFU)));
            written += 2;
        } else {
            writer.u16le(static_cast<std::uint16_t>(code > 0xFFFF ? U'_' : code));
            ++written;
        }
    }
    if (units > 0) {
        writer.u16le(0);
    }
}

std::string format_date_time(std::int64_t seconds) {
    const auto moment = static_cast<std::time_t>(seconds);
    std::tm fields{};
    if (::localtime_r(&moment, &fields) == nullptr || fields.tm_year < -1900 || fields.tm_year > 8099) {
        return {};
    }
    std::array<char, 32> text{};
    (void)std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%S", &fields);
    return text.data();
}

std::vector<std::byte> object_info_dataset(const NewObject& object) {
    constexpr std::uint16_t generic_folder = 0x0001;  // AssociationType, PTP 6.5.3
    ByteWriter dataset;
    dataset.u32le(object.storage);
    dataset.u16le(object.object_format);
    dataset.u16le(0);  // ProtectionStatus
    dataset.u32le(static_cast<std::uint32_t>(std::min<std::uint64_t>(object.size, size_not_in_32_bits)));
    dataset.u16le(0);  // ThumbFormat
    for (int i = 0; i < 6; ++i) {
        dataset.u32le(0);  // ThumbCompressedSize to ImageBitDepth
    }
    dataset.u32le(object.parent);
    dataset.u16le(object.object_format == format::association ? generic_folder : 0);
    dataset.u32le(0);  // AssociationDesc
    dataset.u32le(0);  // SequenceNumber
    write_string(dataset, object.filename);
    const std::string date = object.modified ? format_date_time(*object.modified) : std::string();
    write_string(dataset, date);  // CaptureDate
    write_string(dataset, date);  // ModificationDate
    write_string(dataset, {});    // Keywords
    return std::move(dataset).take();
}

std::uint16_t format_for(std::string_view filename) {
    const auto dot = filename.rfind('.');
    if (dot == std::string_view::npos) {
        return format::undefined;
    }
    std::string extension(filename.substr(dot + 1));
    std::transform(extension.begin(), extension.end(), extension.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    const auto found = std::find_if(extensions.begin(), extensions.end(),
                                    [&extension](const Extension& item) { return item.name == extension; });
    return found == extensions.end() ? format::undefined : found->format;
}

}  // namespace plugfs::mtp
