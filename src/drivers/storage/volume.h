// Volume: one file system on one partition, open. FAT, exFAT and whatever else a stick may carry implement it; the
// storage driver shows each as a folder.
//
// The functions are those of plugfs::Driver and plugfs::Writer, with the same contract: list() gives parts, keys are
// good as long as the volume is open, names are valid UTF-8, a change of a name is seen whole or not at all. Keys are
// less than 2^56 (the driver adds the number of the volume above) and root_key is the root folder.
//
// A volume that finds damage says so once through `report`, answers EUCLEAN for what is broken, serves the rest, and is
// not written to any more.
#pragma once

#include "drivers/storage/block_device.h"

#include <plugfs/driver.h>

#include <functional>
#include <memory>
#include <string>

namespace plugfs::storage {

inline constexpr Key volume_key_limit = Key{1} << 56U;

struct VolumeInfo {
    std::string type;    // "FAT32", "exFAT"
    std::string label;   // UTF-8, not made safe; empty if there is none
    std::string serial;  // "1234-ABCD", or a UUID; empty if there is none
    // It was marked as not closed properly when it was opened: by a predecessor (VolumeOptions::mark_is_ours), or by
    // somebody else, and then the mark stays.
    bool marked_by_predecessor = false;
    bool marked_by_others = false;
};

// Where a volume says what a person should know: a line, quoted where it comes from the medium.
using VolumeReport = std::function<void(LogLevel level, const std::string& line)>;

class Volume {
  public:
    virtual ~Volume() = default;
    Volume() = default;
    Volume(const Volume&) = delete;
    Volume& operator=(const Volume&) = delete;

    [[nodiscard]] virtual const VolumeInfo& info() const = 0;
    // Why it is read-only; empty: it can be written to.
    [[nodiscard]] virtual const std::string& read_only_because() const = 0;
    [[nodiscard]] virtual Result<Space> space() = 0;

    // As in plugfs::Driver.
    [[nodiscard]] virtual Result<Listing> list(Key folder, std::uint64_t cursor) = 0;
    [[nodiscard]] virtual Result<std::size_t> read(Key file, std::uint64_t offset, std::span<std::byte> out) = 0;

    // The entry with that key, as list() would give it. ENOTSUP: this kind of volume cannot tell.
    [[nodiscard]] virtual Result<Entry> look(Key entry) {
        (void)entry;
        return fail(ENOTSUP, "look");
    }
    // Where it is on the medium: a number that is the same for every process (a key need not be) as long as the entry
    // is not moved.
    [[nodiscard]] virtual Result<std::uint64_t> place(Key entry) {
        (void)entry;
        return fail(ENOTSUP, "place");
    }

    // As in plugfs::Writer. Each returns when a successor of this process would find it done (BlockDevice::commit()).
    [[nodiscard]] virtual Result<Entry> create(Key folder, const std::string& name, Kind kind) = 0;
    [[nodiscard]] virtual Result<void> remove(Key entry) = 0;
    [[nodiscard]] virtual Result<Entry> rename(Key entry, Key folder, const std::string& name,
                                               std::optional<Key> replaced) = 0;
    [[nodiscard]] virtual Result<void> write(Key file, std::uint64_t offset, std::span<const std::byte> bytes) = 0;
    [[nodiscard]] virtual Result<void> resize(Key file, std::uint64_t size) = 0;
    [[nodiscard]] virtual Result<Entry> flush(Key file) = 0;
    [[nodiscard]] virtual Result<Entry> set_modified(Key entry, std::int64_t seconds) = 0;

    // Everything is on the medium, and the volume is marked as cleanly closed there; the next change marks it dirty
    // again. Called when nothing has been written for a while, on eject, and before the device is closed.
    [[nodiscard]] virtual Result<void> settle() = 0;
};

}  // namespace plugfs::storage
