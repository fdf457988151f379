// MtpDriver: names on the device that change: renamed, moved, both at once (moves.h).

#include "drivers/mtp/moves.h"

#include "drivers/mtp/mtp_driver.h"

namespace plugfs::mtp {

Result<Entry> MtpDriver::rename(Key entry, Key folder, const std::string& name, std::optional<Key> replaced) {
    PLUGFS_TRY(check_name(name));
    PLUGFS_ASSIGN(const auto storage, writable_storage(folder));
    PLUGFS_TRY(end_edit(entry));
    // What is under way is known by its path.
    for (const Key key : uploads_->keys()) {
        if (key == replaced) {
            drop_upload(key);
        } else if (auto sent = flush(key); !sent && key == entry) {
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
    if (!moved && failed_badly_) {
        // A successor would find it half done; so it is brought to an end now.
        finish_moves();
    }
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
    if (!leftovers_.empty() && !object.directory) {
        PLUGFS_ASSIGN(const auto place, place_of(object.folder));
        PLUGFS_TRY(discard_leftovers(place, info.filename));
    }
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
    if (other_folder && other_name) {
        MoveNote note;
        note.replaces = replaced.has_value();
        PLUGFS_ASSIGN(note.from, path_of(object.folder, info.filename));
        PLUGFS_ASSIGN(note.to, path_of(folder, name));
        PLUGFS_TRY(move_and_rename(object, note, folder, make_way));
    } else {
        PLUGFS_TRY(make_way());
        if (other_folder) {
            PLUGFS_ASSIGN(const auto place, place_of(folder));
            PLUGFS_TRY(sender_->move(object.handle, storage, place.parent));
        } else if (other_name) {
            PLUGFS_TRY(sender_->rename(object.handle, name));
        }
    }
    PLUGFS_ASSIGN(info, lister_->info(object.handle));
    catalogue_.rebind(entry, folder, info);
    return entry_for(entry, info);
}

Result<MoveNote::Place> MtpDriver::path_of(Key folder, const std::string& name) {
    PLUGFS_ASSIGN(auto note, note_for(folder, name));
    return MoveNote::Place{note.storage, std::move(note.folders), std::move(note.name)};
}

// What the device has refused is taken back; what it has answered badly stays noted, for finish_moves().
Result<void> MtpDriver::move_and_rename(const Catalogue::Object& object, const MoveNote& note, Key folder,
                                        const std::function<Result<void>()>& make_way) {
    const std::string apart = moving_name(note.from.name);
    const auto length = utf16_length(apart);
    if (!length || *length > string_limit) {
        return fail(EXDEV, "rename", "the name is too long to move and rename the object at once");
    }
    PLUGFS_ASSIGN(const auto place, place_of(folder));
    PLUGFS_ASSIGN(const auto noted, host_.spool().create(encode_move_note(note)));
    bool named = false;
    bool moved = false;
    const auto done = [&]() -> Result<void> {
        PLUGFS_TRY(sender_->rename(object.handle, apart));
        named = true;
        PLUGFS_TRY(sender_->move(object.handle, place.storage, place.parent));
        moved = true;
        PLUGFS_TRY(make_way());
        return sender_->rename(object.handle, note.to.name);
    }();
    const auto failure = session_->failure();
    if (!done && (failure == Session::Failure::broken || failure == Session::Failure::silent)) {
        return done;
    }
    if (!done && moved) {
        PLUGFS_ASSIGN(const auto back, place_of(object.folder));
        PLUGFS_TRY(sender_->move(object.handle, back.storage, back.parent));
    }
    if (!done && named) {
        PLUGFS_TRY(sender_->rename(object.handle, note.from.name));
    }
    host_.spool().remove(noted);
    return done;
}

// Moves that were interrupted, by a predecessor's end or because the device misbehaved.
void MtpDriver::finish_moves() {
    auto& spool = host_.spool();
    for (const Spool::Id id : spool.files()) {
        const auto bytes = spool.note(id);
        if (!bytes || !is_move_note(*bytes)) {
            continue;
        }
        const auto note = decode_move_note(*bytes);
        const auto finished = note ? change([&] { return finish_move(*note); }) : Result<void>(note.error());
        if (!finished && finished.error().code == ENODEV) {
            return;  // it may come back
        }
        if (!finished) {
            host_.log(LogLevel::error, "a move was interrupted: " + finished.error().text());
        }
        spool.remove(id);
    }
}

Result<void> MtpDriver::finish_move(const MoveNote& note) {
    const std::string apart = moving_name(note.from.name);
    const auto find = [&](const MoveNote::Place& where) -> Result<std::pair<Key, std::optional<ObjectInfo>>> {
        PLUGFS_ASSIGN(const Key folder, find_folder(where.storage, where.folders));
        PLUGFS_ASSIGN(const auto place, place_of(folder));
        PLUGFS_ASSIGN(auto found, look_up(place, apart));
        return std::pair(folder, std::move(found));
    };
    PLUGFS_ASSIGN(const auto target, find(note.to));
    if (target.second) {
        host_.log(LogLevel::info, "finishing an interrupted move, " + quoted(note.to.name));
        if (note.replaces) {
            PLUGFS_ASSIGN(const auto place, place_of(target.first));
            PLUGFS_TRY(clear_away(place, note.to.name, target.second->handle));
        }
        host_.list_again(target.first);
        return sender_->rename(target.second->handle, note.to.name);
    }
    PLUGFS_ASSIGN(const auto source, find(note.from));
    if (source.second) {
        host_.log(LogLevel::info, "undoing an interrupted move, " + quoted(note.from.name));
        host_.list_again(source.first);
        return sender_->rename(source.second->handle, note.from.name);
    }
    return {};
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
    PLUGFS_TRY(begin_upload(target, folder, name, replaced ? Begin::replacing : Begin::copying));
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
