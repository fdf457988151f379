#include "drivers/mtp/storages.h"

#include <algorithm>

namespace plugfs::mtp {

namespace {
constexpr std::size_t storage_limit = 64;
constexpr std::size_t dataset_limit = std::size_t{64} << 10U;
}  // namespace

std::string Storages::Storage::name() const {
    if (!info.storage_description.empty()) {
        return info.storage_description;
    }
    return info.volume_label.empty() ? "Storage" : info.volume_label;
}

Result<std::vector<std::uint32_t>> Storages::ids() {
    PLUGFS_ASSIGN(const auto dataset, session_.dataset(operation::get_storage_ids, {}, dataset_limit));
    PLUGFS_ASSIGN(auto found, parse_handles("GetStorageIDs", dataset));
    // The lower half 0 is a slot without a medium (PTP 8.1).
    std::erase_if(found, [](std::uint32_t id) { return (id & 0xFFFFU) == 0 || id == all_storages; });
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    if (found.size() > storage_limit) {
        return fail(EIO, "GetStorageIDs", std::to_string(found.size()) + " storages");
    }
    return found;
}

Result<bool> Storages::changed() {
    PLUGFS_ASSIGN(const auto found, ids());
    return found != ids_;
}

Result<bool> Storages::refresh() {
    PLUGFS_ASSIGN(auto found, ids());
    std::vector<Storage> storages;
    std::set<std::uint32_t> refused;
    for (const std::uint32_t id : found) {
        const auto dataset = session_.dataset(operation::get_storage_info, {id}, dataset_limit);
        if (!dataset) {
            if (session_.failure() != Session::Failure::refused) {
                return dataset.error();
            }
            // Locked, or removed meanwhile.
            if (refused_.count(id) == 0) {
                host_.log(LogLevel::info, "storage " + std::to_string(id) + ": " + dataset.error().text());
            }
            refused.insert(id);
            continue;
        }
        auto info = parse_storage_info(*dataset);
        if (!info) {
            // Its objects may be fine.
            host_.log(LogLevel::warning, "storage " + std::to_string(id) + ": " + info.error().text());
        }
        storages.push_back({id, info ? std::move(*info) : StorageInfo{}});
    }
    const bool same =
        std::equal(storages.begin(), storages.end(), storages_.begin(), storages_.end(),
                   [](const Storage& a, const Storage& b) { return a.id == b.id && a.name() == b.name(); });
    ids_ = std::move(found);
    storages_ = std::move(storages);
    refused_ = std::move(refused);
    return !same;
}

Space Storages::space() const {
    Space space;
    for (const auto& storage : storages_) {
        const std::uint64_t room = UINT64_MAX - space.total;
        const std::uint64_t total = std::min(storage.info.max_capacity, room);
        space.total += total;
        space.available += std::min(storage.info.free_space_in_bytes, total);
    }
    return space;
}

}  // namespace plugfs::mtp
