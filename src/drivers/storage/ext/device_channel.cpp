#include "drivers/storage/ext/device_channel.h"

#include <algorithm>
#include <memory>

namespace plugfs::storage::ext {

namespace {

// open() of an io_manager gets a name and nothing else.
thread_local DeviceChannel* being_opened = nullptr;

DeviceChannel& of(io_channel channel) {
    return *static_cast<DeviceChannel*>(channel->private_data);
}

struct Range {
    std::uint64_t offset = 0;
    std::size_t length = 0;
};

// A negative count is one of bytes.
std::optional<Range> range_of(io_channel channel, std::uint64_t block, int count) {
    const auto block_size = static_cast<std::uint64_t>(channel->block_size);
    const std::uint64_t length = count < 0 ? std::uint64_t(-std::int64_t{count}) : std::uint64_t(count) * block_size;
    if (block > UINT64_MAX / block_size) {
        return std::nullopt;
    }
    return Range{block * block_size, static_cast<std::size_t>(length)};
}

errcode_t concluded(io_channel channel, const Result<void>& result, errcode_t code) {
    if (!result) {
        of(channel).failure = result.error();
        return code;
    }
    return 0;
}

errcode_t channel_close(io_channel channel) {
    if (--channel->refcount > 0) {
        return 0;
    }
    std::free(channel->name);  // NOLINT(*-no-malloc): the library's habit; it may free it itself
    delete channel;
    return 0;
}

errcode_t channel_set_block_size(io_channel channel, int size) {
    channel->block_size = size;
    return 0;
}

errcode_t channel_read64(io_channel channel, unsigned long long block, int count, void* data) {
    const auto range = range_of(channel, block, count);
    if (!range) {
        return EXT2_ET_SHORT_READ;
    }
    const std::span<std::byte> out(static_cast<std::byte*>(data), range->length);
    return concluded(channel, of(channel).device->read(range->offset, out, BlockDevice::Use::metadata),
                     EXT2_ET_SHORT_READ);
}

errcode_t channel_read(io_channel channel, unsigned long block, int count, void* data) {
    return channel_read64(channel, block, count, data);
}

errcode_t channel_write64(io_channel channel, unsigned long long block, int count, const void* data) {
    const auto range = range_of(channel, block, count);
    if (!range) {
        return EXT2_ET_SHORT_WRITE;
    }
    const std::span<const std::byte> bytes(static_cast<const std::byte*>(data), range->length);
    return concluded(channel, of(channel).device->write(range->offset, bytes, BlockDevice::Use::metadata),
                     EXT2_ET_SHORT_WRITE);
}

errcode_t channel_write(io_channel channel, unsigned long block, int count, const void* data) {
    return channel_write64(channel, block, count, data);
}

// When something reaches the medium is decided by the volume.
errcode_t channel_flush(io_channel) {
    return 0;
}

errcode_t channel_open(const char* name, int flags, io_channel* out);

struct_io_manager make_manager() {
    struct_io_manager manager{};
    manager.magic = EXT2_ET_MAGIC_IO_MANAGER;
    manager.name = "plugfs";
    manager.open = channel_open;
    manager.close = channel_close;
    manager.set_blksize = channel_set_block_size;
    manager.read_blk = channel_read;
    manager.write_blk = channel_write;
    manager.flush = channel_flush;
    manager.read_blk64 = channel_read64;
    manager.write_blk64 = channel_write64;
    return manager;
}

struct_io_manager& the_manager() {
    static struct_io_manager one = make_manager();
    return one;
}

errcode_t channel_open(const char* name, int, io_channel* out) {
    if (being_opened == nullptr) {
        return EXT2_ET_BAD_DEVICE_NAME;
    }
    auto channel = std::make_unique<struct_io_channel>();
    channel->magic = EXT2_ET_MAGIC_IO_CHANNEL;
    channel->manager = &the_manager();
    channel->name = ::strdup(name);
    channel->block_size = 1024;
    channel->refcount = 1;
    channel->private_data = being_opened;
    *out = channel.release();
    return 0;
}

}  // namespace

errcode_t with_manager(DeviceChannel& channel, const std::function<errcode_t(io_manager)>& open) {
    being_opened = &channel;
    const errcode_t code = open(&the_manager());
    being_opened = nullptr;
    return code;
}

errcode_t open_filesystem(DeviceChannel& channel, int flags, ext2_filsys& out) {
    return with_manager(
        channel, [&](io_manager manager) { return ext2fs_open2("plugfs", nullptr, flags, 0, 0, manager, &out); });
}

}  // namespace plugfs::storage::ext
