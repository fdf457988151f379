#include "drivers/storage/ntfs/device_operations.h"

#include <algorithm>

namespace plugfs::storage::ntfs {

namespace {

DeviceChannel& of(ntfs_device* device) {
    return *static_cast<DeviceChannel*>(device->d_private);
}

std::uint64_t size_of(ntfs_device* device) {
    return of(device).device->device().size();
}

int refuse(int error) {
    errno = error;
    return -1;
}

s64 concluded(ntfs_device* device, const Result<void>& result, s64 count) {
    if (result) {
        return count;
    }
    of(device).failure = result.error();
    errno = result.error().code;
    return -1;
}

int device_open(ntfs_device* device, int) {
    NDevSetOpen(device);
    NDevSetBlock(device);
    return 0;
}

int device_close(ntfs_device* device) {
    NDevClearOpen(device);
    return 0;
}

// Asked only to find out whether there is something at that offset.
s64 device_seek(ntfs_device* device, s64 offset, int whence) {
    return whence == SEEK_SET && offset >= 0 && static_cast<std::uint64_t>(offset) <= size_of(device)
               ? offset
               : s64{refuse(EINVAL)};
}

s64 device_pread(ntfs_device* device, void* buffer, s64 count, s64 offset) {
    // Past the end is a thing that the volume says, not a failure of the device.
    if (count < 0 || offset < 0 || static_cast<std::uint64_t>(offset) > size_of(device) ||
        static_cast<std::uint64_t>(count) > size_of(device) - static_cast<std::uint64_t>(offset)) {
        return refuse(EIO);
    }
    const std::span<std::byte> out(static_cast<std::byte*>(buffer), static_cast<std::size_t>(count));
    return concluded(device, of(device).device->read(static_cast<std::uint64_t>(offset), out, of(device).use), count);
}

s64 device_pwrite(ntfs_device* device, const void* buffer, s64 count, s64 offset) {
    if (count < 0 || offset < 0 || static_cast<std::uint64_t>(offset) > size_of(device) ||
        static_cast<std::uint64_t>(count) > size_of(device) - static_cast<std::uint64_t>(offset)) {
        return refuse(EIO);
    }
    const std::span<const std::byte> bytes(static_cast<const std::byte*>(buffer), static_cast<std::size_t>(count));
    return concluded(device, of(device).device->write(static_cast<std::uint64_t>(offset), bytes), count);
}

s64 device_read(ntfs_device*, void*, s64) {
    return refuse(ENOTSUP);
}

s64 device_write(ntfs_device*, const void*, s64) {
    return refuse(ENOTSUP);
}

// When something reaches the medium is decided by the volume.
int device_sync(ntfs_device* device) {
    NDevClearDirty(device);
    return 0;
}

int device_stat(ntfs_device*, struct stat*) {
    return refuse(ENOTSUP);
}

int device_ioctl(ntfs_device*, unsigned long, void*) {
    return refuse(ENOTSUP);
}

ntfs_device_operations& the_operations() {
    static ntfs_device_operations one = [] {
        ntfs_device_operations all{};
        all.open = device_open;
        all.close = device_close;
        all.seek = device_seek;
        all.read = device_read;
        all.write = device_write;
        all.pread = device_pread;
        all.pwrite = device_pwrite;
        all.sync = device_sync;
        all.stat = device_stat;
        all.ioctl = device_ioctl;
        return all;
    }();
    return one;
}

}  // namespace

ntfs_device* make_device(DeviceChannel& channel, bool writable) {
    ntfs_device* const device = ntfs_device_alloc("plugfs", 0, &the_operations(), &channel);
    if (device != nullptr && !writable) {
        NDevSetReadOnly(device);
    }
    return device;
}

}  // namespace plugfs::storage::ntfs
