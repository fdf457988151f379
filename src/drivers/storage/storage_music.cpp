// StorageDriver: music: tracks/ (by way of the kit) and playlists/.

#include "drivers/storage/storage_driver.h"

namespace plugfs::storage {

// FNV-1a, 64 bits: of volumes of one device, which do not mean each other harm.
std::uint64_t StorageDriver::identity_of(const Drive& drive, const Drive::MountedVolume& mounted) {
    const auto& info = mounted.volume->info();
    const auto text =
        std::to_string(drive.number()) + "/" + std::to_string(mounted.image) + "/" + info.type + "/" + info.serial;
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char byte : text) {
        hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
    }
    return hash;
}

void StorageDriver::set_up_music() {
    StickLibrary::Access access;
    access.volumes = [this] { return served_volumes(); };
    access.read = [this](Key key, std::uint64_t offset, std::span<std::byte> out) { return read(key, offset, out); };
    access.found = [this] {
        host_.added(root_key, playlists_entry());
        host_.show_tracks();
    };
    library_ = std::make_unique<StickLibrary>(host_, std::move(access));
    playlists_ = std::make_unique<StickPlaylists>(
        host_, StickPlaylists::Access{[this] { return served_volumes(); },
                                      [this](unsigned volume) {
                                          if (const auto at = volumes_.find(volume); at != volumes_.end()) {
                                              note_use(at->second, true);
                                          }
                                      }});
}

Attributes* StorageDriver::attributes() {
    return &library_->attributes();
}

Entry StorageDriver::playlists_entry() {
    return {.key = playlists_folder, .name = "playlists", .kind = Kind::directory};
}

std::vector<ServedVolume> StorageDriver::served_volumes() const {
    std::vector<ServedVolume> served;
    for (const auto& [number, place] : volumes_) {
        served.push_back({number, place.mounted->volume.get(), place.identity, place.mounted->folder});
    }
    return served;
}

void StorageDriver::music_changed(const Place& place, Key key, const Entry* entry) {
    const ServedVolume volume{volume_of(key), place.mounted->volume.get(), place.identity, {}};
    library_->changed(volume, within_volume(entry != nullptr ? entry->key : key));
    if (entry != nullptr) {
        library_->saw(*entry);
    }
    playlists_->file_changed(key, entry);
}

}  // namespace plugfs::storage
