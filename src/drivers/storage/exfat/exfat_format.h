// ExfatFormat: entries, names and marks of exFAT. exFAT specification 6 and 7.
#pragma once

#include "drivers/storage/cluster/volume_format.h"
#include "drivers/storage/exfat/boot_region.h"
#include "drivers/storage/exfat/entry_set.h"
#include "drivers/storage/text/upcase.h"
#include "drivers/storage/volume_options.h"

namespace plugfs::storage::exfat {

class ExfatFormat : public VolumeFormat {
  public:
    ExfatFormat(BlockDevice& device, ClusterHeap& heap, FolderSlots& slots, UpcaseTable upcase,
                const VolumeOptions& options)
        : device_(device), heap_(heap), slots_(slots), upcase_(std::move(upcase)), options_(options) {}

    [[nodiscard]] std::uint64_t file_limit() const override { return INT64_MAX; }
    [[nodiscard]] bool knows_valid_length() const override { return true; }
    [[nodiscard]] Result<Step> next(Folder& folder, SlotReader& reader) override;
    [[nodiscard]] Result<Node> at(Folder& folder, std::uint32_t slot, bool named) override;
    [[nodiscard]] Result<void> check_name(const std::u16string& name) const override;
    [[nodiscard]] std::uint64_t hash(const std::u16string& name) const override { return upcase_.hash(name); }
    [[nodiscard]] bool is_named(const Node& node, const std::u16string& name) const override {
        return upcase_.same(node.name, name);
    }
    [[nodiscard]] std::vector<std::uint64_t> hashes(const Node& node) const override { return {hash(node.name)}; }
    [[nodiscard]] Result<std::vector<std::byte>> encode(Node& node, const NameIndex& index) override;
    [[nodiscard]] std::uint32_t key_slot(std::uint32_t) const override { return 0; }
    // The checksum is in the first slot, the sizes are in the second.
    [[nodiscard]] std::uint32_t slots_with_key() const override { return 2; }
    [[nodiscard]] std::vector<std::byte> update(Node& node) const override;
    void take_over(Node& node, const Node& from) const override;
    void free_slot(std::span<std::byte> slot) const override;
    [[nodiscard]] std::vector<std::byte> folder_start(const Node&) const override { return {}; }
    [[nodiscard]] Result<void> folder_moved(const Node&) override { return {}; }
    [[nodiscard]] std::optional<ParentSlot> parent_slot(const Node&) const override { return std::nullopt; }
    void put_parent(std::span<std::byte>, std::uint32_t) const override {}
    [[nodiscard]] bool knows_folder_length() const override { return true; }
    [[nodiscard]] std::uint64_t note_offset() override { return note_offset_; }
    void set_note_offset(std::uint64_t offset) { note_offset_ = offset; }
    [[nodiscard]] std::optional<std::uint32_t> cluster_in(std::span<const std::byte> slot) const override;
    [[nodiscard]] Result<void> mark(bool changing) override;
    [[nodiscard]] Result<void> write_summary() override;

  private:
    [[nodiscard]] Node parse(Folder& folder, std::uint32_t slot, std::vector<std::byte> slots) const;
    void take_place(Node& node, const EntrySet& set) const;
    [[nodiscard]] Result<Node> collect(Folder& folder, std::uint32_t slot, std::span<const std::byte> file_entry,
                                       SlotReader& reader) const;

    BlockDevice& device_;
    ClusterHeap& heap_;
    FolderSlots& slots_;
    UpcaseTable upcase_;
    VolumeOptions options_;
    std::uint64_t note_offset_ = 0;
};

}  // namespace plugfs::storage::exfat
