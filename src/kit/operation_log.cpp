#include "kit/operation_log.h"

#include "common/checksum.h"

#include <plugfs/bytes.h>

#include <atomic>
#include <cerrno>
#include <cstring>

namespace plugfs::kit {

namespace {

enum State : std::uint32_t { state_free, state_prepared, state_acting, state_done };

// state 4, error 4, length 4, checksum 4; then what the checksum covers: unique 8, inode 8, target folder 8, what 1,
// and two paths: count 2, for each name length 2 and bytes.
constexpr std::size_t body_offset = 16;
constexpr std::size_t body_capacity = operation_size - body_offset;

std::atomic_ref<std::uint32_t> word(std::span<std::byte> record, std::size_t index) {
    return std::atomic_ref(*reinterpret_cast<std::uint32_t*>(record.data() + (index * sizeof(std::uint32_t))));
}

void put_path(ByteWriter& writer, const Operation::Path& path) {
    writer.u16le(static_cast<std::uint16_t>(path.size()));
    for (const auto& name : path) {
        writer.u16le(static_cast<std::uint16_t>(name.size()));
        writer.append(std::as_bytes(std::span(name)));
    }
}

Operation::Path take_path(ByteReader& reader) {
    Operation::Path path;
    for (std::size_t left = reader.u16le(); left > 0 && reader.ok(); --left) {
        const auto name = reader.take(reader.u16le());
        path.emplace_back(reinterpret_cast<const char*>(name.data()), name.size());
    }
    return path;
}

Error damaged(std::size_t record, const std::string& what) {
    return fail(EPROTO, "vault", "operation " + std::to_string(record) + ": " + what);
}

}  // namespace

const char* word_for(Operation::What what) {
    switch (what) {
        case Operation::What::create_file:
            return "create";
        case Operation::What::create_folder:
            return "make folder";
        case Operation::What::remove:
            return "remove";
        case Operation::What::rename:
            break;
    }
    return "rename";
}

OperationLog::OperationLog(const VaultMapping& vault) : vault_(vault) {
    for (Record record = operation_count; record-- > 0;) {
        auto state = word(vault_.operation(record), 0);
        // Prepared only: the device was never asked. Asking for it again begins from the start.
        if (state.load() == state_prepared) {
            state.store(state_free);
        }
        if (state.load() == state_free) {
            free_.push_back(record);
        }
    }
}

Result<std::vector<OperationLog::Left>> OperationLog::left() const {
    std::vector<Left> list;
    for (Record record = 0; record < operation_count; ++record) {
        const auto bytes = vault_.operation(record);
        const std::uint32_t state = word(bytes, 0).load(std::memory_order_acquire);
        if (state == state_free || state == state_prepared) {
            continue;
        }
        const std::uint32_t length = word(bytes, 2).load();
        if (state > state_done || length > body_capacity) {
            return damaged(record, "state is " + std::to_string(state) + ", length " + std::to_string(length));
        }
        const auto body = bytes.subspan(body_offset, length);
        if (checksum(body) != word(bytes, 3).load()) {
            return damaged(record, "the checksum is wrong");
        }
        ByteReader reader(body);
        Left left;
        left.record = record;
        auto& operation = left.operation;
        operation.unique = reader.u64le();
        operation.inode = reader.u64le();
        operation.target_folder = reader.u64le();
        const std::uint8_t what = reader.u8();
        operation.path = take_path(reader);
        operation.target = take_path(reader);
        const bool needs_target = what == static_cast<std::uint8_t>(Operation::What::rename);
        if (!reader.ok() || what > static_cast<std::uint8_t>(Operation::What::rename) || operation.path.empty() ||
            (needs_target && operation.target.empty())) {
            return damaged(record, "its paths are cut, or what is " + std::to_string(what));
        }
        operation.what = static_cast<Operation::What>(what);
        if (state == state_done) {
            const auto error = static_cast<int>(word(bytes, 1).load());
            if (error < 0 || error > 4095) {
                return damaged(record, "error is " + std::to_string(error));
            }
            left.result = error;
        }
        list.push_back(std::move(left));
    }
    return list;
}

Result<OperationLog::Record> OperationLog::prepare(const Operation& operation) {
    if (free_.empty()) {
        return fail(EAGAIN, "operations", "too many at the same time");
    }
    ByteWriter body;
    body.u64le(operation.unique);
    body.u64le(operation.inode);
    body.u64le(operation.target_folder);
    body.u8(static_cast<std::uint8_t>(operation.what));
    put_path(body, operation.path);
    put_path(body, operation.target);
    if (body.bytes().size() > body_capacity) {
        return fail(ENAMETOOLONG, "operations", "the path is too long");
    }
    const Record record = free_.back();
    free_.pop_back();
    const auto bytes = vault_.operation(record);
    std::memcpy(bytes.data() + body_offset, body.bytes().data(), body.bytes().size());
    word(bytes, 2).store(static_cast<std::uint32_t>(body.bytes().size()));
    word(bytes, 3).store(checksum(body.bytes()));
    word(bytes, 0).store(state_prepared, std::memory_order_release);
    return record;
}

void OperationLog::release(Record record) {
    word(vault_.operation(record), 0).store(state_free, std::memory_order_release);
    free_.push_back(record);
}

void OperationLog::acting(Record record) {
    word(vault_.operation(record), 0).store(state_acting, std::memory_order_release);
}

void OperationLog::done(Record record, int error) {
    const auto bytes = vault_.operation(record);
    word(bytes, 1).store(static_cast<std::uint32_t>(error));
    word(bytes, 0).store(state_done, std::memory_order_release);
}

void OperationLog::again(Record record) {
    word(vault_.operation(record), 0).store(state_prepared, std::memory_order_release);
}

}  // namespace plugfs::kit
