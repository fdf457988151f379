#include "drivers/storage/stick_library.h"

#include "drivers/storage/storage_keys.h"

#include <algorithm>

namespace plugfs::storage {

StickLibrary::StickLibrary(Host& host, Access access)
    : host_(host),
      access_(std::move(access)),
      memory_(host.spool()),
      attributes_(memory_, {[this](Key key) { return find(key); }, [this] { return music(); },
                            [this](LogLevel level, const std::string& line) { host_.log(level, line); }}) {
    if (host_.player()) {
        memory_.set_music();
    }
    if (memory_.size() > 0) {
        host_.log(LogLevel::info, "the tags of " + std::to_string(memory_.size()) + " files are known already");
    }
}

Result<library::TagAttributes::File> StickLibrary::find(Key key) {
    const auto volumes = access_.volumes();
    const auto at = std::find_if(volumes.begin(), volumes.end(),
                                 [key](const auto& volume) { return volume.number == volume_of(key); });
    if (at == volumes.end()) {
        return fail(volume_of(key) == 0 ? ENOTSUP : ESTALE, "attributes", "its medium is not there any more");
    }
    PLUGFS_ASSIGN(const auto entry, at->volume->look(within_volume(key)));
    library::TagAttributes::File file;
    file.file = {entry.name, entry.size, [this, key](std::uint64_t offset, std::span<std::byte> out) {
                     return access_.read(key, offset, out);
                 }};
    PLUGFS_ASSIGN(const auto place, at->volume->place(within_volume(key)));
    file.identity = {at->identity, place, entry.name, entry.size, entry.modified};
    return file;
}

void StickLibrary::saw(const Entry& entry) {
    if (!music() && entry.kind == Kind::file && library::may_have_tags(entry.name)) {
        memory_.set_music();
        folders_.clear();
        access_.found();
    }
}

void StickLibrary::changed(const ServedVolume& volume, Key within) {
    if (const auto place = volume.volume->place(within)) {
        memory_.forget(volume.identity, *place);
    }
}

void StickLibrary::media_changed() {
    memory_.forget_all();
    folders_.clear();
    began_ = false;
    seen_ = 0;
}

void StickLibrary::look_into(const ServedVolume& volume, Folder& folder) {
    const auto part = volume.volume->list(folder.key, folder.cursor);
    // What cannot be listed says so to whoever looks there.
    if (!part) {
        folder.cursor = 0;
        return;
    }
    folder.cursor = part->next == folder.cursor ? 0 : part->next;
    seen_ += part->entries.size();
    for (const auto& entry : part->entries) {
        if (entry.kind == Kind::directory && folders_.size() < folder_limit) {
            folders_.push_back({folder.volume, entry.key});
        }
        saw(entry);
        if (music()) {
            return;
        }
    }
}

bool StickLibrary::look(Deadline deadline) {
    if (music()) {
        return false;
    }
    const auto volumes = access_.volumes();
    if (!began_) {
        began_ = true;
        for (const auto& volume : volumes) {
            folders_.push_back({volume.number, root_key});
        }
    }
    while (!folders_.empty() && seen_ < entry_limit && !deadline.expired() && !host_.somebody_waits()) {
        Folder folder = folders_.front();
        folders_.pop_front();
        const auto at = std::find_if(volumes.begin(), volumes.end(),
                                     [&folder](const auto& volume) { return volume.number == folder.volume; });
        if (at == volumes.end()) {
            continue;
        }
        look_into(*at, folder);
        if (folder.cursor != 0 && !music()) {
            folders_.push_front(folder);
        }
    }
    return !folders_.empty() && seen_ < entry_limit;
}

}  // namespace plugfs::storage
