#include "drivers/storage/drive.h"

#include "drivers/storage/foreign_types.h"
#include "drivers/storage/open_volume.h"

#include <algorithm>

namespace plugfs::storage {

namespace {

using Clock = Deadline::Clock;

// A volume that was looked at so lately is in use.
constexpr std::chrono::seconds in_use{10};

std::string folder_name(const VolumeInfo& info) {
    const bool blank = info.label.find_first_not_of(' ') == std::string::npos;
    return blank ? info.type + (info.serial.empty() ? "" : "-" + info.serial) : info.label;
}

}  // namespace

Drive::Drive(std::unique_ptr<LogicalUnit> unit, unsigned number, std::span<std::byte> memory, VolumeOptions options,
             VolumeReport report)
    : unit_(std::move(unit)),
      number_(number),
      memory_(memory),
      options_(std::move(options)),
      report_(std::move(report)) {}

Result<bool> Drive::load() {
    unload();
    const auto medium = unit_->open();
    if (!medium) {
        return medium.error().code == ENOMEDIUM ? Result<bool>(false) : Result<bool>(medium.error());
    }
    medium_ = *medium;
    PLUGFS_ASSIGN(cache_, BlockCache::create(*unit_, medium_, memory_, {}, lost_));
    if (!lost_.empty()) {
        lost_ = "what was written and had not reached the medium is lost: " + lost_;
        report_(LogLevel::error, lost_);
    }
    // Not every device has a lock, and not every one says so well.
    (void)unit_->prevent_removal(true);
    if (const auto opened = open_all(); !opened) {
        unload();
        return opened.error().code == ENOMEDIUM ? Result<bool>(false) : Result<bool>(opened.error());
    }
    return true;
}

void Drive::unload() {
    if (loaded() && cache_->dirty_bytes() != 0) {
        lost_ = "what was written and had not reached the medium is lost: it was taken out";
        report_(LogLevel::error, lost_);
    }
    volumes_.clear();
    images_.clear();
    cache_.reset();
    raw_ = false;
}

Result<void> Drive::open_all() {
    images_ = {{0, 0, cache_->size(), ""}};
    const auto partitions = read_partitions(*cache_);
    if (!partitions) {
        if (partitions.error().code != ENODATA) {
            return partitions.error();
        }
        images_[0].content = partitions.error().detail;
        return {};
    }
    for (const auto& partition : *partitions) {
        if (partition.number != 0) {
            images_.push_back({partition.number, partition.offset, partition.length, partition.type});
        }
        open_volume_on(partition, images_.back());
    }
    return {};
}

void Drive::open_volume_on(const Partition& partition, Image& image) {
    auto mounted = std::make_unique<MountedVolume>();
    mounted->image = image.number;
    mounted->device = std::make_unique<PartitionDevice>(*cache_, partition);
    VolumeOptions options = options_;
    options.read_only |= !cache_->writable();
    const std::uint64_t bit = image.number < 64 ? std::uint64_t{1} << image.number : 0;
    options.mark_is_ours = (cache_->remarks() & bit) != 0;
    auto volume = open_volume(*mounted->device, options, report_);
    if (!volume) {
        image.content = volume.error().detail;
        image.foreign = volume.error().code == ENOTSUP ? foreign_type(*mounted->device) : "";
        const auto& elsewhere = options_.served_elsewhere;
        if (std::find(elsewhere.begin(), elsewhere.end(), image.foreign) != elsewhere.end()) {
            return;
        }
        report_(LogLevel::warning,
                (image.number == 0 ? std::string("the medium") : "partition " + std::to_string(image.number)) +
                    " is not served but as an image: " + volume.error().text());
        return;
    }
    image.content = (*volume)->info().type;
    mounted->folder = folder_name((*volume)->info());
    // It is to be settled even if nothing else happens.
    mounted->changed = (*volume)->info().marked_by_predecessor;
    // A mark that is there from now on is ours.
    if (!(*volume)->info().marked_by_others) {
        cache_->set_remarks(cache_->remarks() | bit);
    }
    mounted->volume = std::move(*volume);
    volumes_.push_back(std::move(mounted));
}

Result<void> Drive::settle(MountedVolume& mounted) {
    PLUGFS_TRY(mounted.volume->settle());
    mounted.changed = false;
    return {};
}

Result<void> Drive::settle() {
    if (!loaded()) {
        return {};
    }
    for (const auto& mounted : volumes_) {
        if (mounted->changed) {
            PLUGFS_TRY(settle(*mounted));
        }
    }
    return cache_->writable() || cache_->failure() ? cache_->flush() : Result<void>();
}

Result<void> Drive::settle_quiet(std::chrono::milliseconds quiet) {
    for (const auto& mounted : volumes_) {
        const auto now = Clock::now();
        if (mounted->changed && now >= mounted->last_change + quiet && !cache_->failure()) {
            // Should it fail: not again at once.
            mounted->last_change = now;
            PLUGFS_TRY(settle(*mounted));
        }
    }
    return {};
}

Result<void> Drive::begin_raw() {
    if (raw_) {
        return {};
    }
    for (const auto& mounted : volumes_) {
        if (Clock::now() < mounted->last_used + in_use) {
            return fail(EBUSY, "raw write", "a file system on it is in use");
        }
    }
    PLUGFS_TRY(settle());
    volumes_.clear();
    raw_ = true;
    return {};
}

Result<void> Drive::end_raw() {
    PLUGFS_TRY(cache_->flush());
    if (!raw_) {
        return {};
    }
    raw_ = false;
    cache_->set_remarks(0);
    return open_all();
}

}  // namespace plugfs::storage
