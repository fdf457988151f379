// Drive: one logical unit and what is in it: the block cache, the partitions, the volumes on them, and the images.
//
//   empty -> (a medium is found) -> loaded -> (it is gone, or another one) -> empty
//
// Loaded, it has one image of the whole medium and one of each partition, and a volume wherever a file system is known.
// The images can be written to only while no volume is used: then all volumes are closed, and looked for again when the
// writer is done.
#pragma once

#include "drivers/storage/cache/block_cache.h"
#include "drivers/storage/logical_unit.h"
#include "drivers/storage/partitions/partition_device.h"
#include "drivers/storage/volume.h"
#include "drivers/storage/volume_options.h"

#include <plugfs/driver.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace plugfs::storage {

class Drive {
  public:
    // An image: the whole medium (number 0) or a partition.
    struct Image {
        unsigned number = 0;
        std::uint64_t offset = 0;  // bytes
        std::uint64_t size = 0;
        std::string content;  // "FAT32", "exFAT", or what is known of what is not served; for people
        std::string foreign;  // the file system that is not served, if it is known: foreign_type()
    };
    struct MountedVolume {
        unsigned image = 0;  // its number
        std::unique_ptr<PartitionDevice> device;
        std::unique_ptr<Volume> volume;
        std::string folder;    // its name, as it is to be shown
        bool changed = false;  // since it was settled
        Deadline::Clock::time_point last_used;
        Deadline::Clock::time_point last_change;
    };
    using Volumes = std::vector<std::unique_ptr<MountedVolume>>;

    // `unit` is used by this alone from now on. `memory`: for the cache. `number` counts the units from 0. `report` is
    // called for what a person should know, as long as this lives.
    Drive(std::unique_ptr<LogicalUnit> unit, unsigned number, std::span<std::byte> memory, VolumeOptions options,
          VolumeReport report);

    // Looks for a medium and opens what is on it. False: there is none. The errors are the unit's.
    [[nodiscard]] Result<bool> load();
    // The medium is not there any more; what was not written to it is lost.
    void unload();
    // What has been lost of what was written, when a medium was loaded or unloaded the last time; empty: nothing.
    [[nodiscard]] const std::string& lost() const { return lost_; }
    [[nodiscard]] bool loaded() const { return cache_ != nullptr; }
    [[nodiscard]] LogicalUnit& unit() { return *unit_; }
    [[nodiscard]] unsigned number() const { return number_; }
    [[nodiscard]] const Medium& medium() const { return medium_; }
    [[nodiscard]] BlockCache& cache() { return *cache_; }
    [[nodiscard]] const std::vector<Image>& images() const { return images_; }
    [[nodiscard]] const Volumes& volumes() const { return volumes_; }

    // Everything is on the medium, and the volumes that were changed are marked as closed in good order there.
    [[nodiscard]] Result<void> settle();
    // The same for the volumes that have not been changed for so long.
    [[nodiscard]] Result<void> settle_quiet(std::chrono::milliseconds quiet);
    // Before an image is written to: EBUSY if a volume is in use; otherwise they are closed.
    [[nodiscard]] Result<void> begin_raw();
    [[nodiscard]] bool raw() const { return raw_; }
    // The writer of an image is done: what it has written is looked at.
    [[nodiscard]] Result<void> end_raw();

  private:
    Result<void> open_all();
    void open_volume_on(const Partition& partition, Image& image);
    Result<void> settle(MountedVolume& mounted);

    std::unique_ptr<LogicalUnit> unit_;
    unsigned number_;
    std::span<std::byte> memory_;
    VolumeOptions options_;
    VolumeReport report_;
    Medium medium_;
    std::unique_ptr<BlockCache> cache_;
    std::vector<Image> images_;
    Volumes volumes_;
    std::string lost_;
    bool raw_ = false;
};

}  // namespace plugfs::storage
