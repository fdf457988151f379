// NtfsVolume: what is in a file.

#include "drivers/storage/ntfs/ntfs_volume.h"

#include <algorithm>

namespace plugfs::storage::ntfs {

Result<std::size_t> NtfsVolume::read(Key file, std::uint64_t offset, std::span<std::byte> out) {
    OpenInode inode;
    const auto found = node(file, inode);
    if (!found) {
        return health_.seen(found.error());
    }
    if (found->kind == Kind::directory) {
        return fail(EISDIR, "key", std::to_string(file) + " is a folder's");
    }
    if ((found->flags & FILE_ATTR_ENCRYPTED) != 0) {
        return fail(EACCES, "file", "it is encrypted");
    }
    const auto data = library_->attribute(inode.get(), AT_DATA);
    if (!data) {
        return health_.seen(data.error());
    }
    return *data == nullptr ? Result<std::size_t>(std::size_t{0}) : seen(read_from(data->get(), offset, out));
}

Result<std::size_t> NtfsVolume::read_from(ntfs_attr* data, std::uint64_t offset, std::span<std::byte> out) {
    const auto size = static_cast<std::uint64_t>(data->data_size);
    if (offset >= size) {
        return std::size_t{0};
    }
    if ((data->data_flags & ATTR_IS_ENCRYPTED) != ATTR_FLAGS{}) {
        return fail(EACCES, "file", "it is encrypted");
    }
    out = out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), size - offset)));
    if (NAttrNonResident(data) && (data->data_flags & ATTR_COMPRESSION_MASK) == ATTR_FLAGS{}) {
        PLUGFS_TRY(read_runs(data, offset, out));
        return out.size();
    }
    library_->begin();
    library_->channel().use = BlockDevice::Use::data;
    const s64 got = ntfs_attr_pread(data, static_cast<s64>(offset), static_cast<s64>(out.size()), out.data());
    library_->channel().use = BlockDevice::Use::metadata;
    if (got != static_cast<s64>(out.size())) {
        return library_->error("NTFS file", "record " + std::to_string(data->ni->mft_no));
    }
    return out.size();
}

// Past the library: in one transfer what lies together.
Result<void> NtfsVolume::read_runs(ntfs_attr* data, std::uint64_t offset, std::span<std::byte> out) {
    const std::uint64_t cluster = library_->cluster_size();
    const auto initialized = static_cast<std::uint64_t>(std::clamp<s64>(data->initialized_size, 0, data->data_size));
    while (!out.empty() && offset < initialized) {
        library_->begin();
        const auto* const run = ntfs_attr_find_vcn(data, static_cast<VCN>(offset / cluster));
        if (run == nullptr) {
            return library_->error("NTFS file", "record " + std::to_string(data->ni->mft_no));
        }
        const std::uint64_t within = offset - static_cast<std::uint64_t>(run->vcn) * cluster;
        const std::uint64_t length = static_cast<std::uint64_t>(run->length) * cluster;
        const auto part = out.first(
            static_cast<std::size_t>(std::min({std::uint64_t{out.size()}, length - within, initialized - offset})));
        if (run->lcn == LCN_HOLE) {
            std::fill(part.begin(), part.end(), std::byte{});
        } else if (run->lcn < 0 || run->lcn >= library_->volume()->nr_clusters ||
                   run->length > library_->volume()->nr_clusters - run->lcn) {
            return fail(EUCLEAN, "NTFS file",
                        "record " + std::to_string(data->ni->mft_no) + " has cluster " + std::to_string(run->lcn));
        } else {
            PLUGFS_TRY(
                device().read(static_cast<std::uint64_t>(run->lcn) * cluster + within, part, BlockDevice::Use::data));
        }
        out = out.subspan(part.size());
        offset += part.size();
    }
    std::fill(out.begin(), out.end(), std::byte{});
    return {};
}

}  // namespace plugfs::storage::ntfs
