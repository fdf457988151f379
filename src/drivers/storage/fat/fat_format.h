// FatFormat: entries, names and marks of FAT12, FAT16 and FAT32. Microsoft FAT specification (2005) 6 and 7.
#pragma once

#include "drivers/storage/cluster/volume_format.h"
#include "drivers/storage/fat/boot_sector.h"
#include "drivers/storage/fat/long_name.h"
#include "drivers/storage/volume_options.h"

namespace plugfs::storage::fat {

// A folder has at most 2 MiB (6.2).
inline constexpr std::uint32_t slot_limit = 65536;

class FatFormat : public VolumeFormat {
  public:
    FatFormat(BlockDevice& device, ClusterHeap& heap, FolderSlots& slots, BootSector boot, const CodePage& page,
              const VolumeOptions& options)
        : device_(device), heap_(heap), slots_(slots), boot_(std::move(boot)), page_(page), options_(options) {}

    [[nodiscard]] std::uint64_t file_limit() const override { return 0xffffffff; }
    [[nodiscard]] bool knows_valid_length() const override { return false; }
    [[nodiscard]] Result<Step> next(Folder& folder, SlotReader& reader) override;
    [[nodiscard]] Result<Node> at(Folder& folder, std::uint32_t slot, bool named) override;
    [[nodiscard]] Result<void> check_name(const std::u16string& name) const override;
    [[nodiscard]] std::uint64_t hash(const std::u16string& name) const override;
    [[nodiscard]] bool is_named(const Node& node, const std::u16string& name) const override;
    [[nodiscard]] std::vector<std::uint64_t> hashes(const Node& node) const override;
    [[nodiscard]] Result<std::vector<std::byte>> encode(Node& node, const NameIndex& index) override;
    [[nodiscard]] std::uint32_t key_slot(std::uint32_t count) const override { return count - 1; }
    [[nodiscard]] std::uint32_t slots_with_key() const override { return 1; }
    [[nodiscard]] std::vector<std::byte> update(Node& node) const override;
    void take_over(Node& node, const Node& from) const override;
    void free_slot(std::span<std::byte> slot) const override;
    [[nodiscard]] std::vector<std::byte> folder_start(const Node& node) const override;
    [[nodiscard]] Result<void> folder_moved(const Node& node) override;
    [[nodiscard]] std::optional<ParentSlot> parent_slot(const Node& node) const override;
    void put_parent(std::span<std::byte> slot, std::uint32_t cluster) const override { put_cluster(slot, cluster); }
    [[nodiscard]] bool knows_folder_length() const override { return false; }
    [[nodiscard]] std::uint64_t note_offset() override { return boot_.note_offset; }
    [[nodiscard]] std::optional<std::uint32_t> cluster_in(std::span<const std::byte> slot) const override;
    [[nodiscard]] Result<void> mark(bool changing) override;
    [[nodiscard]] Result<void> write_summary() override;

    // Whether the volume is marked as being changed. The label in its root folder; empty: it has none.
    [[nodiscard]] Result<bool> marked();
    [[nodiscard]] Result<std::string> label(Folder& root);
    // Free clusters and where to look for them, if the volume says so.
    [[nodiscard]] Result<void> read_summary();

  private:
    [[nodiscard]] Node parse(Folder& folder, std::uint32_t slot, std::span<const std::byte> bytes,
                             const LongName& long_name) const;
    void name_node(Node& node, const LongName& long_name) const;
    [[nodiscard]] std::u16string short_name(const Node& node) const;
    [[nodiscard]] std::uint32_t get_cluster(std::span<const std::byte> slot) const;
    [[nodiscard]] std::uint32_t cluster_in_parent(const Folder& parent) const;
    void put_cluster(std::span<std::byte> slot, std::uint32_t cluster) const;
    void put_times(std::span<std::byte> slot, std::int64_t seconds, bool created) const;
    [[nodiscard]] Result<void> put_summary(std::uint32_t free, std::uint32_t next);

    BlockDevice& device_;
    ClusterHeap& heap_;
    FolderSlots& slots_;
    BootSector boot_;
    CodePage page_;
    VolumeOptions options_;
};

}  // namespace plugfs::storage::fat
