// MtpDriver: files that the device copies by itself (CopyObject, MTP D.2.26).
//
//   a new file, empty, in the spool -> noted -> copied under the original's name -> named as it shall be -> on the
//   device
//
// CopyObject cannot say what the copy is called. It has the original's name, which must be free in its folder: what
// devices do where it is not, differs. So within one folder nothing is copied like this.
//
// What is under way stands in the new file's note (uploads.h), with the name and the size that the copy has. A process
// that dies in between leaves a successor who removes what there is of it; the call is made again, or was never heard
// of again: then the file is as empty as it was made. Of a copy that the device has refused there is nothing. The
// original is never removed here, whatever the device says the copy's handle is.
//
// A copy that is not as long as the original, or not where it should be, is removed, and the device is not asked for
// another one: whoever wants it reads and writes, as everywhere else.

#include "drivers/mtp/mtp_driver.h"

#include <algorithm>
#include <cctype>

namespace plugfs::mtp {

namespace {

// Names that a device might take for the same: letters in either case, and all that is not ASCII, for one character
// each.
std::string blurred(const std::string& name) {
    std::string text;
    for (const char each : name) {
        const auto byte = static_cast<unsigned char>(each);
        if (byte < 0x80) {
            text += static_cast<char>(std::tolower(byte));
        } else if (byte >= 0xC0) {
            text += '\x80';  // the first of several bytes
        }
    }
    return text;
}

Error not_here(const std::string& why) {
    return fail(ENOTSUP, operation_name(operation::copy_object), why);
}

}  // namespace

Result<Entry> MtpDriver::copy(Key source, Key file) {
    if (!sender_->can_copy()) {
        return fail(ENOSYS, operation_name(operation::copy_object), "the device cannot do it");
    }
    PLUGFS_TRY(check_copy(source, file));
    PLUGFS_TRY(end_edit(source));
    auto left = CopyLeft::nothing;
    auto made = change([&] { return copy_on_device(source, *uploads_->find(file), left); });
    if (made) {
        uploads_->end(file);
        return entry_for(file, *made);
    }
    auto& upload = *uploads_->find(file);
    if (made.error().code == ENODEV) {
        return made.error();  // it may come back
    }
    host_.log(LogLevel::info, quoted(upload.note.name) + ": " + made.error().text());
    if (failed_badly_) {
        sender_->copies_wrongly(made.error().text());
    }
    if (left == CopyLeft::all_there_is) {
        host_.list_again(upload.folder);
        uploads_->set_failure(upload, EIO);
        return fail(EIO, made.error().stage, made.error().detail);
    }
    if (left == CopyLeft::perhaps) {
        const auto undone = change([&]() -> Result<void> {
            PLUGFS_ASSIGN(const auto place, place_of(upload.folder));
            PLUGFS_ASSIGN(const auto original, resolve(source));
            return undo_copy(place, upload.note, original.handle);
        });
        if (!undone) {
            if (undone.error().code != ENODEV) {
                uploads_->set_failure(upload, EIO);
            }
            return visible(undone.error());
        }
    }
    PLUGFS_TRY(uploads_->set_copied(upload, "", 0));
    if (made.error().code == ENOSPC) {
        uploads_->set_failure(upload, ENOSPC);
        return made.error();
    }
    return not_here("read and written instead");
}

// What is needed for it, as far as it is known without asking the device.
Result<void> MtpDriver::check_copy(Key source, Key file) {
    const auto* upload = uploads_->find(file);
    if (upload == nullptr || upload->replaces || upload->suspicious || upload->note.failure != 0 ||
        upload->note.filling) {
        return not_here("the file is not new");
    }
    PLUGFS_ASSIGN(const auto size, host_.spool().size(upload->spool));
    const auto* object = catalogue_.find(source);
    if (size > 0 || object == nullptr || object->directory || uploads_->find(source) != nullptr) {
        return not_here(size > 0 ? "the file has been written to" : "the original is not on the device");
    }
    if (object->folder == upload->folder || (object->name != upload->note.name && !sender_->can_rename())) {
        return not_here("the copy could not get its name");
    }
    return {};
}

// Whether a copy can have that name in a folder for a while. What the device has there is known if it has been listed;
// what is new there is reported.
Result<bool> MtpDriver::free_for_copy(Key folder, const std::string& name) {
    if (listed_.count(folder) == 0) {
        PLUGFS_TRY(list_whole(folder));
    }
    const auto names = catalogue_.names_in(folder);
    return std::none_of(names.begin(), names.end(),
                        [wanted = blurred(name)](const auto& other) { return blurred(other) == wanted; });
}

Result<ObjectInfo> MtpDriver::copy_on_device(Key source, Upload& upload, CopyLeft& left) {
    PLUGFS_ASSIGN(const auto object, resolve(source));
    PLUGFS_ASSIGN(const auto original, lister_->info(object.handle));
    PLUGFS_ASSIGN(const auto place, place_of(upload.folder));
    PLUGFS_ASSIGN(const bool is_free, free_for_copy(upload.folder, original.filename));
    if (!is_free) {
        return not_here(quoted(original.filename) + " is there already");
    }
    PLUGFS_TRY(storages_->refresh());
    PLUGFS_TRY(check_free(place.storage, original.size));
    PLUGFS_TRY(uploads_->set_copied(upload, original.filename, original.size));
    const auto handle = sender_->copy(original, place.storage, place.parent);
    left = handle || session_->failure() != Session::Failure::refused ? CopyLeft::perhaps : CopyLeft::nothing;
    if (!handle) {
        return handle.error();
    }
    const auto now = lister_->info(original.handle);
    if (!now && session_->failure() != Session::Failure::refused) {
        return now.error();
    }
    if (!now || now->storage_id != original.storage_id || lister_->parent_of(*now) != lister_->parent_of(original)) {
        sender_->copies_wrongly("the original is not there any more");
        left = CopyLeft::all_there_is;
        host_.list_again(object.folder);
        return fail(EIO, operation_name(operation::copy_object), "the device has moved the original");
    }
    const auto copied = find_copy(original, *handle, place);
    auto finished = copied ? finish_copy(*copied, original.size, upload.note) : Result<ObjectInfo>(copied.error());
    if (!finished && answered_well()) {
        // What it is, is known; what else has such a name has another owner.
        if (copied && !sender_->remove(copied->handle) && !answered_well()) {
            return finished;
        }
        left = CopyLeft::nothing;
        return finished;
    }
    if (finished && !leftovers_.empty()) {
        (void)discard_leftovers(place, upload.note.name);
    }
    if (finished) {
        catalogue_.rebind(upload.key, upload.folder, *finished);
    }
    return finished;
}

// Whether nothing is wrong with what the device has said last, be it a refusal.
bool MtpDriver::answered_well() const {
    return session_->failure() == Session::Failure::none || session_->failure() == Session::Failure::refused;
}

// The copy that the device has made: an object that was not there before.
Result<ObjectInfo> MtpDriver::find_copy(const ObjectInfo& original, std::uint32_t handle, const Place& place) {
    const auto is_new = [&](std::uint32_t each) {
        return each != 0 && each != root_parent && each != original.handle && catalogue_.find_handle(each) == nullptr;
    };
    if (is_new(handle)) {
        auto info = lister_->info(handle);
        const bool here = info && (info->storage_id == 0 || info->storage_id == place.storage) &&
                          lister_->parent_of(*info) == place.parent;
        if (here && !info->folder()) {
            return info;
        }
        if (!info && session_->failure() != Session::Failure::refused) {
            return info;
        }
    }
    PLUGFS_ASSIGN(auto found, look_up(place, original.filename));
    if (found && is_new(found->handle)) {
        return std::move(*found);
    }
    sender_->copies_wrongly("there is no copy of " + quoted(original.filename) + " where it should be");
    return not_here("there is no copy");
}

// It is as long as the original, has its name, and the time at which it was made: so far it has its original's.
Result<ObjectInfo> MtpDriver::finish_copy(const ObjectInfo& copied, std::uint64_t size, const UploadNote& note) {
    if (copied.size != size) {
        sender_->copies_wrongly("the copy has " + std::to_string(copied.size) + " bytes of " + std::to_string(size));
        return not_here("it was no copy");
    }
    if (copied.filename != note.name) {
        PLUGFS_TRY(sender_->rename(copied.handle, note.name));
    }
    if (note.modified && !sender_->set_modified(copied.handle, *note.modified) && !answered_well()) {
        return fail(EIO, "time", "the device did not answer");
    }
    PLUGFS_ASSIGN(auto info, lister_->info(copied.handle));
    return info.filename == note.name ? Result<ObjectInfo>(std::move(info))
                                      : not_here("the copy is called " + quoted(info.filename));
}

// Removes what there is of a copy that was under way: under the name that it had at first, or its own; never `keep`.
Result<void> MtpDriver::undo_copy(const Place& place, const UploadNote& note, std::uint32_t keep) {
    for (const auto& name : {note.copied_as, note.name}) {
        PLUGFS_ASSIGN(const auto found, look_up(place, name));
        if (found && !found->folder() && found->handle != keep && found->size <= note.copied_size) {
            host_.log(LogLevel::info, "removing what is left of a copy, " + quoted(name));
            PLUGFS_TRY(sender_->remove(found->handle));
        }
    }
    return {};
}

}  // namespace plugfs::mtp
