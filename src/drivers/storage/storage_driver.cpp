#include "drivers/storage/storage_driver.h"

#include "drivers/storage/scsi/open_units.h"

#include <algorithm>
#include <ctime>

namespace plugfs::storage {

namespace {

using Clock = Deadline::Clock;

constexpr unsigned volume_limit = 255;
constexpr std::size_t unit_limit = 16;
// Marked as clean when nothing has changed for so long.
constexpr std::chrono::milliseconds quiet_time{1500};
// What tick() takes at most when nobody waits.
constexpr std::chrono::milliseconds tick_length{200};
// What of it is spent on looking for music.
constexpr std::chrono::milliseconds look_length{20};

int minutes_ahead_of_utc() {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    return ::localtime_r(&now, &local) != nullptr ? static_cast<int>(local.tm_gmtoff / 60) : 0;
}

}  // namespace

Result<void> StorageDriver::start() {
    TransportChoice choice;
    choice.uas = host_.quirk("no_uas") == 0;
    PLUGFS_ASSIGN(auto opened, open_units(host_.device(), choice));
    transport_ = opened.transport;
    PLUGFS_ASSIGN(const auto memory, host_.lasting_memory());
    const std::size_t count = std::min(opened.units.size(), unit_limit);
    // Whole pages for each.
    const std::size_t share = memory.size() / count / 4096 * 4096;
    for (std::size_t i = 0; i < count; ++i) {
        add_drive(std::move(opened.units[i]), static_cast<unsigned>(i), memory.subspan(i * share, share));
    }
    for (auto& drive : drives_) {
        auto loaded = drive->load();
        if (loaded && !*loaded && drive->unit().identity().removable) {
            // It was ejected, perhaps, and somebody has written to `restart`.
            PLUGFS_TRY(drive->unit().load());
            loaded = drive->load();
        }
        if (!loaded && loaded.error().code == ENODEV) {
            return loaded.error();
        }
        if (!loaded) {
            host_.log(LogLevel::error, loaded.error().text());
        }
        number_volumes(*drive);
    }
    set_up_music();
    update_note();
    describe();
    goes_on_elsewhere();
    return {};
}

void StorageDriver::add_drive(std::unique_ptr<LogicalUnit> unit, unsigned number, std::span<std::byte> memory) {
    VolumeOptions options;
    options.utc_offset = minutes_ahead_of_utc();
    options.more_kinds = more_kinds_;
    if (host_.may_go_on_as(ntfs_alternative)) {
        options.served_elsewhere = {ntfs_type};
    }
    options.code_page = host_.quirk("code_page_850") != 0 ? 850 : 437;
    drives_.push_back(
        std::make_unique<Drive>(std::move(unit), number, memory, options,
                                [this](LogLevel level, const std::string& line) { host_.log(level, line); }));
}

void StorageDriver::number_volumes(Drive& drive) {
    std::erase_if(volumes_, [&drive](const auto& item) { return item.second.drive == &drive; });
    for (const auto& mounted : drive.volumes()) {
        do {
            last_volume_ = last_volume_ % volume_limit + 1;
        } while (volumes_.count(last_volume_) != 0);
        volumes_[last_volume_] = {&drive, mounted.get(), identity_of(drive, *mounted)};
        if (volumes_.size() == volume_limit) {
            return;
        }
    }
}

Result<StorageDriver::Place> StorageDriver::place_of(Key key) {
    if (volume_of(key) == 0) {
        return fail(EPERM, "storage", "this belongs to the driver");
    }
    const auto found = volumes_.find(volume_of(key));
    if (found == volumes_.end()) {
        return fail(ENOENT, "storage", "its medium is not there any more");
    }
    return found->second;
}

Result<StorageDriver::ImagePlace> StorageDriver::image_of(Key key) {
    for (const auto& drive : drives_) {
        for (const auto& image : drive->images()) {
            if (image_key(drive->number(), image.number) == key) {
                return ImagePlace{drive.get(), image};
            }
        }
    }
    return fail(ENOENT, "storage", "its medium is not there any more");
}

Entry StorageDriver::image_entry(const Drive& drive, const Drive::Image& image) {
    Entry entry;
    entry.key = image_key(drive.number(), image.number);
    const std::string disk = drive.number() == 0 ? "" : "disk" + std::to_string(drive.number() + 1);
    entry.name = image.number == 0 ? (disk.empty() ? "disk" : disk) : disk + "part" + std::to_string(image.number);
    entry.name += ".img";
    entry.size = image.size;
    return entry;
}

Listing StorageDriver::list_root() const {
    Listing listing;
    listing.entries.push_back({.key = storage_folder, .name = "storage", .kind = Kind::directory});
    if (library_->music()) {
        listing.entries.push_back(playlists_entry());
    }
    for (const auto& drive : drives_) {
        for (const auto& image : drive->images()) {
            listing.entries.push_back(image_entry(*drive, image));
        }
    }
    return listing;
}

Listing StorageDriver::list_volumes() const {
    Listing listing;
    for (const auto& [number, place] : volumes_) {
        listing.entries.push_back(
            {.key = whole_key(number, root_key), .name = place.mounted->folder, .kind = Kind::directory});
    }
    return listing;
}

void StorageDriver::note_use(Place place, bool changes) {
    place.mounted->last_used = Clock::now();
    if (changes) {
        place.mounted->changed = true;
        changed_since_then_ = true;
        place.mounted->last_change = place.mounted->last_used;
    }
}

void StorageDriver::failed(Drive& drive, const Error& error) {
    if (error.code == ENOMEDIUM) {
        medium_gone(drive);
    } else {
        update_note();
    }
}

Result<Listing> StorageDriver::list(Key folder, std::uint64_t cursor) {
    if (folder == root_key) {
        return list_root();
    }
    if (folder == storage_folder) {
        return list_volumes();
    }
    if (folder == playlists_folder) {
        return playlists_->list(cursor);
    }
    PLUGFS_ASSIGN(const auto place, place_of(folder));
    auto listing = concluded(place, place.mounted->volume->list(within_volume(folder), cursor), false);
    if (listing) {
        for (auto& entry : listing->entries) {
            library_->saw(entry);
            entry.key = whole_key(volume_of(folder), entry.key);
        }
    }
    return listing;
}

Result<std::size_t> StorageDriver::read(Key file, std::uint64_t offset, std::span<std::byte> out) {
    if (volume_of(file) != 0) {
        PLUGFS_ASSIGN(const auto place, place_of(file));
        return concluded(place, place.mounted->volume->read(within_volume(file), offset, out), false);
    }
    if (is_playlist(file)) {
        return playlists_->read(file, offset, out);
    }
    PLUGFS_ASSIGN(const auto place, image_of(file));
    if (offset >= place.image.size) {
        return std::size_t{0};
    }
    out = out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), place.image.size - offset)));
    images_read_ = true;
    if (const auto got = place.drive->cache().read(place.image.offset + offset, out, BlockDevice::Use::data); !got) {
        failed(*place.drive, got.error());
        return got.error();
    }
    return out.size();
}

Result<Space> StorageDriver::space() {
    Space all;
    for (const auto& [number, place] : volumes_) {
        const auto one = place.mounted->volume->space();
        if (!one) {
            return one;
        }
        all.total += one->total;
        all.available += one->available;
    }
    return volumes_.empty() ? Result<Space>(fail(ENOTSUP, "space")) : Result<Space>(all);
}

InFlight StorageDriver::in_flight() {
    auto all = InFlight::nothing;
    for (auto& drive : drives_) {
        if (drive->loaded()) {
            all = std::max(all, drive->cache().in_flight());
        }
    }
    return all;
}

std::chrono::milliseconds StorageDriver::tick() {
    auto next = std::chrono::milliseconds(std::chrono::minutes(1));
    const auto until = Deadline::after(tick_length);
    for (auto& drive : drives_) {
        while (drive->loaded()) {
            const auto wait = drive->cache().tend();
            if (!wait) {
                host_.log(LogLevel::error, wait.error().text());
                failed(*drive, wait.error());
                next = std::min(next, std::chrono::milliseconds(500));
                break;
            }
            next = std::min(next, *wait);
            if (wait->count() != 0 || host_.somebody_waits() || until.expired()) {
                break;
            }
        }
        if (drive->loaded() && !host_.somebody_waits()) {
            if (const auto settled = drive->settle_quiet(quiet_time); !settled) {
                host_.log(LogLevel::error, settled.error().text());
                failed(*drive, settled.error());
            }
        }
        const auto& volumes = drive->volumes();
        if (std::any_of(volumes.begin(), volumes.end(), [](const auto& mounted) { return mounted->changed; })) {
            next = std::min(next, quiet_time);
        }
    }
    images_changed();
    look_for_media();
    if (library_->look(Deadline::after(look_length))) {
        next = std::chrono::milliseconds(0);
    }
    const auto look = std::chrono::ceil<std::chrono::milliseconds>(next_look_ - Clock::now());
    return std::max(std::min(next, look), std::chrono::milliseconds(0));
}

void StorageDriver::stop() {
    for (auto& drive : drives_) {
        if (const auto settled = drive->settle(); !settled) {
            host_.log(LogLevel::error,
                      "what was written could not all be brought to the device: " + settled.error().text());
        }
        (void)drive->unit().prevent_removal(false);
    }
}

Result<void> StorageDriver::eject() {
    for (auto& drive : drives_) {
        PLUGFS_TRY(drive->settle());
    }
    for (auto& drive : drives_) {
        (void)drive->unit().prevent_removal(false);
        if (const auto stopped = drive->unit().eject(); !stopped && stopped.error().code != ENOMEDIUM) {
            // Everything is on it: a device that does not want to stop can be unplugged all the same.
            host_.log(LogLevel::warning, stopped.error().text());
        }
    }
    return {};
}

Writer* StorageDriver::writer() {
    return this;
}

}  // namespace plugfs::storage
