// MtpDriver: names on the device that come and go: made and removed. What has one and gets another: mtp_moving.cpp.
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
    return sender_->able() && !all_read_only ? writer_.get() : nullptr;
}

void MtpDriver::note_failure(const Error& error) {
    const auto failure = session_->failure();
    failed_badly_ = failure == Session::Failure::broken || failure == Session::Failure::silent;
    (void)worth_another_try(error, no_more_tries);
}

Result<void> MtpDriver::check_name(const std::string& name) {
    const auto length = utf16_length(name);
    if (!length || parse_temporary_name(name) || parse_moving_name(name)) {
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
    PLUGFS_TRY(end_edit(entry));
    const auto removed = change([&]() -> Result<void> {
        PLUGFS_ASSIGN(const auto object, resolve(entry));
        reader_->whole().forget(object.handle);
        if (!leftovers_.empty() && !object.directory) {
            PLUGFS_ASSIGN(const auto info, lister_->info(object.handle));
            PLUGFS_ASSIGN(const auto place, place_of(object.folder));
            PLUGFS_TRY(discard_leftovers(place, info.filename));
        }
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

}  // namespace plugfs::mtp
