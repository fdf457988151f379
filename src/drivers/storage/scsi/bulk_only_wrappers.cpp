#include "drivers/storage/scsi/bulk_only_wrappers.h"

#include <plugfs/bytes.h>

#include <algorithm>
#include <string>

namespace plugfs::storage {

namespace {
constexpr std::uint32_t command_signature = 0x43425355;  // "USBC"
constexpr std::uint32_t status_signature = 0x53425355;   // "USBS"
constexpr std::uint8_t flag_in = 0x80;
}  // namespace

std::array<std::byte, command_wrapper_size> command_wrapper(std::uint32_t tag, std::uint8_t unit,
                                                            const ScsiCommand& command) {
    ByteWriter out;
    out.u32le(command_signature);
    out.u32le(tag);
    out.u32le(static_cast<std::uint32_t>(command.length()));
    out.u8(command.in_length() == 0 ? std::uint8_t{0} : flag_in);
    out.u8(unit);
    out.u8(static_cast<std::uint8_t>(command.cdb_length));
    out.append(command.cdb);
    std::array<std::byte, command_wrapper_size> bytes{};
    std::ranges::copy(out.bytes(), bytes.begin());
    return bytes;
}

Result<StatusWrapper> parse_status_wrapper(std::span<const std::byte> bytes, std::uint32_t tag,
                                           std::size_t data_length) {
    const auto wrong = [](const std::string& what) { return fail(EIO, "CSW", what); };
    if (bytes.size() != status_wrapper_size) {
        return wrong("it has " + std::to_string(bytes.size()) + " bytes, not 13");
    }
    ByteReader reader(bytes);
    const std::uint32_t signature = reader.u32le();
    const std::uint32_t its_tag = reader.u32le();
    const std::uint32_t residue = reader.u32le();
    const std::uint8_t status = reader.u8();
    if (signature != status_signature) {
        return wrong("dCSWSignature is " + std::to_string(signature));
    }
    if (its_tag != tag) {
        return wrong("dCSWTag is " + std::to_string(its_tag) + ", not " + std::to_string(tag));
    }
    if (status > static_cast<std::uint8_t>(WrapperStatus::phase_error)) {
        return wrong("bCSWStatus is " + std::to_string(status));
    }
    // With a phase error the residue means nothing (6.3).
    if (status != static_cast<std::uint8_t>(WrapperStatus::phase_error) && residue > data_length) {
        return wrong("dCSWDataResidue is " + std::to_string(residue) + " of " + std::to_string(data_length) + " bytes");
    }
    return StatusWrapper{static_cast<WrapperStatus>(status), residue};
}

bool is_status_wrapper(std::span<const std::byte> bytes, std::uint32_t tag) {
    ByteReader reader(bytes);
    return bytes.size() == status_wrapper_size && reader.u32le() == status_signature && reader.u32le() == tag;
}

}  // namespace plugfs::storage
