#include "drivers/mtp/object_sender.h"

#include <cstring>
#include <thread>

namespace plugfs::mtp {

namespace {

constexpr std::uint32_t in_root = 0;
constexpr std::chrono::milliseconds look_time{5000};
constexpr std::chrono::milliseconds look_pause{20};

Session::Source source_of(const std::vector<std::byte>& bytes, std::size_t& at) {
    return [&bytes, &at](std::span<std::byte> out) -> Result<void> {
        std::memcpy(out.data(), bytes.data() + at, out.size());
        at += out.size();
        return {};
    };
}

// "Cannot do it", in all the ways in which devices say so.
bool means_unable(const Error& error) {
    return error.code == ENOTSUP || error.code == EACCES || error.code == EINVAL;
}

}  // namespace

ObjectSender::ObjectSender(Session& session, ObjectLister& lister, const DeviceInfo& info, Host& host)
    : session_(session),
      lister_(lister),
      host_(host),
      able_(info.supports(operation::send_object_info) && info.supports(operation::send_object) &&
            info.supports(operation::delete_object)),
      moves_(info.supports(operation::move_object)),
      copies_(info.supports(operation::copy_object)),
      sets_names_(info.supports(operation::set_object_prop_value)),
      sets_dates_(sets_names_),
      edits_(info.supports(operation::begin_edit_object) && info.supports(operation::end_edit_object) &&
             info.supports(operation::send_partial_object) && info.supports(operation::truncate_object)),
      hides_dots_(host.quirk("hides_dot_names") != 0) {}

Result<std::uint32_t> ObjectSender::send_info(const NewObject& object) {
    NewObject stored = object;
    stored.filename = stored_name(object.filename, hides_dots_);
    const auto dataset = object_info_dataset(stored);
    std::size_t at = 0;
    const std::uint32_t parent = object.parent == in_root ? root_parent : object.parent;
    PLUGFS_ASSIGN(const auto response, session_.send(operation::send_object_info, {object.storage, parent},
                                                     dataset.size(), source_of(dataset, at)));
    // PTP 10.5.12: StorageID, ParentObject, ObjectHandle.
    const std::uint32_t handle = response.parameters[2];
    if (handle == 0 || handle == root_parent) {
        return fail(EIO, operation_name(operation::send_object_info), "ObjectHandle is " + std::to_string(handle));
    }
    return handle;
}

Result<ObjectInfo> ObjectSender::make_folder(std::uint32_t storage, std::uint32_t parent, const std::string& name) {
    NewObject object;
    object.storage = storage;
    object.parent = parent;
    object.object_format = format::association;
    object.filename = name;
    auto made = make_folder_once(object);
    return made || !dots_are_hidden(made.error(), name) ? std::move(made) : make_folder_once(object);
}

Result<ObjectInfo> ObjectSender::make_folder_once(const NewObject& object) {
    PLUGFS_ASSIGN(const auto handle, send_info(object));
    return look_at(handle, object);
}

bool ObjectSender::dots_are_hidden(const Error& error, const std::string& name) {
    if (hides_dots_ || error.code != ENOENT || !name.starts_with('.')) {
        return false;
    }
    hides_dots_ = true;
    host_.log(LogLevel::info, error.detail + ": such names are sent as " + quoted(stored_name(name, true)));
    return true;
}

Result<ObjectInfo> ObjectSender::look_at(std::uint32_t handle, const NewObject& object) {
    auto info = lister_.info(handle);
    if (info && info->filename == object.filename) {
        return info;
    }
    if (!info && info.error().code != ENOENT) {
        return info;
    }
    // The handle was a guess of the device's, or it takes a moment to see what it has been given.
    const auto deadline = Deadline::after(look_time);
    while (true) {
        PLUGFS_ASSIGN(auto found, find(object));
        if (found) {
            return std::move(*found);
        }
        if (deadline.expired()) {
            return fail(ENOENT, operation_name(operation::send_object_info),
                        "the device has taken " + quoted(object.filename) + " and does not show it");
        }
        std::this_thread::sleep_for(look_pause);
    }
}

Result<std::optional<ObjectInfo>> ObjectSender::find(const NewObject& object) {
    std::uint64_t cursor = 0;
    do {
        PLUGFS_ASSIGN(auto part, lister_.list(object.storage, object.parent, cursor));
        for (auto& each : part.objects) {
            if (each.filename == object.filename) {
                return std::optional(std::move(each));
            }
        }
        cursor = part.next;
    } while (cursor != 0);
    return std::optional<ObjectInfo>();
}

Result<ObjectInfo> ObjectSender::send(const NewObject& object, const std::function<Session::Source()>& source) {
    auto made = send_once(object, source());
    return made || !dots_are_hidden(made.error(), object.filename) ? std::move(made) : send_once(object, source());
}

Result<ObjectInfo> ObjectSender::send_once(const NewObject& object, const Session::Source& source) {
    PLUGFS_ASSIGN(const auto handle, send_info(object));
    if (const auto sent = session_.send(operation::send_object, {}, object.size, source); !sent) {
        // What has arrived may be there, or nothing: both are left as nothing.
        const auto failure = session_.failure();
        if (failure == Session::Failure::refused || failure == Session::Failure::none) {
            if (const auto part = find(object); part && *part) {
                (void)remove((*part)->handle);
            }
        }
        return sent.error();
    }
    auto made = look_at(handle, object);
    if (made && made->size != object.size) {
        (void)remove(made->handle);
        return fail(EIO, operation_name(operation::send_object),
                    "the device has kept " + std::to_string(made->size) + " bytes of " + std::to_string(object.size));
    }
    return made;
}

Result<void> ObjectSender::remove(std::uint32_t handle) {
    const auto removed = session_.command(operation::delete_object, {handle, 0});
    return removed ? Result<void>() : Result<void>(removed.error());
}

Result<void> ObjectSender::learn(const Result<void>& result, bool& possible, const char* what) {
    if (result || session_.failure() != Session::Failure::refused || !means_unable(result.error())) {
        return result;
    }
    if (result.error().code == ENOTSUP) {
        possible = false;
        host_.log(LogLevel::info, result.error().text() + ": the device does not " + what);
    }
    return fail(ENOTSUP, result.error().stage, result.error().detail);
}

Result<void> ObjectSender::set_text(std::uint32_t handle, std::uint16_t property, const std::string& text,
                                    bool& possible) {
    if (!possible) {
        return fail(ENOTSUP, operation_name(operation::set_object_prop_value), "the device cannot do it");
    }
    ByteWriter value;
    write_string(value, text);
    const auto bytes = std::move(value).take();
    std::size_t at = 0;
    const auto set =
        session_.send(operation::set_object_prop_value, {handle, property}, bytes.size(), source_of(bytes, at));
    return set ? Result<void>() : Result<void>(set.error());
}

Result<void> ObjectSender::rename(std::uint32_t handle, const std::string& name) {
    return learn(set_text(handle, object_property::object_file_name, stored_name(name, hides_dots_), sets_names_),
                 sets_names_, "rename objects");
}

Result<void> ObjectSender::set_modified(std::uint32_t handle, std::int64_t seconds) {
    return learn(set_text(handle, object_property::date_modified, format_date_time(seconds), sets_dates_), sets_dates_,
                 "set dates");
}

Result<void> ObjectSender::move(std::uint32_t handle, std::uint32_t storage, std::uint32_t parent) {
    if (!moves_) {
        return fail(ENOTSUP, operation_name(operation::move_object), "the device cannot do it");
    }
    // MTP D.2.24: 0 stands for the root here.
    const auto moved = session_.command(operation::move_object, {handle, storage, parent});
    return learn(moved ? Result<void>() : Result<void>(moved.error()), moves_, "move objects");
}

Result<std::uint32_t> ObjectSender::copy(const ObjectInfo& object, std::uint32_t storage, std::uint32_t parent) {
    // MTP D.2.26: 0 stands for the root here, too; the response has the new handle.
    constexpr std::uint64_t bytes_per_ms = 1024;
    const auto patience = session_.timing().copying + std::chrono::milliseconds(object.size / bytes_per_ms);
    const auto copied = session_.command(operation::copy_object, {object.handle, storage, parent}, patience);
    PLUGFS_TRY(learn(copied ? Result<void>() : Result<void>(copied.error()), copies_, "copy objects"));
    return copied->parameters[0];
}

void ObjectSender::copies_wrongly(const std::string& how) {
    copies_ = false;
    host_.log(LogLevel::warning,
              operation_name(operation::copy_object) + ": " + how + "; copies are read and written from now on");
}

Result<void> ObjectSender::begin_edit(std::uint32_t handle) {
    const auto begun = session_.command(operation::begin_edit_object, {handle});
    return learn(begun ? Result<void>() : Result<void>(begun.error()), edits_, "change parts of objects");
}

Result<void> ObjectSender::end_edit(std::uint32_t handle) {
    const auto ended = session_.command(operation::end_edit_object, {handle});
    return ended ? Result<void>() : Result<void>(ended.error());
}

Result<void> ObjectSender::send_part(std::uint32_t handle, std::uint64_t offset, std::span<const std::byte> bytes) {
    const auto source = [&bytes, at = std::size_t{0}](std::span<std::byte> out) mutable -> Result<void> {
        std::memcpy(out.data(), bytes.data() + at, out.size());
        at += out.size();
        return {};
    };
    const auto sent =
        session_.send(operation::send_partial_object,
                      {handle, static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(offset >> 32U),
                       static_cast<std::uint32_t>(bytes.size())},
                      bytes.size(), source);
    return sent ? Result<void>() : Result<void>(sent.error());
}

Result<void> ObjectSender::truncate(std::uint32_t handle, std::uint64_t size) {
    const auto cut = session_.command(operation::truncate_object, {handle, static_cast<std::uint32_t>(size),
                                                                   static_cast<std::uint32_t>(size >> 32U)});
    return cut ? Result<void>() : Result<void>(cut.error());
}

}  // namespace plugfs::mtp
