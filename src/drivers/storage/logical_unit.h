// LogicalUnit: one SCSI logical unit as blocks, over Bulk-Only Transport or UAS: what the block cache stands on.
//
// The functions block, split long transfers into commands as the device takes them, keep several in flight where the
// transport can, and recover the transport by themselves (stalls, phase errors, resets) before they fail. Errors:
//   ENODEV     the device is gone
//   ENOMEDIUM  no medium, or it has been changed since opening: open() again
//   EIO        the device failed; the detail has the sense data in words and the block
//   EROFS      write-protected
//   ENOSPC     the device says that there is no room (thin provisioning)
//   ETIMEDOUT  no progress within the deadline of the command, recovery included
//   ECANCELED  a read was called off (Deadline::unless_called_off())
#pragma once

#include <plugfs/deadline.h>
#include <plugfs/result.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace plugfs::storage {

// INQUIRY, SPC-4 6.6; bytes from the device as they came, without trailing spaces, not made safe.
struct UnitIdentity {
    std::string vendor;
    std::string product;
    std::string revision;
    std::string serial_number;  // VPD page 80h; empty if there is none
    bool removable = false;
};

// What is in it now.
struct Medium {
    std::uint32_t block_size = 0;   // bytes: 512 to 4096, a power of two
    std::uint64_t block_count = 0;  // at least 1; block_size * block_count fits 63 bits
    bool write_protected = false;
    bool can_unmap = false;
};

class LogicalUnit {
  public:
    virtual ~LogicalUnit() = default;
    LogicalUnit() = default;
    LogicalUnit(const LogicalUnit&) = delete;
    LogicalUnit& operator=(const LogicalUnit&) = delete;

    [[nodiscard]] virtual const UnitIdentity& identity() const = 0;
    // Waits until the unit is ready (a disk may have to spin up), and finds out what is in it. ENOMEDIUM: nothing.
    [[nodiscard]] virtual Result<Medium> open() = 0;
    // Whether a medium is in and the same as at open(): TEST UNIT READY. Cheap; for polling card readers.
    [[nodiscard]] virtual Result<void> check() = 0;

    // Whole blocks; the length of the buffer is a multiple of the block size. EINVAL: not within the medium.
    [[nodiscard]] virtual Result<void> read(std::uint64_t block, std::span<std::byte> out) = 0;
    [[nodiscard]] virtual Result<void> write(std::uint64_t block, std::span<const std::byte> bytes) = 0;
    // Said before a read(): what will be asked for after it, most likely. The device may begin with that while the
    // bytes of the first are copied. A hint, for one read().
    virtual void expect(std::uint64_t block, std::uint64_t count) {
        (void)block;
        (void)count;
    }
    // SYNCHRONIZE CACHE: what has been written is on the medium. A device that does not know the command has no cache.
    [[nodiscard]] virtual Result<void> synchronize() = 0;
    // The same two, but the device has only been told when they return: finish() waits for the end, and says how it
    // went. To be called before the next is begun; `bytes` must stay until then. Whatever else is asked of the unit
    // meanwhile waits for the end, too.
    virtual void begin_write(std::uint64_t block, std::span<const std::byte> bytes) = 0;
    virtual void begin_synchronize() = 0;
    // Whether finish() need not wait. Goes on with what was begun as far as that needs no waiting: to be asked after
    // each event of the device's.
    [[nodiscard]] virtual bool finished() = 0;
    [[nodiscard]] virtual Result<void> finish() = 0;
    [[nodiscard]] virtual Result<void> unmap(std::uint64_t block, std::uint64_t count) = 0;
    // PREVENT ALLOW MEDIUM REMOVAL; a device that does not know it is fine.
    [[nodiscard]] virtual Result<void> prevent_removal(bool prevent) = 0;
    // START STOP UNIT: synchronized, stopped, and the medium out where it can be ejected.
    [[nodiscard]] virtual Result<void> eject() = 0;
    // START STOP UNIT: a medium that was ejected and is still there comes in again; open() tells whether it did.
    // Devices that cannot do that are asked in vain. ENODEV.
    [[nodiscard]] virtual Result<void> load() { return {}; }
    // The length of one command's data that the device moves best, in bytes.
    [[nodiscard]] virtual std::size_t best_transfer() const = 0;
};

}  // namespace plugfs::storage
