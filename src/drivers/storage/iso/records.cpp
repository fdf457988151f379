#include "drivers/storage/iso/records.h"

#include "drivers/storage/text/little_endian.h"
#include "drivers/storage/text/utf16.h"

#include <algorithm>
#include <chrono>
#include <string_view>

namespace plugfs::storage::iso {

namespace {

constexpr std::size_t record_header = 33;
constexpr std::size_t root_record_at = 156;  // in a descriptor

unsigned byte_at(std::span<const std::byte> bytes, std::size_t at) {
    return std::to_integer<unsigned>(bytes[at]);
}

std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// 9.1.5: years since 1900, ..., quarters of an hour east of Greenwich.
std::optional<std::int64_t> time_of(std::span<const std::byte> bytes) {
    namespace ch = std::chrono;
    const ch::year_month_day date{ch::year(1900 + static_cast<int>(byte_at(bytes, 0))), ch::month(byte_at(bytes, 1)),
                                  ch::day(byte_at(bytes, 2))};
    const unsigned hour = byte_at(bytes, 3);
    const unsigned minute = byte_at(bytes, 4);
    const unsigned second = byte_at(bytes, 5);
    const auto zone = static_cast<std::int8_t>(byte_at(bytes, 6));
    if (!date.ok() || hour > 23 || minute > 59 || second > 60) {
        return std::nullopt;
    }
    const std::int64_t days = ch::sys_days(date).time_since_epoch().count();
    return days * 86'400 + hour * 3600 + minute * 60 + second - std::int64_t{zone} * 900;
}

std::u16string big_endian_units(std::string_view bytes) {
    std::u16string out;
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
        const unsigned high = static_cast<unsigned char>(bytes[i]);
        out += static_cast<char16_t>(high << 8U | static_cast<unsigned char>(bytes[i + 1]));
    }
    return out;
}

bool is_joliet(std::span<const std::byte> sector) {
    const std::string escape = text_of(sector.subspan(88, 3));
    return escape == "%/@" || escape == "%/C" || escape == "%/E";
}

std::string label_of(std::span<const std::byte> bytes, bool joliet) {
    std::string text = text_of(bytes);
    if (joliet) {
        text = to_utf8(big_endian_units(text));
    }
    text.resize(std::min(text.size(), text.find('\0')));
    return text.substr(0, text.find_last_not_of(' ') + 1);
}

}  // namespace

Result<Record> parse_record(std::span<const std::byte> bytes) {
    Record out;
    out.length = byte_at(bytes, 0);
    if (out.length < record_header + 1 || out.length > bytes.size()) {
        return fail(EUCLEAN, "ISO directory record", "its length is " + std::to_string(out.length));
    }
    const unsigned name_length = byte_at(bytes, 32);
    if (name_length == 0 || record_header + name_length > out.length) {
        return fail(EUCLEAN, "ISO directory record", "its identifier's length is " + std::to_string(name_length));
    }
    const auto extent = get_le<std::uint32_t>(bytes, 2);
    const unsigned attributes = byte_at(bytes, 1);
    if (extent > UINT32_MAX - attributes) {
        return fail(EUCLEAN, "ISO directory record", "its extent is at block " + std::to_string(extent));
    }
    out.extent = extent + attributes;
    out.size = get_le<std::uint32_t>(bytes, 10);
    out.modified = time_of(bytes.subspan(18, 7));
    const unsigned flags = byte_at(bytes, 25);
    out.folder = (flags & 0x02U) != 0;
    out.more = (flags & 0x80U) != 0;
    out.interleaved = byte_at(bytes, 26) != 0 || byte_at(bytes, 27) != 0;
    out.identifier = text_of(bytes.subspan(record_header, name_length));
    const std::size_t after = std::min<std::size_t>(record_header + name_length + (name_length + 1) % 2, out.length);
    const auto system_use = bytes.subspan(after, out.length - after);
    out.system_use.assign(system_use.begin(), system_use.end());
    return out;
}

Result<Descriptor> parse_descriptor(std::span<const std::byte> sector) {
    Descriptor out;
    if (text_of(sector.subspan(1, 5)) != "CD001") {
        return fail(ENOTSUP, "ISO volume descriptor", "it is none");
    }
    const unsigned type = byte_at(sector, 0);
    if (type == 255) {
        out.kind = Descriptor::Kind::end;
        return out;
    }
    if (type != 1 && !(type == 2 && is_joliet(sector))) {
        return out;
    }
    out.kind = type == 1 ? Descriptor::Kind::primary : Descriptor::Kind::joliet;
    out.block_size = get_le<std::uint16_t>(sector, 128);
    if (out.block_size != 512 && out.block_size != 1024 && out.block_size != 2048) {
        return fail(EUCLEAN, "ISO volume descriptor", "its block size is " + std::to_string(out.block_size));
    }
    out.size = std::uint64_t{get_le<std::uint32_t>(sector, 80)} * out.block_size;
    out.label = label_of(sector.subspan(40, 32), type == 2);
    PLUGFS_ASSIGN(out.root, parse_record(sector.subspan(root_record_at, 34)));
    if (!out.root.folder) {
        return fail(EUCLEAN, "ISO volume descriptor", "its root is no folder");
    }
    return out;
}

std::string identifier_name(const std::string& identifier, bool joliet) {
    std::string name = joliet ? to_utf8(big_endian_units(identifier)) : identifier;
    if (const auto version = name.rfind(';'); version != std::string::npos && version != 0) {
        name.resize(version);
    }
    // An extension that is empty (7.5.1).
    if (!joliet && name.size() > 1 && name.back() == '.') {
        name.pop_back();
    }
    return name;
}

void parse_system_use(std::span<const std::byte> bytes, RockRidge& out) {
    out.continuation.reset();
    while (bytes.size() >= 4) {
        const std::size_t length = byte_at(bytes, 2);
        const std::string signature = text_of(bytes.first(2));
        if (length < 4 || length > bytes.size() || signature == "ST") {
            return;
        }
        const auto data = bytes.subspan(4, length - 4);
        if (signature == "NM" && !data.empty()) {
            const unsigned flags = byte_at(data, 0);
            const bool append = out.name.empty() || out.name_continues;
            if ((flags & 0x06U) == 0 && append && out.name.size() + data.size() <= 256) {
                out.name += text_of(data.subspan(1));
                out.name_continues = (flags & 1U) != 0;
            }
        } else if (signature == "PX" && data.size() >= 8) {
            out.mode = get_le<std::uint32_t>(data, 0);
        } else if (signature == "CL" && data.size() >= 8) {
            out.moved_to = get_le<std::uint32_t>(data, 0);
        } else if (signature == "RE") {
            out.moved_from_elsewhere = true;
        } else if (signature == "CE" && data.size() >= 24) {
            out.continuation = {get_le<std::uint32_t>(data, 0), get_le<std::uint32_t>(data, 8),
                                get_le<std::uint32_t>(data, 16)};
        }
        bytes = bytes.subspan(length);
    }
}

std::optional<std::size_t> susp_skip(std::span<const std::byte> system_use) {
    // CD-ROM XA has 14 bytes of its own before.
    for (const std::size_t before : {std::size_t{0}, std::size_t{14}}) {
        if (system_use.size() >= before + 7 && text_of(system_use.subspan(before, 2)) == "SP" &&
            byte_at(system_use, before + 4) == 0xbe && byte_at(system_use, before + 5) == 0xef) {
            return byte_at(system_use, before + 6);
        }
    }
    return std::nullopt;
}

}  // namespace plugfs::storage::iso
