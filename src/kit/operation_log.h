// OperationLog: the changes of names (create, remove, rename) that are under way, kept in the vault.
//
// What a dead worker has left unanswered is asked again. A read or a write may be done twice, a change of a name may
// not: "no such file" to somebody who has just removed it is a lie. So each has a record, from before the device is
// asked until the kernel has the answer:
//
//   free       no operation
//   prepared   noted, the device has not been asked
//   acting     the device is being asked: nobody knows whether it has acted
//   done       it has answered, with this error or none
//
// A successor answers what is done, looks on the device for what was acting (kit/operation_search.h), and asks for the
// rest as if for the first time.
//
// Records are prepared and released on the FUSE thread; the device thread moves them on in between. Whoever reads them
// back does not trust them: the writer has crashed.
#pragma once

#include "common/vault.h"

#include <plugfs/result.h>
#include <plugfs/tree.h>

#include <optional>
#include <string>
#include <vector>

namespace plugfs::kit {

struct Operation {
    enum class What : std::uint8_t { create_file, create_folder, remove, rename };
    // An entry by where it is: the names from the device's root to it, as the device has them.
    using Path = std::vector<std::string>;

    std::uint64_t unique = 0;  // of the kernel's request
    What what = What::create_file;
    std::uint64_t inode = 0;          // what is removed or renamed
    std::uint64_t target_folder = 0;  // inode; rename
    Path path;                        // of what is made, removed or renamed
    Path target;                      // where it is renamed to

    bool operator==(const Operation&) const = default;
};

// "create", ..., for messages.
[[nodiscard]] const char* word_for(Operation::What what);

class OperationLog {
  public:
    using Record = std::size_t;

    // `vault` must outlive this. Nothing that a predecessor has left is free before it is released.
    explicit OperationLog(const VaultMapping& vault);

    struct Left {
        Record record = 0;
        Operation operation;
        std::optional<int> result;  // errno or 0; nothing: the device may have acted, or not
    };
    // What a predecessor has begun and nobody has released. EPROTO: a record does not add up, the detail names the
    // field.
    [[nodiscard]] Result<std::vector<Left>> left() const;

    // EAGAIN: no record is free; ENAMETOOLONG: it does not fit.
    [[nodiscard]] Result<Record> prepare(const Operation& operation);
    void release(Record record);
    // How many records are not free.
    [[nodiscard]] std::size_t under_way() const { return operation_count - free_.size(); }

    // On the device thread, before and after the device is asked. again(): it has not acted, and will be asked anew.
    void acting(Record record);
    void done(Record record, int error);
    void again(Record record);

  private:
    const VaultMapping& vault_;
    std::vector<Record> free_;
};

}  // namespace plugfs::kit
