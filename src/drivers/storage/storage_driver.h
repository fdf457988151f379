// The storage driver: sticks, disks, card readers and players that are mass storage.
//
//   storage/<label>/...     each volume that is known (Volume)
//   playlists/NAME.m3u8     the playlists on them, where there is music (StickPlaylists)
//   disk.img, partN.img     the medium and its partitions, as they are; disk2.img, disk2partN.img of a second unit, ...
//
// Keys: storage_keys.h. A volume's number is not used again before all have been, so a key of a medium that was taken
// out is not taken for one of the next.
//
// tick() keeps house: writes back what is due, marks volumes as clean when they have been quiet, looks whether media
// were put in or taken out, and whether there is music.
#pragma once

#include "drivers/storage/drive.h"
#include "drivers/storage/stick_library.h"
#include "drivers/storage/stick_playlists.h"
#include "drivers/storage/storage_keys.h"

#include <plugfs/driver.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace plugfs::storage {

class StorageDriver : public Driver, private Writer {
  public:
    // `more_kinds`: file systems that this program serves besides.
    explicit StorageDriver(Host& host, std::vector<VolumeKind> more_kinds = {})
        : host_(host), more_kinds_(std::move(more_kinds)) {}

    Result<void> start() override;
    Result<Listing> list(Key folder, std::uint64_t cursor) override;
    Result<std::size_t> read(Key file, std::uint64_t offset, std::span<std::byte> out) override;
    Result<Space> space() override;
    std::chrono::milliseconds tick() override;
    [[nodiscard]] InFlight in_flight() override;
    void stop() override;
    Result<void> eject() override;
    [[nodiscard]] Writer* writer() override;
    [[nodiscard]] Attributes* attributes() override;

  private:
    // Writer
    Result<Entry> create(Key folder, const std::string& name, Kind kind) override;
    Result<void> remove(Key entry) override;
    Result<Entry> rename(Key entry, Key folder, const std::string& name, std::optional<Key> replaced) override;
    Result<void> write(Key file, std::uint64_t offset, std::span<const std::byte> bytes) override;
    Result<void> resize(Key file, std::uint64_t size) override;
    Result<Entry> flush(Key file) override;
    Result<Entry> set_modified(Key entry, std::int64_t seconds) override;

    // A volume in its drive, by its number in keys.
    struct Place {
        Drive* drive = nullptr;
        Drive::MountedVolume* mounted = nullptr;
        std::uint64_t identity = 0;  // the same in every process
    };
    // ENOENT: its medium has gone, or its volume. EPERM: the key is one of the driver's own.
    Result<Place> place_of(Key key);
    struct ImagePlace {
        Drive* drive = nullptr;
        Drive::Image image;
    };
    Result<ImagePlace> image_of(Key key);

    void add_drive(std::unique_ptr<LogicalUnit> unit, unsigned number, std::span<std::byte> memory);
    void number_volumes(Drive& drive);
    Listing list_root() const;
    Listing list_volumes() const;
    [[nodiscard]] static Entry image_entry(const Drive& drive, const Drive::Image& image);

    // What an operation of a volume has come to: its use is noted, and what the volume says of itself; a medium that
    // has gone is taken out.
    template <class Value>
    Result<Value> concluded(Place place, Result<Value> result, bool changes) {
        if (result || result.error().code != ENOMEDIUM) {
            note_use(place, changes);
        }
        if (!result) {
            failed(*place.drive, result.error());
        }
        return result;
    }
    // The same with the entry's key made whole; it is in the volume that `of` is in.
    Result<Entry> concluded_entry(Place place, Key of, Result<Entry> result);
    void note_use(Place place, bool changes);
    void failed(Drive& drive, const Error& error);

    // storage_music.cpp
    void set_up_music();
    [[nodiscard]] std::vector<ServedVolume> served_volumes() const;
    [[nodiscard]] static Entry playlists_entry();
    [[nodiscard]] static std::uint64_t identity_of(const Drive& drive, const Drive::MountedVolume& mounted);
    // A file of a volume is about to be written to, moved or removed, or has become `entry`.
    void music_changed(const Place& place, Key key, const Entry* entry);

    // storage_media.cpp
    // Where there is an NTFS volume, and another program that serves it, that one is to take over.
    void goes_on_elsewhere();
    void look_for_media();
    void media_changed(Drive& drive, std::vector<Key> before);
    [[nodiscard]] std::vector<Key> keys_of(const Drive& drive) const;
    void medium_gone(Drive& drive);
    Result<void> write_image(Key file, std::uint64_t offset, std::span<const std::byte> bytes);
    Result<Entry> flush_image(Key file);
    void images_changed();
    void update_note();
    void describe();

    Host& host_;
    std::vector<VolumeKind> more_kinds_;
    std::string transport_;
    std::vector<std::unique_ptr<Drive>> drives_;
    std::map<unsigned, Place> volumes_;  // by their number
    unsigned last_volume_ = 0;
    std::unique_ptr<StickLibrary> library_;
    std::unique_ptr<StickPlaylists> playlists_;
    std::string note_;
    bool images_read_ = false;  // an image was, and may be in somebody's cache
    bool changed_since_then_ = false;
    Deadline::Clock::time_point next_look_;
};

}  // namespace plugfs::storage
