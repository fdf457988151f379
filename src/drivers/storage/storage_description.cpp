// device.json of a storage device.

#include "drivers/storage/storage_driver.h"

#include <nlohmann/json.hpp>

namespace plugfs::storage {

using nlohmann::json;

namespace {

json unit_json(Drive& drive) {
    const auto& identity = drive.unit().identity();
    json unit = {{"vendor", identity.vendor},
                 {"product", identity.product},
                 {"revision", identity.revision},
                 {"removable", identity.removable}};
    if (!identity.serial_number.empty()) {
        unit["serial_number"] = identity.serial_number;
    }
    if (!drive.loaded()) {
        return unit;
    }
    const auto& medium = drive.medium();
    unit["medium"] = {{"block_size", medium.block_size},
                      {"bytes", medium.block_size * medium.block_count},
                      {"write_protected", medium.write_protected}};
    json partitions = json::array();
    for (const auto& image : drive.images()) {
        if (image.number != 0) {
            partitions.push_back({{"number", image.number},
                                  {"offset", image.offset},
                                  {"bytes", image.size},
                                  {"content", image.content}});
        }
    }
    unit["partitions"] = partitions;
    json volumes = json::array();
    for (const auto& mounted : drive.volumes()) {
        const auto& info = mounted->volume->info();
        json volume = {
            {"folder", mounted->folder}, {"type", info.type}, {"label", info.label}, {"serial", info.serial}};
        if (const auto& why = mounted->volume->read_only_because(); !why.empty()) {
            volume["read_only_because"] = why;
        }
        volumes.push_back(volume);
    }
    unit["volumes"] = volumes;
    return unit;
}

}  // namespace

void StorageDriver::describe() {
    const auto& identity = host_.device().identity();
    json units = json::array();
    for (const auto& drive : drives_) {
        units.push_back(unit_json(*drive));
    }
    json description = {{"driver", "storage"},         {"manufacturer", identity.manufacturer},
                        {"product", identity.product}, {"serial_number", identity.serial_number},
                        {"transport", transport_},     {"units", units}};
    if (const auto player = host_.player()) {
        description["player"] = {{"audio_folders", player->audio_folders},
                                 {"playlist_folders", player->playlist_folders},
                                 {"playlist_formats", player->playlist_formats}};
    }
    // Bytes from the device need not be UTF-8.
    host_.describe(description.dump(2, ' ', false, json::error_handler_t::replace));
}

}  // namespace plugfs::storage
