#include "drivers/mtp/mtp_driver.h"

#include <algorithm>

namespace plugfs::mtp {

namespace {

constexpr std::size_t storage_limit = 64;

}  // namespace

Result<Endpoints> find_endpoints(std::span<const usb::Interface> interfaces) {
    for (const auto& interface : interfaces) {
        const bool still_image =
            interface.interface_class == 6 && interface.interface_subclass == 1 && interface.interface_protocol == 1;
        const bool vendor_mtp = interface.interface_class == 255 && interface.name.find("MTP") != std::string::npos;
        if (interface.alternate_setting != 0 || (!still_image && !vendor_mtp)) {
            continue;
        }
        Endpoints found;
        found.interface_number = interface.number;
        for (const auto& endpoint : interface.endpoints) {
            if (endpoint.type() == usb::TransferType::bulk && endpoint.in()) {
                found.bulk_in = endpoint.address;
                found.bulk_in_packet = endpoint.max_packet_size;
            } else if (endpoint.type() == usb::TransferType::bulk) {
                found.bulk_out = endpoint.address;
                found.bulk_out_packet = endpoint.max_packet_size;
            } else if (endpoint.type() == usb::TransferType::interrupt && endpoint.in()) {
                found.interrupt_in = endpoint.address;
                found.interrupt_packet = endpoint.max_packet_size;
            }
        }
        // A command has up to 32 bytes and must fit a packet; USB 2.0, 5.8.3 knows 8 to 512, USB 3 1,024.
        if (found.bulk_in != 0 && found.bulk_out != 0 && found.bulk_in_packet >= 32 && found.bulk_out_packet >= 32 &&
            found.bulk_in_packet <= 1024) {
            return found;
        }
    }
    return fail(ENXIO, "interfaces", "none with bulk IN and bulk OUT endpoints for MTP");
}

void MtpDriver::recover_after(const Error& error) {
    // An answer that says no is no reason to doubt the device; a broken one is.
    if (error.code == EIO || error.code == ECONNRESET) {
        if (const auto back = session_->recover(); !back) {
            host_.log(LogLevel::error, "recovery: " + back.error().text());
        }
    }
}

Result<void> MtpDriver::start() {
    auto& device = host_.device();
    PLUGFS_ASSIGN(endpoints_, find_endpoints(device.interfaces()));
    PLUGFS_TRY(device.claim(endpoints_.interface_number));
    session_ = std::make_unique<Session>(device, endpoints_);
    PLUGFS_TRY(session_->open());
    PLUGFS_ASSIGN(const auto dataset, session_->dataset(operation::get_device_info, {}, std::size_t{1} << 20U));
    PLUGFS_ASSIGN(info_, parse_device_info(dataset));
    lister_ = std::make_unique<ObjectLister>(*session_, info_, host_);
    reader_ = std::make_unique<ObjectReader>(*session_, info_, host_);
    if (endpoints_.interrupt_in != 0) {
        if (const auto listening = device.listen(endpoints_.interrupt_in, endpoints_.interrupt_packet); !listening) {
            host_.log(LogLevel::warning, "no events: " + listening.error().text());
        }
    }
    if (const auto read = read_storages(); !read) {
        if (read.error().code == ENODEV) {
            return read;
        }
        host_.log(LogLevel::warning, read.error().text());
    }
    describe();
    return {};
}

void MtpDriver::stop() {
    reader_->interrupt();
    session_->close();
}

Result<void> MtpDriver::read_storages() {
    reader_->interrupt();
    PLUGFS_ASSIGN(const auto dataset,
                  checked(session_->dataset(operation::get_storage_ids, {}, std::size_t{64} << 10U)));
    PLUGFS_ASSIGN(auto ids, parse_handles("GetStorageIDs", dataset));
    if (ids.size() > storage_limit) {
        return fail(EIO, "GetStorageIDs", std::to_string(ids.size()) + " storages");
    }
    std::vector<Storage> storages;
    for (const std::uint32_t id : ids) {
        // The lower half 0 is a slot without a medium (PTP 8.1).
        if ((id & 0xFFFFU) == 0 || id == all_storages) {
            continue;
        }
        auto info = session_->dataset(operation::get_storage_info, {id}, std::size_t{64} << 10U);
        if (!info) {
            if (info.error().code != ENOENT) {
                return checked(std::move(info)).error();
            }
            continue;  // removed meanwhile
        }
        PLUGFS_ASSIGN(auto parsed, parse_storage_info(*info));
        storages.push_back({id, std::move(parsed)});
    }
    storages_ = std::move(storages);
    return {};
}

Result<Listing> MtpDriver::list(Key folder, std::uint64_t cursor) {
    if (folder == root_key) {
        return Listing{{{.key = storages_key, .name = "storage", .kind = Kind::directory}}, 0};
    }
    return folder == storages_key ? list_storages() : list_objects(folder, cursor);
}

Result<Listing> MtpDriver::list_storages() {
    PLUGFS_TRY(read_storages());
    Listing listing;
    for (const auto& storage : storages_) {
        const auto& info = storage.info;
        std::string name = !info.storage_description.empty() ? info.storage_description : info.volume_label;
        listing.entries.push_back({.key = storage_key(storage.id),
                                   .name = name.empty() ? "Storage" : std::move(name),
                                   .kind = Kind::directory});
    }
    return listing;
}

Result<Listing> MtpDriver::list_objects(Key folder, std::uint64_t cursor) {
    reader_->interrupt();
    std::uint32_t storage = 0;
    std::uint32_t parent = 0;
    if (is_storage(folder)) {
        storage = static_cast<std::uint32_t>(folder);
    } else {
        parent = static_cast<std::uint32_t>(folder);
        storage = objects_[parent].storage;
    }
    PLUGFS_ASSIGN(auto part, checked(lister_->list(storage, parent, cursor)));
    Listing listing;
    listing.next = part.next;
    for (auto& object : part.objects) {
        // An object that says it lies elsewhere would show up in two places.
        if (object.parent != parent && object.parent != root_parent && parent != 0) {
            host_.log(LogLevel::warning, "object " + std::to_string(object.handle) + ": ParentObject is " +
                                             std::to_string(object.parent) + ", listed in " + std::to_string(parent) +
                                             "; skipped");
            continue;
        }
        if (object.storage_id == 0) {
            object.storage_id = storage;
        }
        listing.entries.push_back(entry_for(object));
    }
    return listing;
}

Entry MtpDriver::entry_for(const ObjectInfo& object) {
    objects_[object.handle] = {object.storage_id, object.size};
    return {.key = object.handle,
            .name = object.filename,
            .kind = object.folder() ? Kind::directory : Kind::file,
            .size = object.size,
            .modified = object.modified,
            .persistent_identity = object.persistent_identity};
}

Result<std::size_t> MtpDriver::read(Key file, std::uint64_t offset, std::span<std::byte> out) {
    const auto handle = static_cast<std::uint32_t>(file);
    return checked(reader_->read(handle, objects_[handle].size, offset, out));
}

Result<Space> MtpDriver::space() {
    PLUGFS_TRY(read_storages());
    Space space;
    for (const auto& storage : storages_) {
        space.total += storage.info.max_capacity;
        space.available += std::min(storage.info.free_space_in_bytes, storage.info.max_capacity);
    }
    return space;
}

}  // namespace plugfs::mtp
