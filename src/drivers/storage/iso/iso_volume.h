// IsoVolume: ISO 9660 as a Volume, to be read. With the names of Rock Ridge if it has them, else of Joliet, else its
// own.
//
// A key is where the entry's directory record lies on the medium, in bytes: nothing is remembered of files.
#pragma once

#include "drivers/storage/iso/records.h"
#include "drivers/storage/read_only_volume.h"

#include <unordered_map>

namespace plugfs::storage::iso {

[[nodiscard]] bool looks_like_iso(BlockDevice& device);

class IsoVolume : public ReadOnlyVolume {
  public:
    // As open_volume().
    [[nodiscard]] static Result<std::unique_ptr<Volume>> open(BlockDevice& device, VolumeReport report);

    [[nodiscard]] const VolumeInfo& info() const override { return info_; }
    [[nodiscard]] const std::string& read_only_because() const override { return read_only_because_; }
    [[nodiscard]] Result<Space> space() override { return Space{size_, 0}; }
    [[nodiscard]] Result<Listing> list(Key folder, std::uint64_t cursor) override;
    [[nodiscard]] Result<std::size_t> read(Key file, std::uint64_t offset, std::span<std::byte> out) override;
    [[nodiscard]] Result<Entry> look(Key entry) override { return flush(entry); }
    [[nodiscard]] Result<std::uint64_t> place(Key entry) override { return entry; }
    [[nodiscard]] Result<Entry> flush(Key file) override;

  private:
    // Bytes in a row.
    struct Section {
        std::uint64_t offset = 0;  // on the device
        std::uint64_t size = 0;
    };
    struct Node {
        Entry entry;
        std::vector<Section> sections;
        bool left_out = false;   // a link, a device, what is shown elsewhere
        std::uint64_t next = 0;  // where the record behind its last one lies, on the device
    };

    IsoVolume(BlockDevice& device, VolumeReport report) : device_(device), report_(std::move(report)) {}
    [[nodiscard]] Result<void> read_descriptors();
    [[nodiscard]] Result<void> find_rock_ridge();
    void damaged(const Error& error);
    Error seen(const Error& error);

    [[nodiscard]] Result<Section> section(const Record& record) const;
    [[nodiscard]] Result<Record> record_at(std::uint64_t offset);
    [[nodiscard]] Result<Node> node_at(std::uint64_t offset);
    [[nodiscard]] Result<RockRidge> rock_ridge(const Record& record);
    [[nodiscard]] Result<Section> moved_folder(std::uint32_t block);
    [[nodiscard]] Result<Section> folder(Key key);
    [[nodiscard]] static std::uint64_t sector_end(const Section& folder, std::uint64_t offset) {
        return offset + sector_size - (offset - folder.offset) % sector_size;
    }

    BlockDevice& device_;
    VolumeReport report_;
    VolumeInfo info_;
    std::string read_only_because_ = "ISO 9660 is a file system to be read";
    std::uint64_t size_ = 0;
    std::uint32_t block_size_ = 0;
    Section root_;
    bool joliet_ = false;
    std::optional<std::size_t> skip_;               // of system use areas, if there is Rock Ridge
    std::unordered_map<std::uint64_t, Key> known_;  // folders, by where they lie
    bool damage_seen_ = false;
};

}  // namespace plugfs::storage::iso
