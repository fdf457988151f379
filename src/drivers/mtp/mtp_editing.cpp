// MtpDriver: parts of large files changed in place, with Android's operations (BeginEditObject, SendPartialObject,
// TruncateObject, EndEditObject), so that a byte in a film does not cost the whole film.
//
// Only what is there already and stays for the most part: a file that is emptied first is a new version, and comes
// whole, beside the old one (uploads.h). Each write is on the device when it is answered, and can be done again; what
// an end of this process leaves open, the device's own end of the session closes. From which size on, the quirk
// "edit_from" says.

#include "drivers/mtp/mtp_driver.h"

namespace plugfs::mtp {

namespace {
// Below this, a new version of the whole file is soon sent, and the old one stays until it is there.
constexpr std::int64_t usual_least_size = std::int64_t{1} << 20U;
}  // namespace

bool MtpDriver::edits_in_place(Key file) const {
    const auto* object = catalogue_.find(file);
    const std::int64_t set = host_.quirk("edit_from");
    const auto least_size = static_cast<std::uint64_t>(set > 0 ? set : usual_least_size);
    return sender_->can_edit() && object != nullptr && object->size >= least_size && uploads_->find(file) == nullptr;
}

// Has the device ready for changes of the object; it may have forgotten about it with a new session.
Result<Catalogue::Object> MtpDriver::begin_edit(Key file) {
    PLUGFS_ASSIGN(const auto object, resolve(file));
    const bool open =
        edit_ && edit_->key == file && edit_->handle == object.handle && edit_->generation == session_->generation();
    if (!open) {
        if (edit_ && edit_->generation == session_->generation()) {
            (void)sender_->end_edit(edit_->handle);
        }
        edit_.reset();
        PLUGFS_TRY(sender_->begin_edit(object.handle));
        edit_ = Edit{file, object.handle, session_->generation()};
    }
    reader_->whole().forget(object.handle);
    return object;
}

Result<void> MtpDriver::edit(Key file, const std::function<Result<void>(std::uint32_t)>& work) {
    PLUGFS_TRY(writable_storage(file));
    const auto edited = attempt_alone([&]() -> Result<void> {
        PLUGFS_ASSIGN(const auto object, begin_edit(file));
        auto done = work(object.handle);
        if (!done) {
            edit_.reset();  // whatever it was: the next attempt begins anew
        }
        return done;
    });
    return edited || edited.error().code == ENOTSUP ? edited : Result<void>(visible(edited.error()));
}

Result<void> MtpDriver::edit_write(Key file, std::uint64_t offset, std::span<const std::byte> bytes) {
    const std::uint64_t size = catalogue_.find(file)->size;
    const std::uint64_t end = offset + bytes.size();
    if (end > size) {
        PLUGFS_TRY(check_growth(file, end - size));
    }
    const auto written = edit(file, [&](std::uint32_t handle) -> Result<void> {
        if (offset > size) {
            PLUGFS_TRY(sender_->truncate(handle, offset));  // the hole is zeroes
        }
        return sender_->send_part(handle, offset, bytes);
    });
    if (!written) {
        return written;
    }
    catalogue_.set_size(file, std::max(size, end));
    return {};
}

Result<void> MtpDriver::edit_resize(Key file, std::uint64_t size) {
    const std::uint64_t old = catalogue_.find(file)->size;
    if (size > old) {
        PLUGFS_TRY(check_growth(file, size - old));
    }
    PLUGFS_TRY(edit(file, [&](std::uint32_t handle) { return sender_->truncate(handle, size); }));
    catalogue_.set_size(file, size);
    return {};
}

Result<void> MtpDriver::check_growth(Key file, std::uint64_t more) {
    PLUGFS_ASSIGN(const auto storage, writable_storage(file));
    if (check_free(storage, more)) {
        return {};
    }
    if (const auto read = attempt_alone([this] { return storages_->refresh(); }); !read) {
        return visible(read.error());
    }
    return check_free(storage, more);
}

// The device takes note of the object's size only now.
Result<void> MtpDriver::end_edit(Key file) {
    if (!edit_ || edit_->key != file) {
        return {};
    }
    const Edit ended = *std::exchange(edit_, std::nullopt);
    if (ended.generation != session_->generation()) {
        return {};
    }
    const auto done = change([&] { return sender_->end_edit(ended.handle); });
    return done ? Result<void>() : Result<void>(visible(done.error()));
}

}  // namespace plugfs::mtp
