// Catalogue: which key stands for which object.
//
// Object handles mean nothing beyond their session (PTP 8.2), and a session may end because the device had to be
// brought back, while files are open. So an object has a key of its own, for as long as this process lives; after a new
// session it gets its new handle when its folder is listed again and an object of the same name is found there.
#pragma once

#include "drivers/mtp/datasets.h"

#include <plugfs/tree.h>

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace plugfs::mtp {

class Catalogue {
  public:
    struct Object {
        Key key = 0;
        Key folder = 0;  // a folder object's key or a storage's
        std::uint32_t handle = 0;
        std::uint32_t storage = 0;
        unsigned generation = 0;  // of the session that the handle belongs to
        bool directory = false;
        std::uint64_t size = 0;
        std::string name;
        std::uint16_t object_format = 0;
        std::shared_ptr<MediaProperties> media;  // as in ObjectInfo
        std::uint64_t place = 0;                 // hash of folder and name
        std::uint64_t listing = 0;               // that saw it last
    };

    // Notes an object that was found in a folder; `listing` numbers the listing, 0 for an event. The key is the one it
    // had, if it is known. 0: there are too many objects.
    Key take_in(Key folder, const ObjectInfo& object, std::uint64_t listing);
    // Null if unknown. Valid until the next change.
    [[nodiscard]] const Object* find(Key key) const;
    // By a handle of this session.
    [[nodiscard]] const Object* find_handle(std::uint32_t handle) const;
    // Whether its handle is of this session.
    [[nodiscard]] bool current(const Object& object) const { return object.generation == generation_; }
    // A key for a file that the device does not have yet; it becomes that object's when it is taken in. 0: too many.
    Key reserve(Key folder, const std::string& name);
    // From now on the key stands for this object, in this folder.
    void rebind(Key key, Key folder, const ObjectInfo& info);
    // What has that name in a folder, as far as it was listed; null: nothing.
    [[nodiscard]] const Object* find_child(Key folder, const std::string& name) const;
    // The names of what the device has in a folder, as far as it was listed.
    [[nodiscard]] std::vector<std::string> names_in(Key folder) const;
    void set_size(Key key, std::uint64_t size);
    // What is known of it has changed.
    void set_media(Key key, std::shared_ptr<MediaProperties> media);
    void erase(Key key);
    // Forgets what was in a folder before and has not been seen by that listing.
    void sweep(Key folder, std::uint64_t listing);
    // A new session: no handle is known any more.
    void new_session();

    [[nodiscard]] std::size_t size() const { return objects_.size(); }

  private:
    static constexpr unsigned reserved = ~0U;  // the generation of what is not on the device
    Object* match(std::uint64_t place, const ObjectInfo& object);
    void set_place(Object& object, std::uint64_t place);
    void remove_place(const Object& object);

    std::unordered_map<Key, Object> objects_;
    std::unordered_map<std::uint32_t, Key> by_handle_;
    std::unordered_multimap<std::uint64_t, Key> by_place_;
    std::unordered_map<Key, std::uint64_t> last_listing_;  // of a folder that was listed to its end
    unsigned generation_ = 0;
    Key last_key_ = Key{1} << 34U;  // beyond storages' keys
};

}  // namespace plugfs::mtp
