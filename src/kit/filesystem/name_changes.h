// NameChanges: create, remove and rename.
//
// What is asked for stands in the vault before the device is asked; see kit/operation_log.h. The folders are listed
// first, so that what is there is known, and the driver is never asked for the impossible.
//
//   waiting for the folders ─> waiting for others (a free record; a folder that moves) ─> noted ─> asked of the driver
//     ─> applied to the tree ─> answered, and the record is free again
//
// What a predecessor had begun is looked up on the device before anything else is asked of it; the tree is put right at
// once, so that open files keep their inodes; the requests, when the journal gives them again, are answered from what
// was found.
#pragma once

#include "kit/filesystem/core.h"
#include "kit/filesystem/file_reader.h"
#include "kit/filesystem/folders.h"
#include "kit/filesystem/node_status.h"
#include "kit/operation_log.h"
#include "kit/operation_search.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace plugfs::kit {

class NameChanges {
  public:
    // All must outlive this.
    NameChanges(FilesystemCore& core, Folders& folders, FileReader& reader, const NodeStatus& status)
        : core_(core), folders_(folders), reader_(reader), status_(status) {}

    // Before the first request, when the tree is restored: what a predecessor has left in `operations`, where changes
    // are noted from now on; it must outlive this. The errors are OperationLog::left()'s.
    Result<void> restore(OperationLog& operations);
    // When there is a session: forgets what the predecessor had answered, and looks for the rest on the device.
    void look_for_unfinished();

    void create(fuse_req_t request, std::uint64_t parent, const char* name, const fuse_file_info& info);
    void make_folder(fuse_req_t request, std::uint64_t parent, const char* name);
    void remove(fuse_req_t request, std::uint64_t parent, const char* name, Kind kind);
    // `flags` as for renameat2(2).
    void rename(fuse_req_t request, std::uint64_t parent, const char* name, std::uint64_t target_parent,
                const char* target_name, unsigned flags);

  private:
    struct Change {
        WaitingRequests::Id id = 0;
        fuse_req_t request = nullptr;
        Operation operation;
        std::optional<OperationLog::Record> record;
        unsigned attempt = 0;
        std::uint64_t parent = 0;
        std::string name;
        std::uint64_t target_parent = 0;
        std::string target_name;
        Kind kind = Kind::file;               // what is made or removed
        bool keep_target = false;             // RENAME_NOREPLACE
        std::optional<fuse_file_info> opens;  // what is made is opened, too

        [[nodiscard]] bool makes() const;
        [[nodiscard]] bool removes() const { return operation.what == Operation::What::remove; }
        [[nodiscard]] bool renames() const { return operation.what == Operation::What::rename; }
        // Where something appears, or goes.
        [[nodiscard]] std::uint64_t folder() const { return renames() ? target_parent : parent; }
        [[nodiscard]] const char* word() const { return word_for(operation.what); }
    };
    using ChangeRef = std::shared_ptr<Change>;
    // The keys that the driver is asked with.
    struct Keys {
        Key folder = 0;
        Key entry = 0;
        Key target_folder = 0;
        std::optional<Key> replaced;
    };
    // Left by a predecessor.
    struct Unfinished {
        OperationLog::Left left;
        std::optional<Result<OperationTrace>> trace;  // when it has been looked for
        std::function<void()> waiting;                // the request, asked again
    };

    // name_changes.cpp: until the driver is asked
    static ChangeRef new_change(fuse_req_t request, Operation::What what, std::uint64_t parent, const char* name);
    [[nodiscard]] static int check_name(const std::string& name);
    void begin(const ChangeRef& change);
    void prepare(const ChangeRef& change);
    void act(const ChangeRef& change);
    Result<Keys> keys_for(Change& change);
    Result<void> find_target(Change& change, const Node& entry, Keys& keys);
    Result<void> note(Change& change);

    // name_changes_done.cpp: from then on
    void ask_driver(const ChangeRef& change, const Keys& keys);
    static Result<std::optional<Entry>> ask(Writer& writer, const Change& change, const Keys& keys);
    void made(const ChangeRef& change, const Keys& keys, const Result<std::optional<Entry>>& result);
    void apply(const Change& change, const std::optional<Entry>& entry);
    void answer(const ChangeRef& change);
    void failed(const ChangeRef& change, const Error& error);
    void end(Change& change);

    // name_changes_unfinished.cpp
    void found(std::uint64_t unique, Result<OperationTrace> trace);
    void took_effect(const Operation& operation, const OperationTrace& trace);
    void finish(const ChangeRef& change);

    FilesystemCore& core_;
    Folders& folders_;
    FileReader& reader_;
    const NodeStatus& status_;
    OperationLog* operations_ = nullptr;
    std::unordered_map<std::uint64_t, Unfinished> unfinished_;  // by unique
    std::deque<ChangeRef> waiting_for_others_;                  // for a free record, or because of alone_
    std::optional<std::uint64_t> alone_;                        // the `unique` of a change that nothing may go beside
};

}  // namespace plugfs::kit
