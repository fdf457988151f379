#include "drivers/storage/scsi/uas_units.h"

#include <plugfs/bytes.h>

#include <algorithm>
#include <string>

namespace plugfs::storage {

namespace {

// IU ID; table 9.
enum UnitId : std::uint8_t {
    id_command = 0x01,
    id_sense = 0x03,
    id_response = 0x04,
    id_task_management = 0x05,
    id_read_ready = 0x06,
    id_write_ready = 0x07,
};

std::uint64_t single_level_lun(std::uint8_t unit) {
    return std::uint64_t{unit} << 48U;  // SAM-5, 4.7.7.2: peripheral device addressing
}

template <std::size_t Size>
std::array<std::byte, Size> exactly(const ByteWriter& out) {
    std::array<std::byte, Size> bytes{};
    std::ranges::copy(out.bytes().first(std::min(Size, out.size())), bytes.begin());
    return bytes;
}

Error too_short(std::size_t got, std::size_t needed) {
    return fail(EIO, "UAS status", "only " + std::to_string(got) + " of " + std::to_string(needed) + " bytes");
}

}  // namespace

std::array<std::byte, command_unit_size> command_unit(std::uint16_t tag, std::uint8_t unit,
                                                      const ScsiCommand& command) {
    ByteWriter out;  // table 13: a simple task without a priority, no additional bytes of CDB
    out.u8(id_command);
    out.u8(0);
    out.u16be(tag);
    out.u32be(0);
    out.u64be(single_level_lun(unit));
    out.append(command.cdb);
    return exactly<command_unit_size>(out);
}

std::array<std::byte, task_unit_size> task_unit(std::uint16_t tag, std::uint8_t unit, TaskFunction function,
                                                std::uint16_t about) {
    ByteWriter out;  // table 18
    out.u8(id_task_management);
    out.u8(0);
    out.u16be(tag);
    out.u8(static_cast<std::uint8_t>(function));
    out.u8(0);
    out.u16be(about);
    out.u64be(single_level_lun(unit));
    return exactly<task_unit_size>(out);
}

Result<StatusUnit> parse_status_unit(std::span<const std::byte> bytes) {
    ByteReader reader(bytes);
    const std::uint8_t id = reader.u8();
    reader.skip(1);
    StatusUnit unit;
    unit.tag = reader.u16be();
    if (!reader.ok()) {
        return too_short(bytes.size(), 4);
    }
    switch (id) {
        case id_read_ready:
            unit.kind = StatusUnit::Kind::read_ready;
            return unit;
        case id_write_ready:
            unit.kind = StatusUnit::Kind::write_ready;
            return unit;
        case id_response:
            unit.kind = StatusUnit::Kind::response;
            reader.skip(3);  // ADDITIONAL RESPONSE INFORMATION
            unit.response = static_cast<ResponseCode>(reader.u8());
            return reader.ok() ? Result<StatusUnit>(unit) : too_short(bytes.size(), 8);
        case id_sense: {
            unit.kind = StatusUnit::Kind::sense;
            reader.skip(2);  // STATUS QUALIFIER
            unit.status = reader.u8();
            reader.skip(7);
            const std::size_t length = reader.u16be();
            if (!reader.ok()) {
                return too_short(bytes.size(), sense_unit_header_size);
            }
            const auto sense = reader.take(std::min({length, reader.remaining(), sense_limit}));
            unit.sense.assign(sense.begin(), sense.end());
            return unit;
        }
        default:
            return fail(EIO, "UAS status", "IU ID is " + std::to_string(id));
    }
}

}  // namespace plugfs::storage
