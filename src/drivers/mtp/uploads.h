// Uploads: files that have been written to and are not on the device yet. MTP takes an object only whole, so what is
// written gathers in the spool (plugfs/spool.h), where it outlives this process, until the file is flushed.
//
// The spool's note says where the file belongs, by names: object handles and keys mean nothing to a successor.
//
// A new version of a file is sent beside the old one, under a name of our own that says how long it has to be. Only
// when it is whole the old one goes, and it gets the name. So what an interruption leaves can be told by looking: what
// is as long as its name says is finished, what is not is removed; see MtpDriver::tidy_leftovers().
#pragma once

#include "drivers/mtp/outgoing_datasets.h"

#include <plugfs/spool.h>
#include <plugfs/tree.h>

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace plugfs::mtp {

// Where a file belongs, and when it was last changed.
struct UploadNote {
    std::uint32_t storage = 0;
    std::vector<std::string> folders;  // from the storage's root down
    std::string name;
    std::optional<std::int64_t> modified;
    // The errno of a write that failed, or 0: what is here is not what somebody wanted, and must not replace anything.
    std::uint16_t failure = 0;
    // Its content is not all here yet: it is being copied from another object. A successor drops it.
    bool filling = false;
    // The device has been asked to put a copy of another object here, which has this name at first, and so many bytes
    // in the end; "": it has not. What there is of it, a successor removes: who asked for it has had no answer.
    std::string copied_as;
    std::uint64_t copied_size = 0;
};
[[nodiscard]] std::vector<std::byte> encode_note(const UploadNote& note);
// EPROTO: it is none; the detail names the field.
[[nodiscard]] Result<UploadNote> decode_note(std::span<const std::byte> bytes);

// The name under which a new version of `size` bytes of the file `name` is sent.
[[nodiscard]] std::string temporary_name(std::uint64_t size, const std::string& name);
struct TemporaryName {
    std::uint64_t size = 0;
    std::string name;
};
// What such a name says; nothing if it is none.
[[nodiscard]] std::optional<TemporaryName> parse_temporary_name(const std::string& filename);

struct Upload {
    Spool::Id spool = 0;
    Key key = 0;
    Key folder = 0;
    UploadNote note;
    bool replaces = false;    // the device has an older version
    bool suspicious = false;  // what an attempt that failed has left on the device has to be looked for
};

class Uploads {
  public:
    // `spool` must outlive it.
    explicit Uploads(Spool& spool) : spool_(spool) {}

    [[nodiscard]] Upload* find(Key key);
    // Begins one, empty. Errors are Spool::create()'s. Valid until the next begin() or end().
    Result<Upload*> begin(Key key, Key folder, UploadNote note, bool replaces);
    // One that a predecessor has left in the spool.
    Upload& adopt(Spool::Id spool, Key key, Key folder, UploadNote note, bool replaces);
    // It is on the device, or not wanted any more.
    void end(Key key);

    Result<void> set_modified(Upload& upload, std::int64_t seconds);
    // A write has failed (an errno), or what it left behind has been cut off (0).
    void set_failure(Upload& upload, int failure);
    Result<void> set_filled(Upload& upload);
    Result<void> set_copied(Upload& upload, const std::string& name, std::uint64_t size);
    [[nodiscard]] Entry entry(const Upload& upload) const;
    // New files in a folder: the device does not list them.
    [[nodiscard]] std::vector<Entry> new_entries(Key folder) const;
    [[nodiscard]] std::vector<Key> keys() const;
    // Whether there is one of that name in a folder.
    [[nodiscard]] bool named(Key folder, const std::string& name) const;

  private:
    Spool& spool_;
    std::unordered_map<Key, Upload> uploads_;
};

}  // namespace plugfs::mtp
