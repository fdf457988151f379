// MtpDriver: what interrupted transfers and moves have left on the device, under names of our own (uploads.h, moves.h).
//
// Listings do not show it; it is finished or removed when nothing else is to do. What is written to a file later is
// newer than anything that is left of it.

#include "drivers/mtp/mtp_driver.h"

namespace plugfs::mtp {

namespace {
constexpr std::size_t leftover_limit = 1000;
}  // namespace

Result<void> MtpDriver::clear_away(const Place& place, const std::string& name, std::uint32_t keep) {
    PLUGFS_ASSIGN(const auto found, look_up(place, name));
    return found && found->handle != keep ? sender_->remove(found->handle) : Result<void>();
}

// What interrupted transfers have left of new versions of a file: there is a newer one, or it shall not be there.
Result<void> MtpDriver::discard_leftovers(const Place& place, const std::string& name) {
    std::vector<std::uint32_t> found;
    std::uint64_t cursor = 0;
    do {
        PLUGFS_ASSIGN(const auto part, lister_->list(place.storage, place.parent, cursor));
        for (const auto& object : part.objects) {
            const auto said = object.folder() ? std::nullopt : parse_temporary_name(object.filename);
            if (said && said->name == name) {
                found.push_back(object.handle);
            }
        }
        cursor = part.next;
    } while (cursor != 0);
    for (const std::uint32_t handle : found) {
        PLUGFS_TRY(sender_->remove(handle));
        leftovers_.erase(handle);
    }
    return {};
}

bool MtpDriver::is_leftover(Key folder, const ObjectInfo& object) {
    const bool transfer = !object.folder() && parse_temporary_name(object.filename);
    const bool ours = transfer || parse_moving_name(object.filename);
    if (folder == 0 || !ours || stuck_.count(object.handle) != 0) {
        return false;
    }
    if (leftovers_.size() < leftover_limit) {
        leftovers_[object.handle] = folder;
    }
    return true;
}

// A new version of a file whose sending or swapping was interrupted, perhaps on another machine: finished if it is
// whole, removed if not.
void MtpDriver::tidy_leftovers() {
    for (const auto& [handle, folder] : std::exchange(leftovers_, {})) {
        const auto info = attempt_alone([&, handle = handle] { return lister_->info(handle); });
        const auto said = info ? parse_temporary_name(info->filename) : std::nullopt;
        const auto moving = info ? parse_moving_name(info->filename) : std::nullopt;
        if ((!said && !moving) || !writable_storage(folder) || (said && uploads_->named(folder, said->name))) {
            continue;  // the last: what is written there now is newer, and clears it away
        }
        Result<void> tidied;
        if (moving) {
            host_.log(LogLevel::info, "a move was interrupted: " + quoted(*moving) + " gets its name back");
            tidied = change([&, handle = handle] { return sender_->rename(handle, *moving); });
        } else if (info->size == said->size) {
            host_.log(LogLevel::info, "finishing an interrupted transfer, " + quoted(said->name));
            tidied = finish_leftover(folder, *info, *said);
        } else {
            host_.log(LogLevel::info, "removing what is left of an interrupted transfer, " + quoted(info->filename));
            tidied = change([&, handle = handle] { return sender_->remove(handle); });
        }
        if (!tidied) {
            host_.log(LogLevel::warning, tidied.error().text() + "; " + quoted(info->filename) + " stays as it is");
            stuck_.insert(handle);
        }
        host_.list_again(folder);
    }
}

Result<void> MtpDriver::finish_leftover(Key folder, const ObjectInfo& info, const TemporaryName& said) {
    const auto renamed = change([&]() -> Result<void> {
        PLUGFS_ASSIGN(const auto place, place_of(folder));
        PLUGFS_TRY(clear_away(place, said.name, info.handle));
        return sender_->rename(info.handle, said.name);
    });
    if (renamed || renamed.error().code != ENOTSUP) {
        return renamed;
    }
    // Cannot be renamed: sent once more.
    const Key from = catalogue_.take_in(folder, info, 0);
    const Key key = catalogue_.reserve(folder, said.name);
    PLUGFS_TRY(begin_upload(key, folder, said.name, Begin::copying));
    if (const auto filled = fill_upload(key, from, info.size); !filled) {
        drop_upload(key);
        return filled;
    }
    PLUGFS_TRY(commit(key));
    catalogue_.erase(from);
    return change([&] { return sender_->remove(info.handle); });
}

}  // namespace plugfs::mtp
