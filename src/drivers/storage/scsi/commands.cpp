#include "drivers/storage/scsi/commands.h"

#include <plugfs/bytes.h>

#include <algorithm>

namespace plugfs::storage {

namespace {

constexpr std::chrono::seconds short_limit{10};
constexpr std::chrono::seconds data_limit{30};  // flash that cleans up, a disk that reads a sector again and again
constexpr std::chrono::seconds long_limit{60};  // spinning up, emptying a cache

constexpr std::uint8_t enable_vital_page = 0x01;      // EVPD; SPC-4, 6.6.1
constexpr std::uint8_t read_capacity_action = 0x10;   // SBC-3, 5.16
constexpr std::uint8_t all_mode_pages = 0x3f;         // SPC-4, 6.13
constexpr std::uint8_t no_block_descriptors = 0x08;   // DBD
constexpr std::uint64_t blocks_of_10 = 0x100000000U;  // whose numbers fit the 10-byte commands

ScsiCommand build(std::string_view name, std::chrono::milliseconds limit, const ByteWriter& cdb) {
    ScsiCommand command;
    command.name = name;
    command.limit = limit;
    command.cdb_length = cdb.size();
    std::ranges::copy(cdb.bytes(), command.cdb.begin());
    return command;
}

// Operation code, one byte, two of zero, an allocation length of one byte, control.
ScsiCommand six(std::string_view name, Operation operation, std::uint8_t second, std::uint8_t third,
                std::span<std::byte> in) {
    ByteWriter cdb;
    cdb.u8(static_cast<std::uint8_t>(operation));
    cdb.u8(second);
    cdb.u8(third);
    cdb.u16be(static_cast<std::uint16_t>(in.size()));
    cdb.u8(0);
    ScsiCommand command = build(name, short_limit, cdb);
    command.in = in;
    return command;
}

// READ and WRITE; SBC-3, 5.11, 5.13, 5.32, 5.34.
ByteWriter block_cdb(Operation ten, Operation sixteen, std::uint64_t block, std::uint32_t count) {
    ByteWriter cdb;
    if (block + count <= blocks_of_10 && count <= 0xffff) {
        cdb.u8(static_cast<std::uint8_t>(ten));
        cdb.u8(0);
        cdb.u32be(static_cast<std::uint32_t>(block));
        cdb.u8(0);
        cdb.u16be(static_cast<std::uint16_t>(count));
        cdb.u8(0);
        return cdb;
    }
    cdb.u8(static_cast<std::uint8_t>(sixteen));
    cdb.u8(0);
    cdb.u64be(block);
    cdb.u32be(count);
    cdb.u16be(0);
    return cdb;
}

}  // namespace

ScsiCommand test_unit_ready() {
    return six("TEST UNIT READY", Operation::test_unit_ready, 0, 0, {});
}

ScsiCommand request_sense(std::span<std::byte> in) {
    return six("REQUEST SENSE", Operation::request_sense, 0, 0, in);
}

ScsiCommand inquiry(std::span<std::byte> in) {
    return six("INQUIRY", Operation::inquiry, 0, 0, in);
}

ScsiCommand inquiry_page(VitalPage page, std::span<std::byte> in) {
    return six("INQUIRY (VPD)", Operation::inquiry, enable_vital_page, static_cast<std::uint8_t>(page), in);
}

ScsiCommand report_luns(std::span<std::byte> in) {
    ByteWriter cdb;
    cdb.u8(static_cast<std::uint8_t>(Operation::report_luns));
    cdb.u8(0);
    cdb.u32be(0);  // SELECT REPORT 0, reserved
    cdb.u32be(static_cast<std::uint32_t>(in.size()));
    cdb.u16be(0);
    ScsiCommand command = build("REPORT LUNS", short_limit, cdb);
    command.in = in;
    return command;
}

ScsiCommand read_capacity_10(std::span<std::byte> in) {
    ByteWriter cdb;
    cdb.u8(static_cast<std::uint8_t>(Operation::read_capacity_10));
    cdb.u8(0);
    cdb.u64be(0);
    ScsiCommand command = build("READ CAPACITY(10)", short_limit, cdb);
    command.in = in;
    return command;
}

ScsiCommand read_capacity_16(std::span<std::byte> in) {
    ByteWriter cdb;
    cdb.u8(static_cast<std::uint8_t>(Operation::service_action_in_16));
    cdb.u8(read_capacity_action);
    cdb.u64be(0);
    cdb.u32be(static_cast<std::uint32_t>(in.size()));
    cdb.u16be(0);
    ScsiCommand command = build("READ CAPACITY(16)", short_limit, cdb);
    command.in = in;
    return command;
}

ScsiCommand mode_sense_6(std::span<std::byte> in) {
    return six("MODE SENSE(6)", Operation::mode_sense_6, 0, all_mode_pages, in);
}

ScsiCommand mode_sense_10(std::span<std::byte> in) {
    ByteWriter cdb;
    cdb.u8(static_cast<std::uint8_t>(Operation::mode_sense_10));
    cdb.u8(no_block_descriptors);
    cdb.u8(all_mode_pages);
    cdb.u32be(0);
    cdb.u16be(static_cast<std::uint16_t>(in.size()));
    cdb.u8(0);
    ScsiCommand command = build("MODE SENSE(10)", short_limit, cdb);
    command.in = in;
    return command;
}

ScsiCommand start_stop_unit(StartStop what) {
    ByteWriter cdb;
    cdb.u8(static_cast<std::uint8_t>(Operation::start_stop_unit));
    cdb.u8(0);
    cdb.u16be(0);
    cdb.u8(static_cast<std::uint8_t>(what));  // LOEJ is bit 1, START bit 0
    cdb.u8(0);
    return build("START STOP UNIT", long_limit, cdb);
}

ScsiCommand prevent_allow_medium_removal(bool prevent) {
    ByteWriter cdb;
    cdb.u8(static_cast<std::uint8_t>(Operation::prevent_allow_medium_removal));
    cdb.u8(0);
    cdb.u16be(0);
    cdb.u8(prevent ? 1 : 0);
    cdb.u8(0);
    return build("PREVENT ALLOW MEDIUM REMOVAL", short_limit, cdb);
}

ScsiCommand synchronize_cache() {
    ByteWriter cdb;  // from block 0, so many blocks as there are: all
    cdb.u8(static_cast<std::uint8_t>(Operation::synchronize_cache_10));
    cdb.u8(0);
    cdb.u64be(0);
    return build("SYNCHRONIZE CACHE(10)", long_limit, cdb);
}

ScsiCommand unmap(std::span<const std::byte> parameters) {
    ByteWriter cdb;
    cdb.u8(static_cast<std::uint8_t>(Operation::unmap));
    cdb.u8(0);
    cdb.u32be(0);
    cdb.u8(0);
    cdb.u16be(static_cast<std::uint16_t>(parameters.size()));
    cdb.u8(0);
    ScsiCommand command = build("UNMAP", long_limit, cdb);
    command.out = parameters;
    command.all_or_nothing = true;
    return command;
}

ScsiCommand read_blocks(std::uint64_t block, std::uint32_t count, std::span<std::byte> in) {
    const auto cdb = block_cdb(Operation::read_10, Operation::read_16, block, count);
    ScsiCommand command = build(cdb.size() == 10 ? "READ(10)" : "READ(16)", data_limit, cdb);
    command.in = in;
    command.may_be_called_off = true;
    command.all_or_nothing = true;
    return command;
}

ScsiCommand write_blocks(std::uint64_t block, std::uint32_t count, std::span<const std::byte> out) {
    const auto cdb = block_cdb(Operation::write_10, Operation::write_16, block, count);
    ScsiCommand command = build(cdb.size() == 10 ? "WRITE(10)" : "WRITE(16)", data_limit, cdb);
    command.out = out;
    command.all_or_nothing = true;
    return command;
}

}  // namespace plugfs::storage
