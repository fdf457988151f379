// Responder: operations that change something, most of them with data from the initiator.
//
//   command -> data container, in any number of transfers -> carried out -> response
//
// A file is there, empty, from SendObjectInfo on; what SendObject brings goes into it as it arrives. One whose data did
// not come whole goes again.

#include "virtual/player/responder.h"
#include "virtual/player/strings.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace plugfs::virtual_usb {

namespace op = mtp::operation;
namespace rc = mtp::response;
namespace prop = mtp::object_property;

namespace {

constexpr std::size_t container_header = 12;
constexpr std::size_t dataset_limit = std::size_t{64} << 10U;

// "YYYYMMDDThhmmss", as local time; -1: it is none.
std::int64_t take_date(const std::string& text) {
    std::tm fields{};
    fields.tm_isdst = -1;
    const char* end = ::strptime(text.c_str(), "%Y%m%dT%H%M%S", &fields);
    return end == nullptr ? -1 : static_cast<std::int64_t>(::mktime(&fields));
}

void set_date(const StoredObject& object, std::int64_t seconds) {
    const std::array<timespec, 2> times{{{0, UTIME_OMIT}, {static_cast<std::time_t>(seconds), 0}}};
    (void)::utimensat(AT_FDCWD, object.path.c_str(), times.data(), AT_SYMLINK_NOFOLLOW);
}

std::uint16_t code_for(const Error& error) {
    switch (error.code) {
        case ENOENT:
            return rc::invalid_parent_object;
        case ENOSPC:
            return rc::store_full;
        case EROFS:
            return rc::store_read_only;
        default:
            return rc::general_error;
    }
}

}  // namespace

bool Responder::takes_data(std::uint16_t operation) {
    constexpr std::array operations = {op::send_object_info,    op::send_object,           op::set_object_prop_value,
                                       op::send_partial_object, op::set_device_prop_value, op::set_object_references};
    return std::find(operations.begin(), operations.end(), operation) != operations.end();
}

void Responder::expect_data(std::uint16_t operation, std::uint32_t transaction, const Parameters& parameters) {
    Incoming incoming;
    incoming.operation = operation;
    incoming.transaction = transaction;
    incoming.parameters = parameters;
    if (operation == op::send_object && sending_) {
        const auto* object = store_.find(sending_->handle);
        incoming.file.reset(object == nullptr ? -1 : ::open(object->path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
    } else if (operation == op::send_partial_object) {
        const auto* object = store_.find(parameters[0]);
        incoming.file.reset(object == nullptr || edited_ != parameters[0]
                                ? -1
                                : ::open(object->path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
        incoming.at = (std::uint64_t{parameters[2]} << 32U) | parameters[1];
    }
    incoming_ = std::move(incoming);
}

bool Responder::take_data(std::span<const std::byte> bytes) {
    auto& incoming = *incoming_;
    if (incoming.header.size() < container_header) {
        const std::size_t count = std::min(bytes.size(), container_header - incoming.header.size());
        incoming.header.insert(incoming.header.end(), bytes.begin(),
                               bytes.begin() + static_cast<std::ptrdiff_t>(count));
        bytes = bytes.subspan(count);
        if (incoming.header.size() < container_header) {
            return true;
        }
        ByteReader reader(incoming.header);
        const std::uint32_t length = reader.u32le();
        const std::uint16_t type = reader.u16le();
        if (type != static_cast<std::uint16_t>(mtp::ContainerType::data) || length < container_header) {
            drop_incoming();
            return false;
        }
        incoming.expected = length - container_header;
        if (length == 0xFFFFFFFF && sending_) {
            incoming.expected = sending_->size;
        }
    }
    if (faults_.on("send-stall") && incoming.received + bytes.size() > incoming.expected / 2 &&
        incoming.operation == op::send_object) {
        drop_incoming();
        return false;
    }
    if (bytes.size() > incoming.expected - incoming.received) {
        drop_incoming();
        return false;  // more than was announced
    }
    if (incoming.file && !bytes.empty() && !incoming.failed) {
        const std::uint64_t half = incoming.expected / 2 - std::min(incoming.expected / 2, incoming.received);
        const auto kept = faults_.on("short-store") ? bytes.first(std::min<std::uint64_t>(bytes.size(), half)) : bytes;
        const auto count = static_cast<ssize_t>(kept.size());
        incoming.failed =
            ::pwrite(incoming.file.get(), kept.data(), kept.size(), static_cast<off_t>(incoming.at)) != count;
        incoming.at += bytes.size();
    } else if (!incoming.file && incoming.data.size() + bytes.size() <= dataset_limit) {
        incoming.data.insert(incoming.data.end(), bytes.begin(), bytes.end());
    }
    incoming.received += bytes.size();
    data_received_ += bytes.size();
    if (incoming.received == incoming.expected) {
        Incoming whole = std::move(incoming);
        incoming_.reset();
        operation_ = whole.operation;
        transaction_ = whole.transaction;
        answer_ = {};
        const std::uint16_t code = carry_out(whole);
        whole.file.reset();
        send_response(code);
        if (!faults_.on("own-events")) {
            (void)store_.changes();
        }
    }
    return true;
}

void Responder::drop_incoming() {
    incoming_.reset();
    if (sending_) {
        (void)store_.remove(sending_->handle);
        sending_.reset();
        (void)store_.changes();
    }
}

std::uint16_t Responder::carry_out(Incoming& whole) {
    if (faults_.on("read-only") && whole.operation != op::set_device_prop_value) {
        return rc::store_read_only;
    }
    switch (whole.operation) {
        case op::send_object_info:
            return send_object_info(whole);
        case op::send_object:
            return send_object(whole);
        case op::set_object_prop_value:
            return set_object_prop_value(whole);
        case op::set_device_prop_value:
            return properties_.set(whole.parameters[0], whole.data);
        case op::set_object_references:
            return set_object_references(whole);
        default:
            // SendPartialObject
            answer_[0] = static_cast<std::uint32_t>(whole.received);
            return whole.file ? (whole.failed ? rc::store_full : rc::ok) : rc::general_error;
    }
}

// PTP 10.5.12; the dataset is 5.5.2.
std::uint16_t Responder::send_object_info(const Incoming& whole) {
    if (sending_) {
        (void)store_.remove(std::exchange(sending_, std::nullopt)->handle);
    }
    ByteReader reader(whole.data);
    reader.skip(4);
    const bool folder = reader.u16le() == mtp::format::association;
    reader.skip(2);
    const std::uint32_t size = reader.u32le();
    reader.skip(2 + 24 + 4 + 2 + 4 + 4);
    const std::string name = take_string(reader);
    (void)take_string(reader);
    const std::int64_t modified = take_date(take_string(reader));
    if (!reader.ok()) {
        return rc::invalid_dataset;
    }
    const std::uint32_t storage =
        whole.parameters[0] != 0 || store_.storages().empty() ? whole.parameters[0] : store_.storages().front().id;
    const std::uint32_t parent = whole.parameters[1] == mtp::root_parent ? 0 : whole.parameters[1];
    if (faults_.on("locked") || store_.storage(storage) == nullptr) {
        return rc::invalid_storage_id;
    }
    if (!folder && size > free_space(storage)) {
        return rc::store_full;
    }
    const auto made = store_.make(storage, parent, name, folder);
    if (!made) {
        return code_for(made.error());
    }
    answer_ = {storage, parent, *made};
    if (!folder) {
        sending_ = Sending{*made, size, modified};
    }
    return rc::ok;
}

std::uint16_t Responder::send_object(const Incoming& whole) {
    if (!sending_) {
        return rc::no_valid_object_info;
    }
    const Sending sent = *std::exchange(sending_, std::nullopt);
    const auto* object = store_.find(sent.handle);
    const bool wrong_size = sent.size != mtp::size_not_in_32_bits && whole.received != sent.size;
    if (object == nullptr || whole.failed || wrong_size || (faults_.on("refuse-empty") && whole.received == 0)) {
        (void)store_.remove(sent.handle);
        return whole.failed ? rc::store_full : rc::incomplete_transfer;
    }
    if (sent.modified >= 0 && !faults_.on("drop-dates")) {
        set_date(*object, sent.modified);
    }
    return rc::ok;
}

std::uint16_t Responder::set_object_prop_value(const Incoming& whole) {
    const auto* object = store_.find(whole.parameters[0]);
    if (object == nullptr) {
        return rc::invalid_object_handle;
    }
    if (whole.parameters[1] == prop::duration || whole.parameters[1] == prop::representative_sample_size) {
        return rc::access_denied;
    }
    ByteReader reader(whole.data);
    const std::string text = whole.parameters[1] == prop::track ? std::to_string(reader.u16le()) : take_string(reader);
    if (!reader.ok() || reader.remaining() > 0) {
        return rc::invalid_object_prop_value;
    }
    switch (whole.parameters[1]) {
        case prop::object_file_name: {
            const auto moved = store_.move(object->handle, object->storage, object->parent, text);
            return moved ? rc::ok : code_for(moved.error());
        }
        case prop::date_modified: {
            const auto moment = take_date(text);
            if (moment < 0 || faults_.on("drop-dates")) {
                return moment < 0 ? rc::invalid_object_prop_value : rc::access_denied;
            }
            set_date(*object, moment);
            return rc::ok;
        }
        case prop::name:
        case prop::artist:
        case prop::album_name:
        case prop::album_artist:
        case prop::genre:
        case prop::composer:
        case prop::track:
        case prop::original_release_date:
            return shelf_.set(*object, static_cast<std::uint16_t>(whole.parameters[1]), text);
        default:
            return rc::access_denied;
    }
}

std::uint16_t Responder::set_object_references(const Incoming& whole) {
    const auto* object = store_.find(whole.parameters[0]);
    if (object == nullptr) {
        return rc::invalid_object_handle;
    }
    ByteReader reader(whole.data);
    std::vector<std::uint32_t> handles(std::min<std::size_t>(reader.u32le(), whole.data.size() / 4));
    for (auto& handle : handles) {
        handle = reader.u32le();
    }
    return reader.ok() ? shelf_.set_references(*object, handles) : rc::invalid_dataset;
}

std::uint64_t Responder::free_space(std::uint32_t id) const {
    const auto* storage = store_.storage(id);
    struct statvfs space {};
    if (storage == nullptr || ::statvfs(storage->root.c_str(), &space) != 0) {
        return 0;
    }
    return std::min<std::uint64_t>(std::uint64_t{space.f_bavail} * space.f_frsize, faults_.number("free", UINT64_MAX));
}

// MTP D.2.26: the copy keeps the name and all other properties; a folder is copied with what is in it.
std::uint16_t Responder::copy_object(const StoredObject& object, const Parameters& parameters) {
    const std::uint32_t parent = parameters[2] == mtp::root_parent ? 0 : parameters[2];
    if (store_.storage(parameters[1]) == nullptr) {
        return rc::invalid_storage_id;
    }
    if (faults_.on("refuse-copy")) {
        return rc::general_error;
    }
    if (object.size > free_space(parameters[1])) {
        return rc::store_full;
    }
    if (faults_.on("no-such-copy")) {
        answer_[0] = object.handle;
        return rc::ok;
    }
    if (faults_.on("copy-moves")) {
        answer_[0] = object.handle;
        const auto moved = store_.move(object.handle, parameters[1], parent, object.name);
        return moved ? rc::ok : code_for(moved.error());
    }
    const std::uint64_t size = object.size;
    const std::string name = "Copy of " + object.name;
    const auto copied = store_.copy(object.handle, parameters[1], parent);
    if (!copied) {
        return code_for(copied.error());
    }
    answer_[0] = *copied;
    if (faults_.on("renamed-copy") && !store_.move(*copied, parameters[1], parent, name)) {
        return rc::general_error;
    }
    const auto* copy = store_.find(*copied);
    if (faults_.on("short-copy") && copy != nullptr) {
        (void)::truncate(copy->path.c_str(), static_cast<off_t>(size / 2));
    }
    return rc::ok;
}

std::uint16_t Responder::change(std::uint16_t operation, const Parameters& parameters) {
    if (faults_.on("read-only")) {
        return rc::store_read_only;
    }
    const auto* object = store_.find(parameters[0]);
    if (object == nullptr) {
        return rc::invalid_object_handle;
    }
    std::uint16_t code = rc::ok;
    switch (operation) {
        case op::delete_object:
            code = store_.remove(parameters[0]) ? rc::ok : rc::partial_deletion;
            break;
        case op::move_object: {
            const std::uint32_t parent = parameters[2] == mtp::root_parent ? 0 : parameters[2];
            const auto moved = store_.move(parameters[0], parameters[1], parent, object->name);
            code = moved ? rc::ok : code_for(moved.error());
            break;
        }
        case op::copy_object:
            code = copy_object(*object, parameters);
            break;
        case op::begin_edit_object:
            edited_ = parameters[0];
            break;
        case op::end_edit_object:
            code = edited_ == parameters[0] ? rc::ok : rc::general_error;
            edited_ = 0;
            break;
        default: {  // TruncateObject
            const std::uint64_t size = (std::uint64_t{parameters[2]} << 32U) | parameters[1];
            const bool cut =
                edited_ == parameters[0] && ::truncate(object->path.c_str(), static_cast<off_t>(size)) == 0;
            code = cut ? rc::ok : rc::general_error;
            break;
        }
    }
    if (!faults_.on("own-events")) {
        (void)store_.changes();
    }
    return code;
}

}  // namespace plugfs::virtual_usb
