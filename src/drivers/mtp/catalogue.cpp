#include "drivers/mtp/catalogue.h"

#include <functional>
#include <string_view>
#include <utility>

namespace plugfs::mtp {

namespace {

constexpr std::size_t catalogue_limit = 2'000'000;

// An event tells less than a list of properties; what was known before stays known.
void describe(Catalogue::Object& object, const ObjectInfo& info) {
    object.name = info.filename;
    object.object_format = info.object_format;
    if (info.media != nullptr) {
        object.media = info.media;
    }
}

std::uint64_t place_of(Key folder, std::string_view name) {
    return std::hash<std::string_view>()(name) ^ (folder * 0x9e3779b97f4a7c15U);
}

}  // namespace

const Catalogue::Object* Catalogue::find(Key key) const {
    const auto found = objects_.find(key);
    return found == objects_.end() ? nullptr : &found->second;
}

const Catalogue::Object* Catalogue::find_handle(std::uint32_t handle) const {
    const auto found = by_handle_.find(handle);
    return found == by_handle_.end() ? nullptr : find(found->second);
}

// An object of an earlier session in that place; of several with one name the one that has the size, too.
Catalogue::Object* Catalogue::match(std::uint64_t place, const ObjectInfo& info) {
    Object* best = nullptr;
    const auto [begin, end] = by_place_.equal_range(place);
    for (auto at = begin; at != end; ++at) {
        Object& object = objects_.at(at->second);
        if (current(object) || object.directory != info.folder()) {
            continue;
        }
        if (best == nullptr || (best->size != info.size && object.size == info.size)) {
            best = &object;
        }
    }
    return best;
}

void Catalogue::remove_place(const Object& object) {
    const auto [begin, end] = by_place_.equal_range(object.place);
    for (auto at = begin; at != end; ++at) {
        if (at->second == object.key) {
            by_place_.erase(at);
            return;
        }
    }
}

void Catalogue::set_place(Object& object, std::uint64_t place) {
    if (object.place != place) {
        remove_place(object);
        object.place = place;
        by_place_.emplace(place, object.key);
    }
}

Key Catalogue::take_in(Key folder, const ObjectInfo& info, std::uint64_t listing) {
    const std::uint64_t place = place_of(folder, info.filename);
    Object* object = nullptr;
    if (const auto found = by_handle_.find(info.handle); found != by_handle_.end()) {
        object = &objects_.at(found->second);
        if (object->directory != info.folder()) {
            erase(object->key);  // the handle was given to something else meanwhile
            object = nullptr;
        }
    }
    if (object == nullptr) {
        object = match(place, info);
    }
    if (object == nullptr) {
        if (objects_.size() >= catalogue_limit) {
            return 0;
        }
        const Key key = ++last_key_;
        object = &objects_[key];
        object->key = key;
        object->place = place;
        object->directory = info.folder();
        by_place_.emplace(place, key);
    }
    set_place(*object, place);
    object->folder = folder;
    object->handle = info.handle;
    object->storage = info.storage_id;
    object->generation = generation_;
    object->size = info.size;
    describe(*object, info);
    object->listing = listing == 0 ? object->listing : listing;
    by_handle_[info.handle] = object->key;
    return object->key;
}

Key Catalogue::reserve(Key folder, const std::string& name) {
    if (objects_.size() >= catalogue_limit) {
        return 0;
    }
    const Key key = ++last_key_;
    Object& object = objects_[key];
    object.key = key;
    object.folder = folder;
    object.generation = reserved;
    object.name = name;
    object.place = place_of(folder, name);
    by_place_.emplace(object.place, key);
    return key;
}

void Catalogue::rebind(Key key, Key folder, const ObjectInfo& info) {
    // Reported by an event meanwhile, under a key of its own.
    if (const auto known = by_handle_.find(info.handle); known != by_handle_.end() && known->second != key) {
        erase(known->second);
    }
    const auto found = objects_.find(key);
    if (found == objects_.end()) {
        return;
    }
    Object& object = found->second;
    if (current(object)) {
        by_handle_.erase(object.handle);
    }
    set_place(object, place_of(folder, info.filename));
    object.folder = folder;
    object.handle = info.handle;
    object.storage = info.storage_id;
    object.generation = generation_;
    object.size = info.size;
    describe(object, info);
    object.media = info.media;
    object.listing = 0;
    by_handle_[info.handle] = key;
}

const Catalogue::Object* Catalogue::find_child(Key folder, const std::string& name) const {
    const auto [begin, end] = by_place_.equal_range(place_of(folder, name));
    for (auto at = begin; at != end; ++at) {
        const auto* object = find(at->second);
        if (object != nullptr && object->folder == folder && object->generation != reserved) {
            return object;
        }
    }
    return nullptr;
}

std::vector<std::string> Catalogue::names_in(Key folder) const {
    std::vector<std::string> names;
    for (const auto& [key, object] : objects_) {
        if (object.folder == folder && object.generation != reserved) {
            names.push_back(object.name);
        }
    }
    return names;
}

void Catalogue::set_size(Key key, std::uint64_t size) {
    if (const auto found = objects_.find(key); found != objects_.end()) {
        found->second.size = size;
    }
}

void Catalogue::set_media(Key key, std::shared_ptr<MediaProperties> media) {
    if (const auto found = objects_.find(key); found != objects_.end()) {
        found->second.media = std::move(media);
    }
}

void Catalogue::erase(Key key) {
    const auto found = objects_.find(key);
    if (found == objects_.end()) {
        return;
    }
    remove_place(found->second);
    if (current(found->second)) {
        by_handle_.erase(found->second.handle);
    }
    last_listing_.erase(key);
    objects_.erase(found);
}

void Catalogue::sweep(Key folder, std::uint64_t listing) {
    if (std::exchange(last_listing_[folder], listing) == 0) {
        return;  // the first time there is nothing from before
    }
    std::vector<Key> gone;
    for (const auto& [key, object] : objects_) {
        // What an event brought while the listing was under way has the number of none, or of an earlier one.
        if (object.folder == folder && object.listing != listing && object.listing != 0) {
            gone.push_back(key);
        }
    }
    for (const Key key : gone) {
        erase(key);
    }
}

void Catalogue::new_session() {
    ++generation_;
    by_handle_.clear();
}

}  // namespace plugfs::mtp
