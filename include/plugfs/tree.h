// What a driver says about the files and folders of its device.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace plugfs {

// The driver's own number for a file or folder, as long as this driver process lives: an object handle, a cluster.
// The kit gives files their inode numbers; a key never leaves the process.
using Key = std::uint64_t;

// The folder that becomes the device's directory.
inline constexpr Key root_key = 0;

enum class Kind : std::uint8_t { directory, file };

struct Entry {
    Key key = 0;       // unique among all living entries of the device, not root_key
    std::string name;  // as the device has it; the kit makes it a valid, unique file name
    Kind kind = Kind::file;
    std::uint64_t size = 0;  // bytes; what is read past it is never asked of the driver
    // Seconds since 1970-01-01 UTC; absent when the device does not know.
    std::optional<std::int64_t> modified = std::nullopt;
    // An identity that the device keeps across sessions (an MTP PersistentUniqueObjectIdentifier), at most 32 bytes;
    // empty if it has none. By it the kit recognises the object after a restart or a replug; without it, by its path,
    // size and time.
    std::string persistent_identity = {};
};

// Part of a folder. `next` is 0 when this was the last part; otherwise the value to pass to the next call.
struct Listing {
    std::vector<Entry> entries;
    std::uint64_t next = 0;
};

// Bytes on the device, for statfs(2); over all storages.
struct Space {
    std::uint64_t total = 0;
    std::uint64_t available = 0;
};

}  // namespace plugfs
