// MtpDriver: what belongs to the whole device: its controls, and objects by their paths.

#include "drivers/mtp/mtp_driver.h"

#include <algorithm>

namespace plugfs::mtp {

namespace {
constexpr std::size_t depth_limit = 100;
constexpr std::string_view above = "../storage/";
}  // namespace

void MtpDriver::set_up_library() {
    const auto alone = [this](const std::function<Result<void>()>& operation) { return attempt_alone(operation); };
    controls_ = std::make_unique<DeviceControls>(
        *session_, info_, host_, alone,
        DeviceControls::Objects{[this](std::uint32_t handle) { return path_of(handle); },
                                [this](const std::string& path) -> Result<std::uint32_t> {
                                    PLUGFS_ASSIGN(const auto object, object_at(path));
                                    return object.handle;
                                }});
    set_up_playlists();
    covers_ = std::make_unique<AlbumCovers>(*session_, info_, host_, alone);
    attributes_ = std::make_unique<ObjectAttributes>(
        *session_, info_, catalogue_, *covers_,
        ObjectAttributes::Access{
            alone,
            [this](Key key, const std::function<Result<void>(const Catalogue::Object&)>& use) -> Result<void> {
                // What is being written has nothing yet; it is asked for again when it has been flushed.
                if (is_playlist(key) || uploads_->find(key) != nullptr) {
                    return fail(ENOTSUP, "attributes", "there are none of it");
                }
                const auto used = attempt_alone([&]() -> Result<void> {
                    PLUGFS_ASSIGN(const auto object, resolve(key));
                    return use(object);
                });
                if (!used && used.error().code == ENOENT) {
                    lost(key);
                    return fail(ESTALE, used.error().stage, used.error().detail);
                }
                return used;
            },
            [this](Key key, std::uint64_t offset, std::span<std::byte> out) { return read(key, offset, out); }});
}

void MtpDriver::look_for_covers() {
    (void)covers_->look();
    for (const std::uint32_t track : covers_->take_news()) {
        if (const auto* object = catalogue_.find_handle(track)) {
            host_.attributes_changed(object->key);
        }
    }
}

Controls* MtpDriver::controls() {
    const bool able = info_.supports(operation::get_device_prop_desc) && !info_.device_properties_supported.empty();
    return able ? controls_.get() : nullptr;
}

std::string MtpDriver::path_of(std::uint32_t handle) {
    std::string path;
    std::uint32_t storage = 0;
    for (std::size_t depth = 0; handle != 0; ++depth) {
        std::string name;
        if (const auto* known = catalogue_.find_handle(handle)) {
            name = known->name;
            storage = known->storage;
            const auto* folder = catalogue_.find(known->folder);
            handle = folder != nullptr && catalogue_.current(*folder) ? folder->handle : 0;
        } else {
            const auto info = attempt_alone([&] { return lister_->info(handle); });
            if (!info) {
                return {};
            }
            name = info->filename;
            storage = info->storage_id;
            handle = lister_->parent_of(*info);
        }
        if (depth > depth_limit) {
            return {};
        }
        path = path.empty() ? name : name + "/" + path;
    }
    for (const auto& known : storages_->list()) {
        if (known.id == storage && !path.empty()) {
            return std::string(above) + known.name() + "/" + path;
        }
    }
    return {};
}

Result<Catalogue::Object> MtpDriver::object_at(const std::string& path) {
    if (!path.starts_with(above)) {
        return fail(EINVAL, quoted(path), "allowed is the path of a file, " + std::string(above) + "...");
    }
    std::vector<std::string> names;
    for (std::size_t at = above.size(); at <= path.size();) {
        const auto end = std::min(path.find('/', at), path.size());
        names.push_back(path.substr(at, end - at));
        at = end + 1;
    }
    Key at = 0;
    for (const auto& storage : storages_->list()) {
        if (storage.name() == names.front()) {
            at = storage_key(storage.id);
        }
    }
    if (at == 0 || names.size() < 2 || names.size() > depth_limit) {
        return fail(ENOENT, quoted(path), "there is no such file");
    }
    for (std::size_t i = 1; i < names.size(); ++i) {
        if (catalogue_.find_child(at, names[i]) == nullptr && listed_.count(at) == 0) {
            PLUGFS_TRY(attempt_alone([&] { return list_whole(at); }));
        }
        const auto* child = catalogue_.find_child(at, names[i]);
        if (child == nullptr) {
            return fail(ENOENT, quoted(path), "there is no such file");
        }
        at = child->key;
    }
    return attempt_alone([&] { return resolve(at); });
}

}  // namespace plugfs::mtp
