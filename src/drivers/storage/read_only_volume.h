// ReadOnlyVolume: a Volume of a kind that is never written to: what it answers to whoever tries.
#pragma once

#include "drivers/storage/volume.h"

namespace plugfs::storage {

class ReadOnlyVolume : public Volume {
  public:
    [[nodiscard]] Result<Entry> create(Key, const std::string&, Kind) override { return refused(); }
    [[nodiscard]] Result<void> remove(Key) override { return refused(); }
    [[nodiscard]] Result<Entry> rename(Key, Key, const std::string&, std::optional<Key>) override { return refused(); }
    [[nodiscard]] Result<void> write(Key, std::uint64_t, std::span<const std::byte>) override { return refused(); }
    [[nodiscard]] Result<void> resize(Key, std::uint64_t) override { return refused(); }
    [[nodiscard]] Result<Entry> set_modified(Key, std::int64_t) override { return refused(); }
    [[nodiscard]] Result<void> settle() override { return {}; }

  private:
    [[nodiscard]] Error refused() const { return fail(EROFS, "volume", read_only_because()); }
};

}  // namespace plugfs::storage
