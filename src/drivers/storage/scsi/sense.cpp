#include "drivers/storage/scsi/sense.h"

#include <plugfs/bytes.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace plugfs::storage {

namespace {

constexpr std::uint8_t response_code_mask = 0x7f;
constexpr std::uint8_t key_mask = 0x0f;
constexpr std::uint8_t valid_bit = 0x80;
constexpr std::uint8_t information_descriptor = 0x00;
constexpr std::uint8_t information_descriptor_length = 0x0a;

constexpr std::array<std::string_view, 16> key_names = {
    "NO SENSE",       "RECOVERED ERROR", "NOT READY",   "MEDIUM ERROR",    "HARDWARE ERROR", "ILLEGAL REQUEST",
    "UNIT ATTENTION", "DATA PROTECT",    "BLANK CHECK", "VENDOR SPECIFIC", "COPY ABORTED",   "ABORTED COMMAND",
    "reserved",       "VOLUME OVERFLOW", "MISCOMPARE",  "COMPLETED"};

// What block devices say, in our words; the whole list is SPC-4, annex F. `any`: whatever the qualifier.
constexpr int any = -1;
struct Meaning {
    std::uint8_t code;
    int qualifier;
    std::string_view words;
};
constexpr Meaning meanings[] = {
    {0x00, 0x00, "no more is said"},
    {0x03, any, "the medium cannot be written because of a fault"},
    {0x04, 0x01, "becoming ready"},
    {0x04, 0x02, "to be started first"},
    {0x04, 0x03, "somebody has to help by hand"},
    {0x04, 0x04, "being formatted"},
    {0x04, any, "not ready"},
    {0x08, any, "communication within the device failed"},
    {0x09, any, "track following error"},
    {0x0b, any, "warning"},
    {0x0c, any, "write error"},
    {0x10, any, "block check or protection error"},
    {0x11, any, "unrecovered read error"},
    {0x14, any, "block not found"},
    {0x15, any, "positioning error"},
    {0x16, any, "data synchronization mark error"},
    {0x17, any, "read after retries"},
    {0x18, any, "read after error correction"},
    {0x1a, any, "wrong length of the parameter list"},
    {0x1b, any, "synchronous transfer error"},
    {0x20, any, "operation code not supported"},
    {0x21, any, "block out of range"},
    {0x24, any, "invalid field in the command"},
    {0x25, any, "no such logical unit"},
    {0x26, any, "invalid field in the parameters"},
    {0x27, 0x07, "no room left (thin provisioning)"},
    {0x27, any, "write-protected"},
    {0x28, any, "the medium may have changed"},
    {0x29, any, "power on or reset"},
    {0x2a, 0x09, "the capacity has changed"},
    {0x2a, any, "parameters have changed"},
    {0x2c, any, "commands out of sequence"},
    {0x2e, any, "not enough time for the command"},
    {0x2f, any, "commands cleared by somebody else"},
    {0x30, any, "incompatible medium"},
    {0x31, any, "the format of the medium is damaged"},
    {0x32, any, "no spare place for a defect"},
    {0x38, 0x07, "little room left (thin provisioning)"},
    {0x3a, any, "no medium"},
    {0x3e, any, "failure of the logical unit"},
    {0x3f, any, "the device has changed what it is"},
    {0x44, any, "internal failure"},
    {0x47, any, "bus error"},
    {0x4e, any, "overlapped commands"},
    {0x53, any, "loading or ejecting failed"},
    {0x55, any, "out of resources"},
    {0x5d, any, "the device expects to fail"},
};

std::string hexadecimal_pair(std::uint8_t value) {
    constexpr std::string_view digits = "0123456789abcdef";
    return {digits[value >> 4U], digits[value & 0x0fU]};
}

// SPC-4, 4.5.3.
Sense fixed_format(std::span<const std::byte> bytes) {
    std::array<std::byte, 14> whole{};
    std::ranges::copy(bytes.first(std::min(bytes.size(), whole.size())), whole.begin());
    ByteReader reader(whole);
    Sense sense;
    const bool valid = (reader.u8() & valid_bit) != 0;
    reader.skip(1);
    sense.key = static_cast<SenseKey>(reader.u8() & key_mask);
    const std::uint32_t information = reader.u32be();
    if (valid && bytes.size() >= 7) {
        sense.information = information;
    }
    reader.skip(5);  // ADDITIONAL SENSE LENGTH, COMMAND-SPECIFIC INFORMATION
    sense.code = reader.u8();
    sense.qualifier = reader.u8();
    return sense;
}

// SPC-4, 4.5.2.
Sense descriptor_format(std::span<const std::byte> bytes) {
    std::array<std::byte, 8> head{};
    std::ranges::copy(bytes.first(std::min(bytes.size(), head.size())), head.begin());
    ByteReader reader(head);
    Sense sense;
    reader.skip(1);
    sense.key = static_cast<SenseKey>(reader.u8() & key_mask);
    sense.code = reader.u8();
    sense.qualifier = reader.u8();
    reader.skip(3);
    const std::size_t additional = reader.u8();
    if (bytes.size() <= head.size()) {
        return sense;
    }
    const auto rest = bytes.subspan(head.size());
    ByteReader descriptors(rest.first(std::min(rest.size(), additional)));
    while (descriptors.remaining() >= 2) {
        const std::uint8_t type = descriptors.u8();
        const std::uint8_t length = descriptors.u8();
        ByteReader body(descriptors.take(length));
        if (!descriptors.ok()) {  // it passes the end
            break;
        }
        if (type == information_descriptor && length >= information_descriptor_length) {
            const bool valid = (body.u8() & valid_bit) != 0;
            body.skip(1);
            const std::uint64_t information = body.u64be();
            if (valid) {
                sense.information = information;
            }
        }
    }
    return sense;
}

}  // namespace

std::optional<Sense> parse_sense(std::span<const std::byte> bytes) {
    if (bytes.size() < 4) {
        return std::nullopt;
    }
    const auto response_code = std::to_integer<std::uint8_t>(bytes[0]) & response_code_mask;
    if (response_code < 0x70 || response_code > 0x73) {
        return std::nullopt;
    }
    Sense sense = response_code < 0x72 ? fixed_format(bytes) : descriptor_format(bytes);
    sense.deferred = response_code % 2 != 0;
    return sense;
}

std::string Sense::text() const {
    std::string line(key_names.at(static_cast<std::size_t>(key) & key_mask));
    const auto* found = std::ranges::find_if(meanings, [this](const Meaning& meaning) {
        return meaning.code == code && (meaning.qualifier == any || meaning.qualifier == qualifier);
    });
    if (found != std::end(meanings)) {
        line += ", " + std::string(found->words);
    }
    line += " (" + hexadecimal_pair(code) + "/" + hexadecimal_pair(qualifier) + ")";
    return deferred ? line + ", of an earlier command" : line;
}

}  // namespace plugfs::storage
