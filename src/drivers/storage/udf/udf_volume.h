// UdfVolume: UDF 1.02 to 2.60 as a Volume, to be read: what Windows and Linux write on sticks and discs, also with a
// metadata partition. Not served are partitions that are written in packets or only appended to (CD-RW and CD-R).
//
// libudfread would read discs with blocks of 2048 bytes only; sticks have 512.
//
// Each name of a file with several is an entry of its own; links, devices and streams are left out. A key is a folder's
// number and an identifier's place in it (cluster/folders.h), so nothing is remembered of files.
#pragma once

#include "drivers/storage/cluster/folders.h"
#include "drivers/storage/read_only_volume.h"
#include "drivers/storage/udf/medium.h"
#include "drivers/storage/volume_health.h"

#include <list>

namespace plugfs::storage::udf {

class UdfVolume : public ReadOnlyVolume {
  public:
    // `root` is where the root folder's entry lies.
    [[nodiscard]] static Result<std::unique_ptr<Volume>> open(Medium medium, const std::string& label,
                                                              const Extent& root, VolumeHealth health);

    [[nodiscard]] const VolumeInfo& info() const override { return info_; }
    [[nodiscard]] const std::string& read_only_because() const override { return health_.read_only_because(); }
    [[nodiscard]] Result<plugfs::Space> space() override { return plugfs::Space{medium_.size(), 0}; }
    [[nodiscard]] Result<Listing> list(Key folder, std::uint64_t cursor) override;
    [[nodiscard]] Result<std::size_t> read(Key file, std::uint64_t offset, std::span<std::byte> out) override;
    [[nodiscard]] Result<Entry> look(Key entry) override { return flush(entry); }
    [[nodiscard]] Result<std::uint64_t> place(Key entry) override;
    [[nodiscard]] Result<Entry> flush(Key file) override;

  private:
    // An identifier, and what it is of.
    struct Node {
        Entry entry;
        Extent at;  // where the file's entry lies
    };
    // What is known of a file or folder whose content is being read.
    struct Known {
        std::uint32_t number = 0;
        FileEntry file;
    };

    UdfVolume(Medium medium, const std::string& label, const Extent& root, std::uint32_t root_number,
              VolumeHealth health);
    [[nodiscard]] Result<Node> node(Key key);
    // ENOTSUP: it is no file and no folder.
    [[nodiscard]] Result<Node> node_of(Key key, const Identifier& identifier);
    [[nodiscard]] Result<Folder*> folder(Key key);
    [[nodiscard]] Result<const FileEntry*> content(const Extent& entry);
    [[nodiscard]] Result<const FileEntry*> content(const Folder& folder);
    // A part of a folder: not more than there is.
    [[nodiscard]] Result<std::vector<std::byte>> part(const FileEntry& folder, std::uint64_t offset, std::size_t size);
    void left_out(const std::string& name);

    Medium medium_;
    VolumeInfo info_;
    VolumeHealth health_;
    Folders folders_;
    std::unordered_map<std::uint32_t, Extent> entries_;  // of the folders that have been opened, by their ids
    std::list<Known> known_;                             // the last used first
    bool left_out_seen_ = false;
};

}  // namespace plugfs::storage::udf
