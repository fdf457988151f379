// Writing: what a driver implements besides Driver when its device can be written to; see Driver::writer().
//
// As everywhere, the calls come one at a time on the device thread. A process may die in the middle of any of them. So
// that nothing is done twice, the kit notes each change of a name before it asks for it; the next process looks into
// the folders whether the change is there, and asks again only if it is not. A driver has to see to one thing: while
// such a change is under way, a listing shows what was before or what is after it.
//
// Names are valid UTF-8 of 1 to 255 bytes without '/'; what the device cannot have is answered with EINVAL or
// ENAMETOOLONG. Errors are errno codes that say what happened: ENOSPC, EROFS (this folder, this object), EIO. ESTALE,
// as in Driver::read(): the key is of an earlier session and nothing has been done; the call is made again with a new
// one.
#pragma once

#include <plugfs/result.h>
#include <plugfs/tree.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace plugfs {

class Writer {
  public:
    virtual ~Writer() = default;

    // Makes an empty file or a folder with a name that is free. Returns it.
    [[nodiscard]] virtual Result<Entry> create(Key folder, const std::string& name, Kind kind) = 0;
    // Removes a file, or a folder that is empty.
    [[nodiscard]] virtual Result<void> remove(Key entry) = 0;
    // Gives an entry a new place, name or both; returns it, with a new key if the device gives it one. `replaced` is a
    // file that has that name now, or an empty folder: it goes, but not before the other one is safe.
    [[nodiscard]] virtual Result<Entry> rename(Key entry, Key folder, const std::string& name,
                                               std::optional<Key> replaced) = 0;

    // Writes all of `bytes` at `offset`; the file grows if it ends before, and holds zeroes in between. Done again with
    // the same arguments, it changes nothing.
    [[nodiscard]] virtual Result<void> write(Key file, std::uint64_t offset, std::span<const std::byte> bytes) = 0;
    // Cuts the file, or lets it grow with zeroes.
    [[nodiscard]] virtual Result<void> resize(Key file, std::uint64_t size) = 0;
    // Everything that was written to the file is on the device when this returns, safe from a pulled cable. Returns the
    // file as it is now. Called for fsync(2) and close(2).
    [[nodiscard]] virtual Result<Entry> flush(Key file) = 0;

    // Optional: sets the time of the last change, in seconds since 1970-01-01 UTC. ENOTSUP: the device keeps its own.
    [[nodiscard]] virtual Result<Entry> set_modified(Key entry, std::int64_t seconds) {
        (void)entry;
        (void)seconds;
        return fail(ENOTSUP, "time");
    }

    // Optional: makes `file` a copy of `source`, by means of the device's own, so that no byte of it is moved to here
    // and back. `file` was made by create(), and nothing has been written to it, nor has it been flushed. Returns the
    // file as it is now, whole on the device; no flush() has to follow. Done again after a process has died in the
    // middle, it begins anew. An error leaves `file` empty. ENOTSUP: this one has to be read and written; ENOSYS: so
    // has every other, and it is not asked again.
    [[nodiscard]] virtual Result<Entry> copy(Key source, Key file) {
        (void)source;
        (void)file;
        return fail(ENOSYS, "copy");
    }
};

}  // namespace plugfs
