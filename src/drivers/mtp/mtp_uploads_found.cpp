// MtpDriver: new versions that a predecessor had not sent yet; see uploads.h.

#include "drivers/mtp/mtp_driver.h"

#include <utility>

namespace plugfs::mtp {

// What a predecessor has left in the spool.
void MtpDriver::find_uploads() {
    auto& spool = host_.spool();
    for (const Spool::Id id : spool.files()) {
        const auto bytes = spool.note(id);
        if (bytes && (is_move_note(*bytes) || decode_playlist_note(*bytes))) {
            continue;
        }
        auto note = bytes ? decode_note(*bytes) : Result<UploadNote>(bytes.error());
        if (!note) {
            host_.log(LogLevel::error, note.error().text());
            spool.remove(id);
            continue;
        }
        if (note->filling) {
            spool.remove(id);  // who asked for it has had no answer, and asks again
            continue;
        }
        const auto folder = attempt_alone([&] { return find_folder(note->storage, note->folders); });
        if (!folder) {
            host_.log(LogLevel::error, quoted(note->name) + " was written to, but its folder is not there any more: " +
                                           folder.error().text());
            spool.remove(id);
            continue;
        }
        bool cleared = false;
        if (!note->copied_as.empty()) {
            const auto undone = change([&]() -> Result<void> {
                PLUGFS_ASSIGN(const auto place, place_of(*folder));
                return undo_copy(place, *note, 0);
            });
            if (!undone && undone.error().code == ENODEV) {
                return;  // it may come back
            }
            const auto again = attempt_alone([&] { return list_whole(*folder); });
            cleared = undone && again;
            if (!cleared) {
                host_.log(LogLevel::error, "what is left of a copy of " + quoted(note->copied_as) +
                                               " stays: " + (undone ? again.error() : undone.error()).text());
            }
            note->copied_as.clear();
        }
        const auto* object = catalogue_.find_child(*folder, note->name);
        const bool replaces = object != nullptr && !object->directory;
        const Key key = replaces ? object->key : catalogue_.reserve(*folder, note->name);
        auto& upload = uploads_->adopt(id, key, *folder, std::move(*note), replaces);
        upload.suspicious = !cleared;
    }
}

Result<Key> MtpDriver::find_folder(std::uint32_t storage, const std::vector<std::string>& names) {
    Key folder = storage_key(storage);
    PLUGFS_TRY(list_whole(folder));
    for (const auto& name : names) {
        const auto* object = catalogue_.find_child(folder, name);
        if (object == nullptr || !object->directory) {
            return fail(ENOENT, "folder", quoted(name) + " is not there");
        }
        folder = object->key;
        PLUGFS_TRY(list_whole(folder));
    }
    return folder;
}

}  // namespace plugfs::mtp
