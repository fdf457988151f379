// The MTP driver: a device's storages and objects as folders and files.
//
//   storage/<description>/...
//
// Keys: a storage's is its id with bit 32 set; "storage" has bit 33; objects' come from the catalogue.
//
// What the device reports by itself (mtp_events.cpp) is queued and worked off in small portions. Every operation goes
// through attempt(), where a device that misbehaved is brought back, and asked once more where that may help; or, where
// it must not be asked twice, through change(). Writing: mtp_writing.cpp and
// mtp_moving.cpp have the names, mtp_uploads.cpp, mtp_editing.cpp and mtp_copying.cpp the content.
#pragma once

#include "drivers/mtp/catalogue.h"
#include "drivers/mtp/device_controls.h"
#include "drivers/mtp/moves.h"
#include "drivers/mtp/object_attributes.h"
#include "drivers/mtp/object_lister.h"
#include "drivers/mtp/object_reader.h"
#include "drivers/mtp/object_sender.h"
#include "drivers/mtp/playlists.h"
#include "drivers/mtp/storages.h"
#include "drivers/mtp/uploads.h"

#include <plugfs/driver.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>

namespace plugfs::mtp {

inline constexpr Key storages_key = Key{1} << 33U;
inline Key storage_key(std::uint32_t id) {
    return (Key{1} << 32U) | id;
}
inline bool is_storage(Key key) {
    return key >> 32U == 1;
}

// The still-image interface of a device: class 6/1/1, or a vendor's whose name says "MTP". ENXIO: there is none.
[[nodiscard]] Result<Endpoints> find_endpoints(std::span<const usb::Interface> interfaces);

// The text of device.json. `extra` may have "battery_level" and "friendly_name", where the device offers them.
struct Extra {
    std::optional<unsigned> battery_level;
    std::string friendly_name;
};
[[nodiscard]] std::string device_description(const usb::Identity& identity, const DeviceInfo& info,
                                             const std::vector<Storages::Storage>& storages, const Extra& extra);
// "0x1001"
[[nodiscard]] std::string hexadecimal(std::uint32_t number);
// The error as a program may see it: codes that only mean something inside the driver become EIO.
[[nodiscard]] Error visible(Error error);

class MtpDriver : public Driver, private Writer {
  public:
    explicit MtpDriver(Host& host, const Timing& timing = {}) : host_(host), timing_(timing) {}

    Result<void> start() override;
    Result<Listing> list(Key folder, std::uint64_t cursor) override;
    Result<std::size_t> read(Key file, std::uint64_t offset, std::span<std::byte> out) override;
    Result<Space> space() override;
    void arrived(std::uint8_t endpoint, std::span<const std::byte> packet) override;
    std::chrono::milliseconds tick() override;
    [[nodiscard]] std::size_t read_size() const override;
    void stop() override;
    [[nodiscard]] Writer* writer() override;
    [[nodiscard]] Controls* controls() override;
    [[nodiscard]] Attributes* attributes() override { return attributes_.get(); }

  private:
    // Writer
    Result<Entry> create(Key folder, const std::string& name, Kind kind) override;
    Result<void> remove(Key entry) override;
    Result<Entry> rename(Key entry, Key folder, const std::string& name, std::optional<Key> replaced) override;
    Result<void> write(Key file, std::uint64_t offset, std::span<const std::byte> bytes) override;
    Result<void> resize(Key file, std::uint64_t size) override;
    Result<Entry> flush(Key file) override;
    Result<Entry> set_modified(Key entry, std::int64_t seconds) override;
    Result<Entry> copy(Key source, Key file) override;

    // Runs an operation of the device; when it failed because the device misbehaved, brings it back, and tries again
    // once if it had answered at all.
    template <class Operation>
    auto attempt(Operation operation) -> decltype(operation()) {
        PLUGFS_TRY(session_->ready());
        follow_session();
        for (int tries = 1;; ++tries) {
            auto result = operation();
            const bool again = !result && worth_another_try(result.error(), tries);
            follow_session();
            if (!again) {
                return result;
            }
        }
    }
    // The same for an operation that a GetObject between reads would be in the way of.
    template <class Operation>
    auto attempt_alone(Operation operation) -> decltype(operation()) {
        reader_->whole().interrupt();
        return attempt(std::move(operation));
    }
    // An operation that must not be done twice: a device that misbehaved is brought back, and failed_badly_ says that
    // it may have taken effect.
    template <class Operation>
    auto change(Operation operation) -> decltype(operation()) {
        failed_badly_ = false;
        reader_->whole().interrupt();
        PLUGFS_TRY(session_->ready());
        follow_session();
        auto result = operation();
        if (!result) {
            note_failure(result.error());
        }
        follow_session();
        return result;
    }
    void note_failure(const Error& error);
    bool worth_another_try(const Error& error, int tries);
    void follow_session();
    void list_all_again();

    Result<void> read_device_info();
    Result<Listing> list_storages();
    Result<Listing> list_objects(Key folder, std::uint64_t cursor);
    // A folder's storage and the handle that lists it (0: the root), in this session.
    struct Place {
        std::uint32_t storage = 0;
        std::uint32_t parent = 0;
    };
    Result<Place> place_of(Key folder);
    // The object with its handle in this session; ENOENT: it is not there any more. Not within attempt(), but as part
    // of an operation of it.
    Result<Catalogue::Object> resolve(Key key);
    Result<void> list_whole(Key folder);
    Result<std::vector<Entry>> take_in(Key folder, const ObjectLister::Part& part);
    [[nodiscard]] Entry entry_for(Key key, const ObjectInfo& object);
    Result<std::size_t> read_object(Key file, std::uint64_t offset, std::span<std::byte> out);
    void lost(Key key);

    // mtp_writing.cpp
    Result<void> check_name(const std::string& name);
    // The storage that something lies in; EROFS, or EPERM where nothing can be changed.
    Result<std::uint32_t> writable_storage(Key folder);
    Result<std::optional<ObjectInfo>> look_up(const Place& place, const std::string& name);

    // mtp_moving.cpp
    Result<Entry> rename_on_device(Key entry, std::uint32_t storage, Key folder, const std::string& name,
                                   std::optional<Key> replaced);
    Result<MoveNote::Place> path_of(Key folder, const std::string& name);
    Result<void> move_and_rename(const Catalogue::Object& object, const MoveNote& note, Key folder,
                                 const std::function<Result<void>()>& make_way);
    void finish_moves();
    Result<void> finish_move(const MoveNote& note);
    Result<Entry> move_file_by_copy(Key entry, Key folder, const std::string& name, std::optional<Key> replaced);
    Result<Entry> move_folder_by_copy(Key entry, Key folder, const std::string& name, std::optional<Key> replaced);

    // mtp_uploads.cpp
    Result<UploadNote> note_for(Key folder, const std::string& name);
    // A new file; a new version of the object that has the key; a new file that gets its content from elsewhere.
    enum class Begin : std::uint8_t { empty, replacing, copying };
    Result<void> begin_upload(Key key, Key folder, const std::string& name, Begin how);
    Result<Entry> create_file(Key folder, const std::string& name);
    // The upload of a file; if there is none, one with as much of its content as is to be kept.
    Result<Upload*> upload_of(Key file, std::uint64_t keep);
    Result<void> fill_upload(Key upload, Key from, std::uint64_t size);
    Result<void> check_room(const Upload& upload, std::uint64_t size);
    Result<void> check_free(std::uint32_t storage, std::uint64_t size) const;
    Result<Entry> commit(Key key);
    Result<ObjectInfo> send_upload(Upload& upload);
    Result<ObjectInfo> swap(const Catalogue::Object& old, const ObjectInfo& made, const std::string& name,
                            const std::function<Result<ObjectInfo>(const std::string&)>& send);
    void drop_upload(Key key);
    void find_uploads();
    Result<Key> find_folder(std::uint32_t storage, const std::vector<std::string>& names);

    // mtp_copying.cpp
    Result<void> check_copy(Key source, Key file);
    Result<bool> free_for_copy(Key folder, const std::string& name);
    // What a copy that failed has left in its folder: all_there_is, the device has moved the original there.
    enum class CopyLeft : std::uint8_t { nothing, perhaps, all_there_is };
    Result<ObjectInfo> copy_on_device(Key source, Upload& upload, CopyLeft& left);
    Result<ObjectInfo> find_copy(const ObjectInfo& original, std::uint32_t handle, const Place& place);
    Result<ObjectInfo> finish_copy(const ObjectInfo& copied, std::uint64_t size, const UploadNote& note);
    [[nodiscard]] bool answered_well() const;
    Result<void> undo_copy(const Place& place, const UploadNote& note, std::uint32_t keep);

    // mtp_editing.cpp
    [[nodiscard]] bool edits_in_place(Key file) const;
    Result<Catalogue::Object> begin_edit(Key file);
    Result<void> edit(Key file, const std::function<Result<void>(std::uint32_t)>& work);
    Result<void> edit_write(Key file, std::uint64_t offset, std::span<const std::byte> bytes);
    Result<void> edit_resize(Key file, std::uint64_t size);
    Result<void> check_growth(Key file, std::uint64_t more);
    Result<void> end_edit(Key file);

    // mtp_leftovers.cpp
    bool is_leftover(Key folder, const ObjectInfo& object);
    void tidy_leftovers();
    Result<void> finish_leftover(Key folder, const ObjectInfo& info, const TemporaryName& said);
    Result<void> discard_leftovers(const Place& place, const std::string& name);
    // Removes what has that name, unless it is `keep`.
    Result<void> clear_away(const Place& place, const std::string& name, std::uint32_t keep);

    // mtp_library.cpp
    void set_up_library();
    // Pictures of albums that were found after their tracks had been asked about.
    void look_for_covers();
    // Where an object lies, as seen from a folder beside storage/: "../storage/Card/Music/a.mp3"; "" if it is not
    // known.
    std::string path_of(std::uint32_t handle);
    // The object at such a path. ENOENT: there is none; EINVAL: it is no such path.
    Result<Catalogue::Object> object_at(const std::string& path);

    // mtp_playlists.cpp
    void set_up_playlists();
    Result<std::uint32_t> make_playlist(const std::string& filename);
    library::PlaylistTrack playlist_track(std::uint32_t handle);

    // mtp_events.cpp
    void work_off_events();
    void handle_event(const Event& event);
    void object_added(const Event& event);
    void object_removed(std::uint32_t handle);
    void object_changed(std::uint32_t handle);
    void references_changed(std::uint32_t handle);
    [[nodiscard]] Key folder_of(const ObjectInfo& object) const;
    void report(const Event& event, const std::string& name);
    void refresh_storages();
    void check_storages();
    void describe();

    Host& host_;
    Timing timing_;
    Endpoints endpoints_;
    std::unique_ptr<Session> session_;
    DeviceInfo info_;
    std::unique_ptr<Storages> storages_;
    std::unique_ptr<ObjectLister> lister_;
    std::unique_ptr<ObjectReader> reader_;
    std::unique_ptr<ObjectSender> sender_;
    std::unique_ptr<Uploads> uploads_;
    std::unique_ptr<DeviceControls> controls_;
    std::unique_ptr<AlbumCovers> covers_;
    std::unique_ptr<ObjectAttributes> attributes_;
    std::unique_ptr<Playlists> playlists_;
    std::unique_ptr<Writer> writer_;          // of objects and of playlists
    std::map<std::uint32_t, Key> leftovers_;  // handles of interrupted transfers, and their folders; bounded
    std::set<std::uint32_t> stuck_;           // those that could not be finished: shown as they are
    struct Edit {
        Key key = 0;
        std::uint32_t handle = 0;
        unsigned generation = 0;  // of the session
    };
    std::optional<Edit> edit_;  // the file that the device has open for changes
    bool failed_badly_ = false;
    unsigned generation_ = 0;  // of the session that the catalogue's handles come from

    Catalogue catalogue_;
    std::set<Key> listed_;  // folders of which every part was listed in this session; parents come before children

    std::vector<std::byte> partial_event_;
    std::deque<Event> events_;  // bounded
    bool events_lost_ = false;
    Deadline::Clock::time_point events_since_;  // when the oldest came
    Deadline::Clock::time_point next_check_;    // of the storages
};

}  // namespace plugfs::mtp
