// Responder: the operations' answers. Datasets as in PTP 5.5 and MTP 5 and appendix B.

#include "virtual/player/responder.h"
#include "virtual/player/strings.h"

#include <fcntl.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <ctime>

namespace plugfs::virtual_usb {

namespace op = mtp::operation;
namespace rc = mtp::response;

namespace {

constexpr std::size_t header_size = 12;  // of a container

void write_array(ByteWriter& out, std::initializer_list<std::uint16_t> numbers) {
    out.u32le(static_cast<std::uint32_t>(numbers.size()));
    for (const std::uint16_t number : numbers) {
        out.u16le(number);
    }
}

}  // namespace

std::vector<std::byte> Responder::device_info() const {
    ByteWriter out;
    out.u16le(100);
    out.u32le(6);  // MTP
    out.u16le(110);
    write_string(
        out, supported(op::get_partial_object_64) ? "microsoft.com: 1.0; android.com: 1.0;" : "microsoft.com: 1.0;");
    out.u16le(0);
    std::vector<std::uint16_t> operations;
    for (const std::uint16_t operation : {op::get_device_info,
                                          op::open_session,
                                          op::close_session,
                                          op::get_storage_ids,
                                          op::get_storage_info,
                                          op::get_num_objects,
                                          op::get_object_handles,
                                          op::get_object_info,
                                          op::get_object,
                                          op::get_device_prop_desc,
                                          op::get_device_prop_value,
                                          op::get_partial_object,
                                          op::get_partial_object_64,
                                          op::get_object_props_supported,
                                          op::get_object_prop_desc,
                                          op::get_object_prop_value,
                                          op::get_object_prop_list,
                                          op::send_object_info,
                                          op::send_object,
                                          op::delete_object,
                                          op::move_object,
                                          op::copy_object,
                                          op::set_object_prop_value,
                                          op::begin_edit_object,
                                          op::end_edit_object,
                                          op::truncate_object,
                                          op::send_partial_object,
                                          op::set_device_prop_value,
                                          op::get_object_references,
                                          op::set_object_references,
                                          op::get_thumb}) {
        if (supported(operation)) {
            operations.push_back(operation);
        }
    }
    out.u32le(static_cast<std::uint32_t>(operations.size()));
    for (const std::uint16_t operation : operations) {
        out.u16le(operation);
    }
    namespace ev = mtp::event;
    write_array(out, {ev::object_added, ev::object_removed, ev::store_added, ev::store_removed, ev::object_info_changed,
                      ev::device_prop_changed, ev::object_prop_changed});
    const auto properties = properties_.codes();
    out.u32le(static_cast<std::uint32_t>(properties.size()));
    for (const std::uint16_t property : properties) {
        out.u16le(property);
    }
    write_array(out, {});
    namespace fm = mtp::format;
    write_array(out, {fm::undefined, fm::association, fm::wav, fm::mp3, fm::m3u_playlist, fm::exif_jpeg,
                      fm::abstract_audio_album, fm::abstract_audio_video_playlist});
    write_string(out, description_.manufacturer);
    write_string(out, description_.product);
    write_string(out, "1.0");
    write_string(out, description_.serial_number);
    return std::move(out).take();
}

std::uint16_t Responder::storage_ids() {
    ByteWriter out;
    const bool locked = faults_.on("locked");
    out.u32le(locked ? 0 : static_cast<std::uint32_t>(store_.storages().size()));
    for (const auto& storage : store_.storages()) {
        if (!locked) {
            out.u32le(storage.id);
        }
    }
    send_dataset(std::move(out).take());
    return rc::ok;
}

std::uint16_t Responder::storage_info(std::uint32_t id) {
    const auto* storage = store_.storage(id);
    if (storage == nullptr || faults_.on("locked")) {
        return rc::invalid_storage_id;
    }
    struct statvfs space {};
    (void)::statvfs(storage->root.c_str(), &space);
    ByteWriter out;
    out.u16le(3);                                // fixed RAM
    out.u16le(2);                                // generic hierarchical
    out.u16le(faults_.on("read-only") ? 1 : 0);  // read-only without object deletion, or read-write
    out.u64le(std::uint64_t{space.f_blocks} * space.f_frsize);
    out.u64le(free_space(id));
    out.u32le(0xFFFFFFFF);
    write_string(out, storage->name);
    write_string(out, "");
    send_dataset(std::move(out).take());
    return rc::ok;
}

std::uint16_t Responder::object_handles(const Parameters& parameters, bool count_only) {
    const std::uint32_t format = parameters[1];
    const std::uint32_t parent = parameters[2] == mtp::root_parent ? 0 : parameters[2];
    if (format != 0 && faults_.on("no-format-filter")) {
        return rc::specification_by_format_unsupported;
    }
    std::vector<std::uint32_t> handles;
    for (const auto& storage : store_.storages()) {
        if (faults_.on("locked") || (parameters[0] != mtp::all_storages && parameters[0] != storage.id)) {
            continue;
        }
        const auto some = store_.list(storage.id, parent);
        handles.insert(handles.end(), some.begin(), some.end());
        if (parameters[2] == 0) {
            // Parent 0: every object of the storage (PTP 10.4.7).
            for (std::size_t i = handles.size() - some.size(); i < handles.size(); ++i) {
                const auto more = store_.list(storage.id, handles[i]);
                handles.insert(handles.end(), more.begin(), more.end());
            }
        }
    }
    if (parameters[0] != mtp::all_storages && store_.storage(parameters[0]) == nullptr) {
        return rc::invalid_storage_id;
    }
    if (const auto* folder = store_.find(parent); parent != 0 && (folder == nullptr || !folder->folder)) {
        return rc::invalid_parent_object;
    }
    std::erase_if(handles, [&](std::uint32_t handle) {
        const auto* object = store_.find(handle);
        return format != 0 && (object == nullptr || format_of(*object) != format);
    });
    if (count_only) {
        answer_[0] = static_cast<std::uint32_t>(handles.size());
        return rc::ok;
    }
    ByteWriter out;
    out.u32le(static_cast<std::uint32_t>(handles.size()));
    for (const std::uint32_t handle : handles) {
        out.u32le(handle);
    }
    send_dataset(std::move(out).take());
    return rc::ok;
}

std::string Responder::shown_name(const StoredObject& object) const {
    if (!faults_.on("odd-names") || object.folder) {
        return object.name;
    }
    switch (object.handle % 3) {
        case 0:
            return "twice.wav";
        case 1:
            return "AC/DC " + std::to_string(object.handle) + ".wav";
        default:
            return "bad \xff " + std::to_string(object.handle) + ".wav";
    }
}

std::uint16_t Responder::object_info(std::uint32_t handle) {
    const auto* object = store_.find(handle);
    if (object == nullptr) {
        return rc::invalid_object_handle;
    }
    ByteWriter out;
    out.u32le(object->storage);
    out.u16le(format_of(*object));
    out.u16le(0);
    const std::uint64_t size = is_abstract(*object) ? 0 : object->size;
    out.u32le(static_cast<std::uint32_t>(std::min<std::uint64_t>(size, mtp::size_not_in_32_bits)));
    out.u16le(0);
    for (int i = 0; i < 6; ++i) {
        out.u32le(0);
    }
    out.u32le(object->parent);
    out.u16le(object->folder ? 1 : 0);
    out.u32le(0);
    out.u32le(0);
    write_string(out, shown_name(*object));
    write_string(out, date_time(object->modified, faults_.on("local-dates")));
    write_string(out, date_time(object->modified, faults_.on("local-dates")));
    write_string(out, "");
    send_dataset(std::move(out).take());
    return rc::ok;
}

std::uint16_t Responder::object(std::uint32_t handle, std::uint64_t offset, std::uint64_t length) {
    const auto* object = store_.find(handle);
    if (object == nullptr || object->folder) {
        return rc::invalid_object_handle;
    }
    const bool past_end = offset > object->size || (length != UINT64_MAX && length > object->size - offset);
    if (past_end && faults_.on("read-past-end-hang")) {
        return 0;
    }
    const std::uint64_t count = offset >= object->size ? 0 : std::min(length, object->size - offset);
    const std::size_t packet = description_.interfaces.front().endpoints.front().max_packet_size;
    const bool fills_packet = (header_size + count) % packet == 0;
    if (length != UINT64_MAX && fills_packet && offset + count == object->size && faults_.on("full-packet-end-hang")) {
        return 0;
    }
    const auto file = std::make_shared<UniqueFd>(::open(object->path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!*file) {
        return rc::access_denied;
    }
    answer_[0] = static_cast<std::uint32_t>(count);
    ByteSource bytes;
    auto at = std::make_shared<std::uint64_t>(offset);
    bytes.append(count, [file, at](std::span<std::byte> out) {
        std::size_t done = 0;
        while (done < out.size()) {
            const ssize_t got = ::pread(file->get(), out.data() + done, out.size() - done, static_cast<off_t>(*at));
            if (got <= 0) {
                break;  // the file has become shorter: zeros
            }
            done += static_cast<std::size_t>(got);
            *at += static_cast<std::uint64_t>(got);
        }
    });
    send_data(std::move(bytes));
    return rc::ok;
}

}  // namespace plugfs::virtual_usb
