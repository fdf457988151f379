// MtpDriver: what the device reports by itself, and what it does not report.

#include "drivers/mtp/mtp_driver.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace plugfs::mtp {

using nlohmann::json;

namespace {

using std::chrono::milliseconds;

// A locked phone shows no storage and does not always say when that changes; a card may go without an event, too.
constexpr milliseconds check_incomplete{1000};
constexpr milliseconds check_complete{10'000};
// Events wait while an object is being read whole, but not longer than this.
constexpr milliseconds longest_wait{3000};
constexpr milliseconds work_time{20};
constexpr milliseconds soon{10};
constexpr milliseconds now_and_then{1000};
constexpr std::size_t event_limit = 4096;

const char* event_name(std::uint16_t code) {
    switch (code) {
        case event::object_added:
            return "added";
        case event::object_removed:
            return "removed";
        case event::object_info_changed:
        case event::object_prop_changed:
            return "changed";
        case event::store_added:
            return "storage-added";
        case event::store_removed:
            return "storage-removed";
        case event::storage_info_changed:
            return "storage-changed";
        case event::store_full:
            return "storage-full";
        case event::device_prop_changed:
            return "property-changed";
        case event::device_info_changed:
            return "device-changed";
        case event::device_reset:
            return "device-reset";
        default:
            return "other";
    }
}

}  // namespace

void MtpDriver::arrived(std::uint8_t /*endpoint*/, std::span<const std::byte> packet) {
    // An event may come in several packets where the endpoint's are small; but one that is whole begins anew, whatever
    // was there before.
    if (const auto whole = read_event(packet); whole && *whole) {
        partial_event_.clear();
    }
    partial_event_.insert(partial_event_.end(), packet.begin(), packet.end());
    const auto read = read_event(partial_event_);
    if (!read) {
        host_.log(LogLevel::warning, read.error().text() + "; ignored");
        partial_event_.clear();
        return;
    }
    if (!*read) {
        if (packet.empty() || partial_event_.size() >= largest_message) {
            partial_event_.clear();
        }
        return;
    }
    partial_event_.clear();
    if (events_.size() >= event_limit) {
        events_lost_ = true;
        return;
    }
    if (events_.empty()) {
        events_since_ = Deadline::Clock::now();
    }
    events_.push_back(**read);
    work_off_events();
}

void MtpDriver::work_off_events() {
    const bool can_wait = Deadline::Clock::now() - events_since_ < longest_wait;
    if (reader_->whole().in_use() && can_wait) {
        return;
    }
    const auto deadline = Deadline::after(work_time);
    while (!events_.empty() && !deadline.expired()) {
        const Event event = events_.front();
        events_.pop_front();
        events_since_ = Deadline::Clock::now();
        handle_event(event);
    }
    if (events_.empty() && std::exchange(events_lost_, false)) {
        host_.log(LogLevel::warning, "more events than could be followed; listing everything again");
        list_all_again();
    }
}

void MtpDriver::report(const Event& event, const std::string& name) {
    json line = {{"event", event_name(event.code)}, {"code", hexadecimal(event.code)}};
    if (event.parameters[0] != 0) {
        line["parameter"] = event.parameters[0];
    }
    if (!name.empty()) {
        line["name"] = name;
    }
    host_.event(line.dump(-1, ' ', false, json::error_handler_t::replace));
}

void MtpDriver::handle_event(const Event& event) {
    const std::uint32_t parameter = event.parameters[0];
    switch (event.code) {
        case event::object_added:
            object_added(event);
            return;
        case event::object_removed:
            object_removed(parameter);
            break;
        case event::object_info_changed:
        case event::object_prop_changed:
            object_changed(parameter);
            break;
        case event::object_references_changed:
            references_changed(parameter);
            break;
        case event::store_added:
            refresh_storages();
            host_.list_again(storage_key(parameter));
            break;
        case event::store_removed:
            refresh_storages();
            break;
        case event::storage_info_changed:
            refresh_storages();
            describe();
            break;
        case event::device_info_changed:
            reader_->whole().interrupt();
            if (const auto read = read_device_info(); !read) {
                host_.log(LogLevel::warning, read.error().text());
            }
            refresh_storages();
            host_.controls_changed();
            break;
        case event::device_reset:
            // PTP 12.5.12: all sessions are closed.
            reader_->whole().interrupt();
            if (const auto opened = session_->open(); !opened) {
                host_.log(LogLevel::error, "after a DeviceReset event: " + opened.error().text());
            }
            follow_session();
            refresh_storages();
            break;
        case event::device_prop_changed:
            host_.control_changed(control_name(static_cast<std::uint16_t>(parameter)));
            if (parameter == device_property::battery_level) {
                describe();
            }
            break;
        default:
            break;
    }
    report(event, {});
}

void MtpDriver::object_added(const Event& event) {
    const std::uint32_t handle = event.parameters[0];
    auto object = attempt_alone([&] { return lister_->info(handle); });
    if (!object) {
        host_.log(LogLevel::warning, "object " + std::to_string(handle) + " was added, but: " + object.error().text());
        report(event, {});
        return;
    }
    if (object->object_format == format::abstract_audio_video_playlist) {
        host_.list_again(playlists_key);
    } else if (object->object_format == format::abstract_audio_album) {
        covers_->forget();
    }
    const Key folder = folder_of(*object);
    if (handle == 0 || handle == root_parent || object->parent == handle) {
        host_.log(LogLevel::warning, "skipped: object " + std::to_string(handle) + " was added, ParentObject is " +
                                         std::to_string(object->parent.value_or(0)));
        return;
    }
    if (is_leftover(folder, *object)) {
        return;
    }
    // Of a folder that nobody has looked at, nobody needs to know.
    if (const Key key = folder == 0 ? 0 : catalogue_.take_in(folder, *object, 0); key != 0) {
        host_.added(folder, entry_for(key, *object));
    }
    report(event, object->filename);
}

// 0: a folder that was never listed.
Key MtpDriver::folder_of(const ObjectInfo& object) const {
    const std::uint32_t parent = lister_->parent_of(object);
    if (parent == 0) {
        return storage_key(object.storage_id);
    }
    const auto* folder = catalogue_.find_handle(parent);
    return folder != nullptr && folder->directory ? folder->key : 0;
}

void MtpDriver::references_changed(std::uint32_t handle) {
    if (playlists_->concerns(handle)) {
        host_.list_again(playlists_key);
    } else {
        covers_->forget();
    }
}

void MtpDriver::object_removed(std::uint32_t handle) {
    reader_->whole().forget(handle);
    if (playlists_->concerns(handle)) {
        host_.list_again(playlists_key);
    }
    if (const auto* object = catalogue_.find_handle(handle); object != nullptr) {
        const Key key = object->key;
        uploads_->end(key);
        catalogue_.erase(key);
        host_.removed(key);
    }
}

void MtpDriver::object_changed(std::uint32_t handle) {
    reader_->whole().forget(handle);
    const auto* known = catalogue_.find_handle(handle);
    if (known == nullptr) {
        return;
    }
    const Key key = known->key;
    catalogue_.set_media(key, nullptr);
    const Key before = known->folder;
    auto object = attempt_alone([&] { return lister_->info(handle); });
    if (!object) {
        if (object.error().code == ENOENT) {
            lost(key);
        }
        return;
    }
    const Key folder = object->parent == handle ? before : folder_of(*object);
    if (folder == 0) {
        object_removed(handle);  // moved out of sight
        return;
    }
    const Key now = catalogue_.take_in(folder, *object, 0);
    if (now == key && folder == before) {
        host_.changed(entry_for(now, *object));
    } else if (now != 0) {
        host_.added(folder, entry_for(now, *object));
    }
}

milliseconds MtpDriver::tick() {
    auto& whole = reader_->whole();
    whole.tidy();
    if (!events_.empty()) {
        work_off_events();
    }
    if (!whole.in_use()) {
        check_storages();
        tidy_leftovers();
        if (covers_->begun()) {
            look_for_covers();
        }
    }
    const bool busy = !events_.empty() || (covers_->begun() && !covers_->complete());
    return busy && !whole.in_use() ? soon : now_and_then;
}

void MtpDriver::check_storages() {
    const auto now = Deadline::Clock::now();
    if (now < next_check_) {
        return;
    }
    const auto others = [this] {
        const auto changed = attempt_alone([this] { return storages_->changed(); });
        return changed && *changed;
    };
    if (storages_->incomplete() || others()) {
        refresh_storages();
    }
    next_check_ = Deadline::Clock::now() + (storages_->incomplete() ? check_incomplete : check_complete);
}

void MtpDriver::refresh_storages() {
    const auto changed = attempt_alone([this] { return storages_->refresh(); });
    if (!changed) {
        return;
    }
    if (*changed) {
        host_.log(LogLevel::info, "storages: " + std::to_string(storages_->list().size()));
        host_.list_again(storages_key);
        describe();
    }
}

void MtpDriver::describe() {
    Extra extra;
    const auto& offered = info_.device_properties_supported;
    const auto value = [&](std::uint16_t property) -> std::optional<std::vector<std::byte>> {
        if (std::find(offered.begin(), offered.end(), property) == offered.end()) {
            return std::nullopt;
        }
        auto dataset = attempt_alone(
            [&] { return session_->dataset(operation::get_device_prop_value, {property}, std::size_t{64} << 10U); });
        return dataset ? std::optional(std::move(*dataset)) : std::nullopt;
    };
    if (const auto battery = value(device_property::battery_level); battery && battery->size() == 1) {
        extra.battery_level = std::to_integer<unsigned>(battery->front());
    }
    if (const auto name = value(device_property::device_friendly_name)) {
        ByteReader reader(*name);
        extra.friendly_name = read_string(reader);
    }
    host_.describe(device_description(host_.device().identity(), info_, storages_->list(), extra));
}

}  // namespace plugfs::mtp
