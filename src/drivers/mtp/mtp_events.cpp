// MtpDriver: what the device reports by itself, and what it does not report.

#include "drivers/mtp/mtp_driver.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdio>

namespace plugfs::mtp {

using nlohmann::json;

namespace {

// A locked phone shows no storage and does not always say when that changes.
constexpr std::chrono::milliseconds poll_without_storage{1000};
constexpr std::chrono::milliseconds poll_with_storage{10000};
// A container with its three parameters; Still Image Class 1.0, 7.3.1.
constexpr std::size_t least_event = 12;
constexpr std::size_t largest_event = 24;

const char* event_name(std::uint16_t code) {
    switch (code) {
        case event::object_added:
            return "added";
        case event::object_removed:
            return "removed";
        case event::object_info_changed:
            return "changed";
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

std::string hexadecimal(unsigned number) {
    std::array<char, 16> text{};
    (void)std::snprintf(text.data(), text.size(), "0x%04x", number);
    return text.data();
}

}  // namespace

void MtpDriver::arrived(std::uint8_t /*endpoint*/, std::span<const std::byte> packet) {
    // An event may come in two packets where the endpoint's are small.
    partial_event_.insert(partial_event_.end(), packet.begin(), packet.end());
    ByteReader reader(partial_event_);
    const std::uint32_t length = reader.u32le();
    const std::uint16_t type = reader.u16le();
    const std::uint16_t code = reader.u16le();
    reader.skip(4);
    if (reader.ok() &&
        (length < least_event || length > largest_event || type != static_cast<std::uint16_t>(ContainerType::event))) {
        host_.log(LogLevel::warning,
                  "event: container length " + std::to_string(length) + ", type " + std::to_string(type) + "; ignored");
        partial_event_.clear();
        return;
    }
    if (!reader.ok() || partial_event_.size() < length) {
        if (packet.empty() || partial_event_.size() > largest_event) {
            partial_event_.clear();
        }
        return;
    }
    const std::uint32_t parameter = reader.remaining() >= 4 ? reader.u32le() : 0;
    partial_event_.clear();
    handle_event(code, parameter);
}

void MtpDriver::handle_event(std::uint16_t code, std::uint32_t parameter) {
    json line = {{"event", event_name(code)}, {"code", hexadecimal(code)}, {"parameter", parameter}};
    host_.event(line.dump());
    switch (code) {
        case event::object_added:
            object_added(parameter);
            break;
        case event::object_removed:
            objects_.erase(parameter);
            if (parameter != 0 && parameter != root_parent) {
                host_.removed(parameter);
            }
            break;
        case event::object_info_changed:
        case event::object_prop_changed:
            object_changed(parameter);
            break;
        case event::store_added:
        case event::store_removed:
        case event::storage_info_changed:
        case event::device_reset:
            storages_changed_ = true;
            check_storages();
            break;
        default:
            break;
    }
}

void MtpDriver::object_added(std::uint32_t handle) {
    reader_->interrupt();
    auto object = checked(lister_->info(handle));
    if (!object) {
        host_.log(LogLevel::warning, "object " + std::to_string(handle) + " was added, but: " + object.error().text());
        return;
    }
    const bool in_root = object->parent == 0 || object->parent == root_parent;
    const Key folder = in_root ? storage_key(object->storage_id) : Key{object->parent};
    host_.added(folder, entry_for(*object));
}

void MtpDriver::object_changed(std::uint32_t handle) {
    if (objects_.count(handle) == 0) {
        return;
    }
    reader_->interrupt();
    if (auto object = checked(lister_->info(handle))) {
        host_.changed(entry_for(*object));
    } else if (object.error().code == ENOENT) {
        objects_.erase(handle);
        host_.removed(handle);
    }
}

std::chrono::milliseconds MtpDriver::tick() {
    check_storages();
    return storages_.empty() ? poll_without_storage : poll_with_storage;
}

void MtpDriver::check_storages() {
    if (!storages_changed_ && !storages_.empty()) {
        return;
    }
    const auto ids = [this] {
        std::vector<std::uint32_t> list;
        for (const auto& storage : storages_) {
            list.push_back(storage.id);
        }
        return list;
    };
    const auto before = ids();
    const bool told = std::exchange(storages_changed_, false);
    if (!read_storages()) {
        return;
    }
    if (told || before != ids()) {
        for (const auto& storage : storages_) {
            if (std::find(before.begin(), before.end(), storage.id) == before.end()) {
                host_.log(LogLevel::info, "storage " + plugfs::quoted(storage.info.storage_description) + " is there");
            }
        }
        host_.list_again(storages_key);
        describe();
    }
}

void MtpDriver::describe() {
    const auto& identity = host_.device().identity();
    json operations = json::array();
    for (const std::uint16_t code : info_.operations_supported) {
        operations.push_back({{"code", hexadecimal(code)}, {"name", operation_name(code)}});
    }
    json storages = json::array();
    for (const auto& storage : storages_) {
        storages.push_back({{"id", hexadecimal(storage.id)},
                            {"description", storage.info.storage_description},
                            {"label", storage.info.volume_label},
                            {"capacity", storage.info.max_capacity},
                            {"free", storage.info.free_space_in_bytes},
                            {"read_only", storage.info.access_capability != 0}});
    }
    const json description = {{"vendor_id", hexadecimal(identity.vendor_id)},
                              {"product_id", hexadecimal(identity.product_id)},
                              {"manufacturer", info_.manufacturer},
                              {"model", info_.model},
                              {"version", info_.device_version},
                              {"serial_number", info_.serial_number},
                              {"protocol", "MTP"},
                              {"vendor_extension", info_.vendor_extension_description},
                              {"functional_mode", info_.functional_mode},
                              {"operations", operations},
                              {"storages", storages}};
    host_.describe(description.dump(2, ' ', false, json::error_handler_t::replace));
}

}  // namespace plugfs::mtp
