// MtpDriver: the content of files that changes; see uploads.h.

#include "drivers/mtp/mtp_driver.h"

#include <algorithm>
#include <ctime>

namespace plugfs::mtp {

namespace {

constexpr std::size_t copy_size = std::size_t{256} << 10U;

}  // namespace

Result<UploadNote> MtpDriver::note_for(Key folder, const std::string& name) {
    UploadNote note;
    note.name = name;
    Key at = folder;
    while (!is_storage(at)) {
        PLUGFS_ASSIGN(const auto object, resolve(at));
        PLUGFS_ASSIGN(const auto info, lister_->info(object.handle));
        note.folders.insert(note.folders.begin(), info.filename);
        at = object.folder;
    }
    note.storage = static_cast<std::uint32_t>(at);
    note.modified = std::time(nullptr);
    return note;
}

Result<void> MtpDriver::begin_upload(Key key, Key folder, const std::string& name, Begin how) {
    auto note = attempt_alone([&] { return note_for(folder, name); });
    if (!note) {
        return visible(note.error());
    }
    note->filling = how != Begin::empty;
    const auto begun = uploads_->begin(key, folder, std::move(*note), how == Begin::replacing);
    return begun ? Result<void>() : begun.error();
}

Result<Entry> MtpDriver::create_file(Key folder, const std::string& name) {
    const Key key = catalogue_.reserve(folder, name);
    if (key == 0) {
        return fail(ENOSPC, "create", "there are too many objects");
    }
    if (auto begun = begin_upload(key, folder, name, Begin::empty); !begun) {
        catalogue_.erase(key);
        return begun.error();
    }
    return uploads_->entry(*uploads_->find(key));
}

Result<Upload*> MtpDriver::upload_of(Key file, std::uint64_t keep) {
    if (auto* upload = uploads_->find(file)) {
        return upload;
    }
    PLUGFS_TRY(writable_storage(file));
    auto info = attempt_alone([&]() -> Result<ObjectInfo> {
        PLUGFS_ASSIGN(const auto object, resolve(file));
        return lister_->info(object.handle);
    });
    if (!info) {
        return visible(info.error());
    }
    PLUGFS_TRY(check_name(info->filename));
    const auto* object = catalogue_.find(file);
    PLUGFS_TRY(begin_upload(file, object->folder, info->filename, Begin::replacing));
    if (const auto filled = fill_upload(file, file, std::min(keep, info->size)); !filled) {
        uploads_->end(file);
        return filled.error();
    }
    return uploads_->find(file);
}

// Copies what the device has of `from` into an upload.
Result<void> MtpDriver::fill_upload(Key upload, Key from, std::uint64_t size) {
    const Spool::Id spool = uploads_->find(upload)->spool;
    std::vector<std::byte> buffer(copy_size);
    for (std::uint64_t at = 0; at < size;) {
        const auto part =
            std::span(buffer).first(static_cast<std::size_t>(std::min<std::uint64_t>(copy_size, size - at)));
        PLUGFS_ASSIGN(const auto got, read_object(from, at, part));
        if (got == 0) {
            return fail(EIO, "read", "the file ends at " + std::to_string(at) + ", not at " + std::to_string(size));
        }
        PLUGFS_TRY(host_.spool().write(spool, at, part.first(got)));
        at += got;
    }
    return uploads_->set_filled(*uploads_->find(upload));
}

Result<void> MtpDriver::write(Key file, std::uint64_t offset, std::span<const std::byte> bytes) {
    if (edits_in_place(file)) {
        if (auto written = edit_write(file, offset, bytes); written || written.error().code != ENOTSUP) {
            return written;
        }
    }
    PLUGFS_ASSIGN(auto* upload, upload_of(file, UINT64_MAX));
    const auto written = [&]() -> Result<void> {
        PLUGFS_TRY(check_room(*upload, offset + bytes.size()));
        return host_.spool().write(upload->spool, offset, bytes);
    }();
    upload->note.modified = std::time(nullptr);
    if (!written) {
        uploads_->set_failure(*upload, written.error().code);
    }
    return written;
}

Result<void> MtpDriver::resize(Key file, std::uint64_t size) {
    if (size > 0 && edits_in_place(file)) {
        if (auto resized = edit_resize(file, size); resized || resized.error().code != ENOTSUP) {
            return resized;
        }
    }
    PLUGFS_TRY(end_edit(file));
    PLUGFS_ASSIGN(auto* upload, upload_of(file, size));
    PLUGFS_TRY(check_room(*upload, size));
    PLUGFS_TRY(host_.spool().resize(upload->spool, size));
    uploads_->set_failure(*upload, 0);
    return {};
}

// Better to hear of it now than when the file is closed. The device is asked again before anything is refused.
Result<void> MtpDriver::check_room(const Upload& upload, std::uint64_t size) {
    PLUGFS_ASSIGN(const auto now, host_.spool().size(upload.spool));
    if (size <= now || check_free(upload.note.storage, size)) {
        return {};
    }
    if (const auto read = attempt_alone([this] { return storages_->refresh(); }); !read) {
        return visible(read.error());
    }
    return check_free(upload.note.storage, size);
}

Result<Entry> MtpDriver::flush(Key file) {
    if (const auto* upload = uploads_->find(file)) {
        if (const int failure = upload->note.failure; failure != 0) {
            const auto name = upload->note.name;
            drop_upload(file);
            return fail(failure, "flush", "a write to " + quoted(name) + " had failed; it is as it was before");
        }
        return commit(file);
    }
    PLUGFS_TRY(end_edit(file));
    auto info = attempt_alone([&]() -> Result<ObjectInfo> {
        PLUGFS_ASSIGN(const auto object, resolve(file));
        return lister_->info(object.handle);
    });
    if (!info) {
        return info.error().code == ENOENT ? fail(ESTALE, info.error().stage, info.error().detail)
                                           : visible(info.error());
    }
    return entry_for(file, *info);
}

Result<Entry> MtpDriver::set_modified(Key entry, std::int64_t seconds) {
    if (auto* upload = uploads_->find(entry)) {
        PLUGFS_TRY(uploads_->set_modified(*upload, seconds));
        return uploads_->entry(*upload);
    }
    if (is_storage(entry) || entry == storages_key || entry == root_key) {
        return fail(ENOTSUP, "time", "a storage has none");
    }
    auto info = change([&]() -> Result<ObjectInfo> {
        PLUGFS_ASSIGN(const auto object, resolve(entry));
        PLUGFS_TRY(sender_->set_modified(object.handle, seconds));
        return lister_->info(object.handle);
    });
    if (!info) {
        return info.error().code == ENOTSUP ? info.error() : visible(info.error());
    }
    return entry_for(entry, *info);
}

// The file goes to the device. If it cannot, the file is as it was before it was written to.
Result<Entry> MtpDriver::commit(Key key) {
    for (int tries = 1;; ++tries) {
        auto sent = change([&] { return send_upload(*uploads_->find(key)); });
        if (sent) {
            uploads_->end(key);
            return entry_for(key, *sent);
        }
        if (failed_badly_) {
            uploads_->find(key)->suspicious = true;
        }
        if (sent.error().code == ENODEV) {
            return sent.error();
        }
        if (!failed_badly_ || tries > 1) {
            host_.log(LogLevel::error,
                      quoted(uploads_->find(key)->note.name) + " was not written: " + sent.error().text());
            drop_upload(key);
            Error error = visible(sent.error());
            error.code = error.code == ENOENT ? EIO : error.code;  // to whoever closes it, it is there
            return error;
        }
    }
}

void MtpDriver::drop_upload(Key key) {
    const auto* upload = uploads_->find(key);
    if (upload == nullptr) {
        return;
    }
    const bool is_new = !upload->replaces;
    const Key folder = upload->folder;
    uploads_->end(key);
    if (is_new) {
        catalogue_.erase(key);
        host_.removed(key);
    } else {
        host_.list_again(folder);
    }
}

}  // namespace plugfs::mtp
