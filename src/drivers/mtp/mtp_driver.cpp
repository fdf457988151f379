#include "drivers/mtp/mtp_driver.h"

#include "drivers/mtp/operation_quirks.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <thread>

namespace plugfs::mtp {

namespace {

// Folders that are listed again of themselves after a new session.
constexpr std::size_t listed_limit = 10'000;
constexpr std::size_t depth_limit = 1000;
constexpr std::chrono::seconds resolve_time{10};
constexpr int busy_tries = 5;
constexpr std::chrono::milliseconds busy_pause{50};
}  // namespace

Error visible(Error error) {
    constexpr std::array codes = {ENODEV, ENXIO, ENOENT, EACCES, EBUSY,  ESTALE,       EROFS,
                                  ENOSPC, EPERM, EFBIG,  EXDEV,  ENFILE, ENAMETOOLONG, ECANCELED};
    if (std::find(codes.begin(), codes.end(), error.code) == codes.end()) {
        error.code = EIO;
    }
    return error;
}

bool MtpDriver::worth_another_try(const Error& error, int tries) {
    const auto failure = session_->failure();
    if (failure == Session::Failure::refused && error.code == EBUSY && tries < busy_tries) {
        std::this_thread::sleep_for(busy_pause);
        return true;
    }
    if (failure == Session::Failure::called_off) {
        if (const auto settled = session_->settle(); !settled) {
            host_.log(LogLevel::error, "after a cancelled transfer: " + settled.error().text());
        }
        return false;
    }
    const bool session_lost = failure == Session::Failure::refused && error.code == ECONNRESET;
    const bool misbehaved = failure == Session::Failure::broken || failure == Session::Failure::silent;
    if (!session_lost && !misbehaved) {
        return false;
    }
    host_.log(LogLevel::warning, error.text());
    const auto back = session_lost ? session_->open() : session_->recover();
    if (!back) {
        host_.log(LogLevel::error, "recovery: " + back.error().text());
        return false;
    }
    // One that was silent has cost its reader enough time.
    return tries == 1 && failure != Session::Failure::silent;
}

// After a new session handles are others, and everything may be different.
void MtpDriver::follow_session() {
    if (generation_ == session_->generation()) {
        return;
    }
    catalogue_.new_session();
    if (std::exchange(generation_, session_->generation()) == 0) {
        return;
    }
    host_.log(LogLevel::info, "a new session was opened");
    if (reader_) {
        reader_->whole().forget_all();
        lister_->forget();
        covers_->forget();
        playlists_->forget_handles();
    }
    list_all_again();
}

void MtpDriver::list_all_again() {
    const auto folders = std::exchange(listed_, {});
    host_.list_again(storages_key);
    host_.list_again(playlists_key);
    for (const Key folder : folders) {
        host_.list_again(folder);
    }
}

Result<void> MtpDriver::start() {
    auto& device = host_.device();
    PLUGFS_ASSIGN(endpoints_, find_endpoints(device.interfaces()));
    PLUGFS_TRY(device.claim(endpoints_.interface_number));
    session_ = std::make_unique<Session>(device, endpoints_, timing_);
    storages_ = std::make_unique<Storages>(*session_, host_);
    uploads_ = std::make_unique<Uploads>(host_.spool());
    PLUGFS_TRY(session_->open(!host_.spool().files().empty()));
    PLUGFS_TRY(read_device_info());
    if (endpoints_.interrupt_in != 0) {
        if (const auto listening = device.listen(endpoints_.interrupt_in, endpoints_.interrupt_packet); !listening) {
            host_.log(LogLevel::warning, "no events: " + listening.error().text());
        }
    }
    if (const auto read = attempt([this] { return storages_->refresh(); }); !read) {
        if (read.error().code == ENODEV) {
            return read.error();
        }
        host_.log(LogLevel::warning, read.error().text());
    }
    set_up_library();
    describe();
    finish_moves();
    find_uploads();
    return {};
}

Result<void> MtpDriver::read_device_info() {
    PLUGFS_ASSIGN(const auto dataset,
                  attempt([this] { return session_->dataset(operation::get_device_info, {}, std::size_t{1} << 20U); }));
    PLUGFS_ASSIGN(info_, parse_device_info(dataset));
    leave_out_operations(info_, host_);
    lister_ = std::make_unique<ObjectLister>(*session_, info_, host_);
    reader_ = std::make_unique<ObjectReader>(*session_, info_, host_);
    sender_ = std::make_unique<ObjectSender>(*session_, *lister_, info_, host_);
    return {};
}

void MtpDriver::stop() {
    reader_->whole().interrupt();
    session_->close();
}

std::size_t MtpDriver::read_size() const {
    constexpr std::size_t kib = 1024;
    if (host_.device().identity().speed <= usb::Speed::full) {
        return 64 * kib;
    }
    const bool partial =
        info_.supports(operation::get_partial_object_64) || info_.supports(operation::get_partial_object);
    return partial ? 1024 * kib : 256 * kib;
}

Result<Listing> MtpDriver::list(Key folder, std::uint64_t cursor) {
    if (folder == root_key) {
        Listing root{{{.key = storages_key, .name = "storage", .kind = Kind::directory}}, 0};
        if (Playlists::possible(info_)) {
            root.entries.push_back({.key = playlists_key, .name = "playlists", .kind = Kind::directory});
        }
        return root;
    }
    auto listing = folder == playlists_key  ? playlists_->list(cursor)
                   : folder == storages_key ? list_storages()
                                            : list_objects(folder, cursor);
    return listing ? std::move(listing) : Result<Listing>(visible(listing.error()));
}

Result<Listing> MtpDriver::list_storages() {
    PLUGFS_ASSIGN(const bool changed, attempt_alone([this] { return storages_->refresh(); }));
    if (changed) {
        describe();
    }
    Listing listing;
    for (const auto& storage : storages_->list()) {
        listing.entries.push_back({.key = storage_key(storage.id), .name = storage.name(), .kind = Kind::directory});
    }
    return listing;
}

Result<Listing> MtpDriver::list_objects(Key folder, std::uint64_t cursor) {
    auto part = attempt_alone([&]() -> Result<ObjectLister::Part> {
        PLUGFS_ASSIGN(const auto place, place_of(folder));
        return lister_->list(place.storage, place.parent, cursor);
    });
    if (!part) {
        if (part.error().code == ENOENT) {
            lost(folder);
        }
        return part.error();
    }
    Listing listing;
    listing.next = part->next;
    PLUGFS_ASSIGN(listing.entries, take_in(folder, *part));
    return listing;
}

Result<std::vector<Entry>> MtpDriver::take_in(Key folder, const ObjectLister::Part& part) {
    std::vector<Entry> entries;
    entries.reserve(part.objects.size());
    for (const auto& object : part.objects) {
        if (is_leftover(folder, object)) {
            continue;
        }
        const Key key = catalogue_.take_in(folder, object, part.listing);
        if (key == 0) {
            return fail(EIO, "list", "the device has more than " + std::to_string(catalogue_.size()) + " objects");
        }
        // What an upload of a predecessor has left there is an older version to it.
        if (auto* upload = uploads_->find(key)) {
            upload->replaces = true;
        }
        entries.push_back(entry_for(key, object));
    }
    if (part.next == 0) {
        auto more = uploads_->new_entries(folder);
        std::move(more.begin(), more.end(), std::back_inserter(entries));
        catalogue_.sweep(folder, part.listing);
        if (listed_.size() < listed_limit) {
            listed_.insert(folder);
        }
    }
    return entries;
}

Result<MtpDriver::Place> MtpDriver::place_of(Key folder) {
    if (is_storage(folder)) {
        return Place{static_cast<std::uint32_t>(folder), 0};
    }
    PLUGFS_ASSIGN(const auto object, resolve(folder));
    return Place{object.storage, object.handle};
}

Result<Catalogue::Object> MtpDriver::resolve(Key key) {
    // From the object up to what has a handle in this session; then down again, a listing for each step.
    std::vector<Key> unresolved;
    for (Key at = key; !is_storage(at);) {
        const auto* object = catalogue_.find(at);
        if (object == nullptr || unresolved.size() > depth_limit) {
            return fail(ENOENT, "lookup", "the object has gone");
        }
        if (catalogue_.current(*object)) {
            break;
        }
        unresolved.push_back(at);
        at = object->folder;
    }
    for (auto at = unresolved.rbegin(); at != unresolved.rend(); ++at) {
        const auto* object = catalogue_.find(*at);
        if (object != nullptr && !catalogue_.current(*object) && listed_.count(object->folder) == 0) {
            PLUGFS_TRY(list_whole(object->folder));
            object = catalogue_.find(*at);
        }
        if (object == nullptr || !catalogue_.current(*object)) {
            return fail(ENOENT, "lookup", "the object is not there any more after a new session");
        }
    }
    const auto* object = catalogue_.find(key);
    return object != nullptr ? Result<Catalogue::Object>(*object) : fail(ENOENT, "lookup", "the object has gone");
}

// Only to find handles again: what it lists was announced before.
Result<void> MtpDriver::list_whole(Key folder) {
    reader_->whole().interrupt();
    PLUGFS_ASSIGN(const auto place, place_of(folder));
    const auto deadline = Deadline::after(resolve_time);
    std::uint64_t cursor = 0;
    do {
        PLUGFS_ASSIGN(const auto part, lister_->list(place.storage, place.parent, cursor));
        PLUGFS_TRY(take_in(folder, part));
        cursor = part.next;
        if (cursor != 0 && deadline.expired()) {
            return fail(EIO, "lookup", "listing the folder took too long");
        }
    } while (cursor != 0);
    return {};
}

Entry MtpDriver::entry_for(Key key, const ObjectInfo& object) {
    if (const auto* upload = uploads_->find(key)) {
        Entry entry = uploads_->entry(*upload);
        entry.persistent_identity = object.persistent_identity;
        return entry;
    }
    return {.key = key,
            .name = object.filename,
            .kind = object.folder() ? Kind::directory : Kind::file,
            .size = object.size,
            .modified = object.modified ? object.modified : object.created,
            .persistent_identity = object.persistent_identity};
}

Result<std::size_t> MtpDriver::read(Key file, std::uint64_t offset, std::span<std::byte> out) {
    if (is_playlist(file)) {
        return playlists_->read(file, offset, out);
    }
    const auto* upload = uploads_->find(file);
    return upload != nullptr ? host_.spool().read(upload->spool, offset, out) : read_object(file, offset, out);
}

Result<std::size_t> MtpDriver::read_object(Key file, std::uint64_t offset, std::span<std::byte> out) {
    Catalogue::Object object;
    auto got = attempt([&]() -> Result<std::size_t> {
        PLUGFS_ASSIGN(object, resolve(file));
        return reader_->read(object.handle, object.size, offset, out);
    });
    if (!got && got.error().code == ENOENT) {
        lost(file);
        return fail(ESTALE, got.error().stage, got.error().detail);
    }
    if (!got) {
        return visible(got.error());
    }
    if (*got < out.size() && offset + out.size() <= object.size) {
        host_.log(LogLevel::warning, "object " + std::to_string(object.handle) + ": " + std::to_string(*got) +
                                         " bytes at offset " + std::to_string(offset) + " of " +
                                         std::to_string(object.size) + ", asked for " + std::to_string(out.size()));
        object_changed(object.handle);
    }
    return got;
}

// The device does not know an object any more, and no event has said so.
void MtpDriver::lost(Key key) {
    const auto* object = catalogue_.find(key);
    if (object == nullptr) {
        return;
    }
    host_.log(LogLevel::info, "object " + std::to_string(object->handle) + " has gone");
    const Key folder = object->folder;
    reader_->whole().forget(object->handle);
    uploads_->end(key);
    catalogue_.erase(key);
    host_.removed(key);
    host_.list_again(folder);
}

Result<Space> MtpDriver::space() {
    const auto read = attempt_alone([this] { return storages_->refresh(); });
    if (!read) {
        return visible(read.error());
    }
    if (*read) {
        host_.list_again(storages_key);
        describe();
    }
    return storages_->space();
}

}  // namespace plugfs::mtp
