// MtpDriver: names on the device that change: made, removed, renamed, moved.
//
// A change that the device answered badly may have taken effect: it is not asked for again before somebody has looked.

#include "drivers/mtp/mtp_driver.h"

#include <algorithm>
#include <ctime>

namespace plugfs::mtp {

namespace {

constexpr std::uint16_t read_write = 0;  // AccessCapability, PTP 5.5.3
constexpr int no_more_tries = 1000;

}  // namespace

Writer* MtpDriver::writer() {
    const auto& storages = storages_->list();
    const bool all_read_only =
        !storages.empty() && std::all_of(storages.begin(), storages.end(), [](const auto& storage) {
            return storage.info.access_capability != read_write;
        });
    return sender_->able() && !all_read_only ? this : nullptr;
}

void MtpDriver::note_failure(const Error& error) {
    const auto failure = session_->failure();
    failed_badly_ = failure == Session::Failure::broken || failure == Session::Failure::silent;
    (void)worth_another_try(error, no_more_tries);
}

Result<void> MtpDriver::check_name(const std::string& name) {
    const auto length = utf16_length(name);
    if (!length || parse_temporary_name(name)) {
        return fail(EINVAL, "name", quoted(name) + " cannot be a name on this device");
    }
    // A new version of the file has a longer name for a while.
    const std::size_t longest = string_limit - (temporary_name(UINT64_MAX, "").size());
    return *length <= longest ? Result<void>()
                              : fail(ENAMETOOLONG, "name",
                                     std::to_string(*length) + " units, " + std::to_string(longest) + " at most");
}

Result<std::uint32_t> MtpDriver::writable_storage(Key folder) {
    Key at = folder;
    for (std::size_t depth = 0; !is_storage(at); ++depth) {
        const auto* object = catalogue_.find(at);
        if (object == nullptr || depth > 1000) {
            return fail(folder == root_key || folder == storages_key ? EPERM : ESTALE, "folder",
                        "nothing can be made here");
        }
        at = object->folder;
    }
    const auto id = static_cast<std::uint32_t>(at);
    for (const auto& storage : storages_->list()) {
        if (storage.id == id) {
            return storage.info.access_capability == read_write
                       ? Result<std::uint32_t>(id)
                       : fail(EROFS, "storage", quoted(storage.name()) + " is read-only");
        }
    }
    return fail(ENOENT, "storage", "it is not there any more");
}

// What has that name in a folder, on the device itself.
Result<std::optional<ObjectInfo>> MtpDriver::look_up(const Place& place, const std::string& name) {
    std::uint64_t cursor = 0;
    do {
        PLUGFS_ASSIGN(auto part, lister_->list(place.storage, place.parent, cursor));
        for (auto& object : part.objects) {
            if (object.filename == name) {
                return std::optional(std::move(object));
            }
        }
        cursor = part.next;
    } while (cursor != 0);
    return std::optional<ObjectInfo>();
}

Result<Entry> MtpDriver::create(Key folder, const std::string& name, Kind kind) {
    PLUGFS_TRY(check_name(name));
    PLUGFS_ASSIGN(const auto storage, writable_storage(folder));
    if (kind == Kind::file) {
        return create_file(folder, name);
    }
    auto made = change([&]() -> Result<ObjectInfo> {
        PLUGFS_ASSIGN(const auto place, place_of(folder));
        return sender_->make_folder(storage, place.parent, name);
    });
    if (!made && failed_badly_) {
        const auto found = attempt_alone([&]() -> Result<std::optional<ObjectInfo>> {
            PLUGFS_ASSIGN(const auto place, place_of(folder));
            return look_up(place, name);
        });
        if (found && *found && (*found)->folder()) {
            made = **found;
        }
    }
    if (!made) {
        return visible(made.error());
    }
    const Key key = catalogue_.take_in(folder, *made, 0);
    return key != 0 ? Result<Entry>(entry_for(key, *made)) : fail(ENOSPC, "create", "there are too many objects");
}

Result<void> MtpDriver::remove(Key entry) {
    const auto* upload = uploads_->find(entry);
    if (upload != nullptr && !upload->replaces) {
        uploads_->end(entry);
        catalogue_.erase(entry);
        return {};
    }
    PLUGFS_TRY(writable_storage(entry));
    const auto removed = change([&]() -> Result<void> {
        PLUGFS_ASSIGN(const auto object, resolve(entry));
        reader_->whole().forget(object.handle);
        return sender_->remove(object.handle);
    });
    // That it is not there is what was wanted.
    if (!removed && removed.error().code != ENOENT) {
        return visible(removed.error());
    }
    uploads_->end(entry);
    catalogue_.erase(entry);
    return {};
}

Result<Entry> MtpDriver::rename(Key entry, Key folder, const std::string& name, std::optional<Key> replaced) {
    PLUGFS_TRY(check_name(name));
    PLUGFS_ASSIGN(const auto storage, writable_storage(folder));
    // What is under way is known by its path.
    for (const Key key : uploads_->keys()) {
        if (key == replaced) {
            drop_upload(key);
        } else if (auto sent = commit(key); !sent && key == entry) {
            return sent.error();
        }
    }
    if (replaced && catalogue_.find(*replaced) == nullptr) {
        replaced.reset();
    }
    const auto* object = catalogue_.find(entry);
    if (object == nullptr) {
        return fail(ESTALE, "rename", "the object has gone");
    }
    const bool is_folder = object->directory;
    auto moved = change([&] { return rename_on_device(entry, storage, folder, name, replaced); });
    if (moved || moved.error().code != ENOTSUP || failed_badly_) {
        return moved ? std::move(moved) : Result<Entry>(visible(moved.error()));
    }
    if (replaced && catalogue_.find(*replaced) == nullptr) {
        replaced.reset();
    }
    return is_folder ? move_folder_by_copy(entry, folder, name, replaced)
                     : move_file_by_copy(entry, folder, name, replaced);
}

Result<Entry> MtpDriver::rename_on_device(Key entry, std::uint32_t storage, Key folder, const std::string& name,
                                          std::optional<Key> replaced) {
    PLUGFS_ASSIGN(const auto object, resolve(entry));
    PLUGFS_ASSIGN(auto info, lister_->info(object.handle));
    const bool other_name = info.filename != name;
    const bool other_folder = object.folder != folder;
    if ((other_name && !sender_->can_rename()) || (other_folder && !sender_->can_move())) {
        return fail(ENOTSUP, "rename", "the device cannot do it");
    }
    // What has the name goes as late as can be, and is known to have gone.
    const auto make_way = [&]() -> Result<void> {
        if (replaced) {
            PLUGFS_ASSIGN(const auto old, resolve(*replaced));
            reader_->whole().forget(old.handle);
            PLUGFS_TRY(sender_->remove(old.handle));
            catalogue_.erase(*replaced);
            replaced.reset();
        }
        return {};
    };
    if (other_folder) {
        PLUGFS_ASSIGN(const auto place, place_of(folder));
        if (!other_name) {
            PLUGFS_TRY(make_way());
        }
        PLUGFS_TRY(sender_->move(object.handle, storage, place.parent));
    }
    PLUGFS_TRY(make_way());
    if (other_name) {
        PLUGFS_TRY(sender_->rename(object.handle, name));
    }
    PLUGFS_ASSIGN(info, lister_->info(object.handle));
    catalogue_.rebind(entry, folder, info);
    return entry_for(entry, info);
}

// Where the device can neither rename nor move: a second one is sent, then the first one goes.
Result<Entry> MtpDriver::move_file_by_copy(Key entry, Key folder, const std::string& name,
                                           std::optional<Key> replaced) {
    const auto* object = catalogue_.find(entry);
    const std::uint64_t size = object->size;
    Key target = replaced.value_or(0);
    if (target == 0) {
        target = catalogue_.reserve(folder, name);
    }
    PLUGFS_TRY(begin_upload(target, folder, name, replaced.has_value()));
    const auto copied = fill_upload(target, entry, size);
    auto sent = copied ? commit(target) : Result<Entry>(copied.error());
    if (!sent) {
        drop_upload(target);
        return sent;
    }
    PLUGFS_TRY(remove(entry));
    return sent;
}

Result<Entry> MtpDriver::move_folder_by_copy(Key entry, Key folder, const std::string& name,
                                             std::optional<Key> replaced) {
    const auto empty = attempt_alone([&]() -> Result<bool> {
        PLUGFS_ASSIGN(const auto place, place_of(entry));
        PLUGFS_ASSIGN(const auto part, lister_->list(place.storage, place.parent, 0));
        return part.objects.empty() && part.next == 0;
    });
    if (!empty) {
        return visible(empty.error());
    }
    if (!*empty) {
        // mv(1) copies then, and shows what it does.
        return fail(EXDEV, "rename", "the device cannot move a folder with what is in it");
    }
    if (replaced) {
        PLUGFS_TRY(remove(*replaced));
    }
    PLUGFS_ASSIGN(auto made, create(folder, name, Kind::directory));
    PLUGFS_TRY(remove(entry));
    return made;
}

}  // namespace plugfs::mtp
