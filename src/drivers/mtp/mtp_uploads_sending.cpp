// MtpDriver: a new version is sent, and takes the place of the old one; see uploads.h.

#include "drivers/mtp/mtp_driver.h"

namespace plugfs::mtp {

Result<ObjectInfo> MtpDriver::send_upload(Upload& upload) {
    auto& spool = host_.spool();
    PLUGFS_ASSIGN(const auto place, place_of(upload.folder));
    NewObject object;
    object.storage = place.storage;
    object.parent = place.parent;
    object.object_format = format_for(upload.note.name);
    object.filename = upload.note.name;
    object.modified = upload.note.modified;
    PLUGFS_ASSIGN(object.size, spool.size(upload.spool));
    const auto send = [&](const std::string& filename) {
        object.filename = filename;
        return sender_->send(object, [&] {
            return [&, at = std::uint64_t{0}](std::span<std::byte> out) mutable -> Result<void> {
                PLUGFS_ASSIGN(const auto got, spool.read(upload.spool, at, out));
                at += got;
                return got == out.size() ? Result<void>() : fail(EIO, "spool", "it ends early");
            };
        });
    };
    PLUGFS_TRY(storages_->refresh());
    PLUGFS_TRY(check_free(place.storage, object.size));
    std::optional<Catalogue::Object> old;
    if (upload.replaces) {
        const auto found = resolve(upload.key);
        if (!found && found.error().code != ENOENT) {
            return found.error();
        }
        if (found) {
            old = *found;
        }
    }
    const std::string beside = temporary_name(object.size, upload.note.name);
    if (upload.suspicious) {
        PLUGFS_TRY(clear_away(place, upload.note.name, old ? old->handle : 0));
    }
    // Earlier versions that did not get their name: beside the old one they are in the way; without it they may be the
    // only ones that are whole, and go last.
    const bool may_be_there = upload.suspicious || !leftovers_.empty();
    if (old && may_be_there) {
        PLUGFS_TRY(discard_leftovers(place, upload.note.name));
    }
    Result<ObjectInfo> made = ObjectInfo{};
    if (!old) {
        made = send(upload.note.name);
        if (made && may_be_there) {
            PLUGFS_TRY(discard_leftovers(place, upload.note.name));
        }
    } else {
        made = send(beside);
        if (made) {
            made = swap(*old, *made, upload.note.name, send);
        }
    }
    if (made) {
        catalogue_.rebind(upload.key, upload.folder, *made);
    }
    return made;
}

// The new version is whole: it takes the old one's place.
Result<ObjectInfo> MtpDriver::swap(const Catalogue::Object& old, const ObjectInfo& made, const std::string& name,
                                   const std::function<Result<ObjectInfo>(const std::string&)>& send) {
    reader_->whole().forget(old.handle);
    if (const auto removed = sender_->remove(old.handle); !removed) {
        if (session_->failure() == Session::Failure::refused) {
            (void)sender_->remove(made.handle);
        }
        return removed.error();
    }
    const auto renamed = sender_->rename(made.handle, name);
    if (renamed) {
        return lister_->info(made.handle);
    }
    if (renamed.error().code != ENOTSUP) {
        return renamed.error();
    }
    // Cannot be renamed: sent once more, while the first one is still there.
    PLUGFS_ASSIGN(auto final_one, send(name));
    (void)sender_->remove(made.handle);
    return final_one;
}

Result<void> MtpDriver::check_free(std::uint32_t storage, std::uint64_t size) const {
    for (const auto& each : storages_->list()) {
        if (each.id == storage && each.info.free_space_in_bytes < size) {
            return fail(ENOSPC, "storage",
                        quoted(each.name()) + " has " + std::to_string(each.info.free_space_in_bytes) +
                            " bytes free, " + std::to_string(size) + " are needed");
        }
    }
    return {};
}

}  // namespace plugfs::mtp
