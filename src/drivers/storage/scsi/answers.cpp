#include "drivers/storage/scsi/answers.h"

#include <plugfs/bytes.h>

#include <algorithm>

namespace plugfs::storage {

namespace {

constexpr std::uint8_t write_protect_bit = 0x80;
constexpr std::uint8_t removable_bit = 0x80;
constexpr std::uint8_t provisioning_bit = 0x80;
constexpr std::uint8_t unmap_bit = 0x80;
constexpr std::uint64_t largest_size = 0x7fffffffffffffffU;

Error too_short(const char* stage, std::size_t got, std::size_t needed) {
    return fail(EIO, stage, "only " + std::to_string(got) + " of " + std::to_string(needed) + " bytes");
}

// Padded with spaces, by some devices with nulls.
std::string text_of(std::span<const std::byte> bytes) {
    std::string text;
    for (const std::byte each : bytes) {
        text.push_back(static_cast<char>(each));
    }
    text.resize(std::min(text.find('\0'), text.size()));
    text.erase(0, std::min(text.find_first_not_of(' '), text.size()));
    const auto last = text.find_last_not_of(' ');
    text.resize(last == std::string::npos ? 0 : last + 1);
    return text;
}

// The body of a VPD page: what its length says, of what came.
Result<std::span<const std::byte>> page_body(std::span<const std::byte> bytes, std::uint8_t page, const char* stage) {
    ByteReader reader(bytes);
    reader.skip(1);
    const std::uint8_t code = reader.u8();
    const std::size_t length = reader.u16be();
    if (!reader.ok()) {
        return too_short(stage, bytes.size(), 4);
    }
    if (code != page) {
        return fail(EIO, stage, "PAGE CODE is " + std::to_string(code));
    }
    return reader.take(std::min(length, reader.remaining()));
}

}  // namespace

Result<InquiryAnswer> parse_inquiry(std::span<const std::byte> bytes) {
    ByteReader reader(bytes);
    InquiryAnswer answer;
    const std::uint8_t peripheral = reader.u8();
    answer.present = (peripheral >> 5U) == 0;
    answer.device_type = peripheral & 0x1fU;
    answer.identity.removable = (reader.u8() & removable_bit) != 0;
    answer.version = reader.u8();
    reader.skip(2);  // response data format; ADDITIONAL LENGTH, which many devices get wrong
    if (!reader.ok()) {
        return too_short("INQUIRY", bytes.size(), 5);
    }
    // Old devices leave out names.
    reader.skip(std::min<std::size_t>(3, reader.remaining()));
    const auto text = [&reader](std::size_t length) {
        return text_of(reader.take(std::min(length, reader.remaining())));
    };
    answer.identity.vendor = text(8);
    answer.identity.product = text(16);
    answer.identity.revision = text(4);
    return answer;
}

Result<CapacityAnswer> parse_capacity_10(std::span<const std::byte> bytes) {
    ByteReader reader(bytes);
    CapacityAnswer answer;
    answer.last_block = reader.u32be();
    answer.block_size = reader.u32be();
    if (!reader.ok()) {
        return too_short("READ CAPACITY(10)", bytes.size(), 8);
    }
    return answer;
}

Result<CapacityAnswer> parse_capacity_16(std::span<const std::byte> bytes) {
    ByteReader reader(bytes);
    CapacityAnswer answer;
    answer.last_block = reader.u64be();
    answer.block_size = reader.u32be();
    if (!reader.ok()) {
        return too_short("READ CAPACITY(16)", bytes.size(), 12);
    }
    if (reader.remaining() >= 3) {
        reader.skip(2);
        answer.provisioning = (reader.u8() & provisioning_bit) != 0;
    }
    return answer;
}

Result<Medium> medium_of(const CapacityAnswer& answer) {
    const std::uint32_t size = answer.block_size;
    if (size < smallest_block || size > largest_block || (size & (size - 1)) != 0) {
        return fail(EIO, "READ CAPACITY", "LOGICAL BLOCK LENGTH is " + std::to_string(size));
    }
    if (answer.last_block >= largest_size / size) {
        return fail(EIO, "READ CAPACITY", "RETURNED LOGICAL BLOCK ADDRESS is " + std::to_string(answer.last_block));
    }
    return Medium{.block_size = size, .block_count = answer.last_block + 1};
}

Result<bool> parse_mode_sense_6_write_protect(std::span<const std::byte> bytes) {
    ByteReader reader(bytes);
    reader.skip(2);  // MODE DATA LENGTH, MEDIUM TYPE
    const std::uint8_t parameter = reader.u8();
    if (!reader.ok()) {
        return too_short("MODE SENSE(6)", bytes.size(), 3);
    }
    return (parameter & write_protect_bit) != 0;
}

Result<bool> parse_mode_sense_10_write_protect(std::span<const std::byte> bytes) {
    ByteReader reader(bytes);
    reader.skip(3);
    const std::uint8_t parameter = reader.u8();
    if (!reader.ok()) {
        return too_short("MODE SENSE(10)", bytes.size(), 4);
    }
    return (parameter & write_protect_bit) != 0;
}

Result<std::vector<std::uint8_t>> parse_report_luns(std::span<const std::byte> bytes) {
    ByteReader reader(bytes);
    const std::uint32_t length = reader.u32be();
    reader.skip(4);
    if (!reader.ok()) {
        return too_short("REPORT LUNS", bytes.size(), 8);
    }
    std::vector<std::uint8_t> units;
    ByteReader list(reader.take(std::min<std::size_t>(length, reader.remaining())));
    while (list.remaining() >= 8 && units.size() < unit_limit) {
        const std::uint64_t number = list.u64be();
        const auto unit = static_cast<std::uint8_t>(number >> 48U);
        // Peripheral device addressing, bus 0, and no further levels.
        const bool single = (number >> 56U) == 0 && (number & 0xffffffffffffU) == 0;
        if (single && std::ranges::find(units, unit) == units.end()) {
            units.push_back(unit);
        }
    }
    return units;
}

Result<std::vector<std::uint8_t>> parse_supported_pages(std::span<const std::byte> bytes) {
    constexpr auto page = static_cast<std::uint8_t>(0x00);
    PLUGFS_ASSIGN(const auto body, page_body(bytes, page, "VPD page 00h"));
    std::vector<std::uint8_t> pages;
    for (const std::byte each : body) {
        pages.push_back(std::to_integer<std::uint8_t>(each));
    }
    return pages;
}

Result<std::string> parse_serial_number(std::span<const std::byte> bytes) {
    constexpr std::uint8_t page = 0x80;
    PLUGFS_ASSIGN(const auto body, page_body(bytes, page, "VPD page 80h"));
    return text_of(body);
}

Result<BlockLimits> parse_block_limits(std::span<const std::byte> bytes) {
    constexpr std::uint8_t page = 0xb0;
    PLUGFS_ASSIGN(const auto body, page_body(bytes, page, "VPD page B0h"));
    ByteReader reader(body);
    BlockLimits limits;
    reader.skip(4);  // WSNZ, COMPARE AND WRITE, OPTIMAL TRANSFER LENGTH GRANULARITY
    limits.longest_transfer = reader.u32be();
    limits.best_transfer = reader.u32be();
    if (!reader.ok()) {
        return too_short("VPD page B0h", bytes.size(), 16);
    }
    reader.skip(4);  // MAXIMUM PREFETCH LENGTH
    limits.unmap_blocks = reader.u32be();
    limits.unmap_ranges = reader.u32be();
    if (!reader.ok()) {  // the page of SBC-2 ends before
        limits.unmap_blocks = 0;
        limits.unmap_ranges = 0;
    }
    return limits;
}

Result<bool> parse_offers_unmap(std::span<const std::byte> bytes) {
    constexpr std::uint8_t page = 0xb2;
    PLUGFS_ASSIGN(const auto body, page_body(bytes, page, "VPD page B2h"));
    ByteReader reader(body);
    reader.skip(1);  // THRESHOLD EXPONENT
    const std::uint8_t flags = reader.u8();
    if (!reader.ok()) {
        return too_short("VPD page B2h", bytes.size(), 6);
    }
    return (flags & unmap_bit) != 0;
}

}  // namespace plugfs::storage
