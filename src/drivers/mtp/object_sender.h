// ObjectSender: makes, changes and removes objects, by what the device has.
//
//   make     SendObjectInfo; for a file SendObject follows, and what arrived is checked
//   rename   SetObjectPropValue of ObjectFileName
//   move     MoveObject
//   copy     CopyObject
//   date     SetObjectPropValue of DateModified
//   edit     BeginEditObject, SendPartialObject, TruncateObject, EndEditObject
//
// What the device lacks is learnt from its list of operations and, where that list was wrong, from its answer; then the
// error is ENOTSUP, and the caller does it another way. Nothing here is tried again by itself: whether a change has
// taken effect that a device answered badly, has to be looked up.
#pragma once

#include "drivers/mtp/object_lister.h"
#include "drivers/mtp/outgoing_datasets.h"
#include "drivers/mtp/session.h"

#include <plugfs/driver.h>

namespace plugfs::mtp {

class ObjectSender {
  public:
    // All must outlive it.
    ObjectSender(Session& session, ObjectLister& lister, const DeviceInfo& info, Host& host);

    // Whether anything can be written at all; whether, as far as is known, objects can be renamed and moved.
    [[nodiscard]] bool able() const { return able_; }
    [[nodiscard]] bool can_rename() const { return sets_names_; }
    [[nodiscard]] bool can_move() const { return moves_; }
    [[nodiscard]] bool can_edit() const { return edits_; }
    [[nodiscard]] bool can_copy() const { return copies_; }
    // It said that it can, and does something else: from now on it cannot.
    void copies_wrongly(const std::string& how);

    // Each returns the new object as the device has it.
    Result<ObjectInfo> make_folder(std::uint32_t storage, std::uint32_t parent, const std::string& name);
    // EIO: the device has kept another number of bytes than it was sent; then nothing is left there.
    // `source` makes one that begins with the first byte; it may be asked for two.
    Result<ObjectInfo> send(const NewObject& object, const std::function<Session::Source()>& source);

    // A folder with all that is in it.
    Result<void> remove(std::uint32_t handle);
    Result<void> rename(std::uint32_t handle, const std::string& name);
    // `parent`: 0 for the root of the storage.
    Result<void> move(std::uint32_t handle, std::uint32_t storage, std::uint32_t parent);
    // Has the device copy a file into another folder, under the name that it has. Returns the handle of the copy as the
    // device says it; 0: it does not say.
    Result<std::uint32_t> copy(const ObjectInfo& object, std::uint32_t storage, std::uint32_t parent);
    Result<void> set_modified(std::uint32_t handle, std::int64_t seconds);

    // Android's extension: parts of an object changed in place, between begin and end. ENOTSUP: not on this device.
    Result<void> begin_edit(std::uint32_t handle);
    Result<void> end_edit(std::uint32_t handle);
    Result<void> send_part(std::uint32_t handle, std::uint64_t offset, std::span<const std::byte> bytes);
    Result<void> truncate(std::uint32_t handle, std::uint64_t size);

  private:
    Result<ObjectInfo> make_folder_once(const NewObject& object);
    Result<ObjectInfo> send_once(const NewObject& object, const Session::Source& source);
    // Whether it failed because such names are not shown; from now on they are sent as others.
    bool dots_are_hidden(const Error& error, const std::string& name);
    Result<std::uint32_t> send_info(const NewObject& object);
    // The object that was made, as it is. The handle that the device gave for it may be wrong.
    Result<ObjectInfo> look_at(std::uint32_t handle, const NewObject& object);
    Result<std::optional<ObjectInfo>> find(const NewObject& object);
    Result<void> set_text(std::uint32_t handle, std::uint16_t property, const std::string& text, bool& possible);
    Result<void> learn(const Result<void>& result, bool& possible, const char* what);

    Session& session_;
    ObjectLister& lister_;
    Host& host_;
    bool able_;
    bool moves_;
    bool copies_;
    bool sets_names_;
    bool sets_dates_;
    bool edits_;
    bool hides_dots_;
};

}  // namespace plugfs::mtp
