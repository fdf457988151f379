// NtfsVolume: what is in a file changes.
//
// Where nothing was written, a file has no clusters (a hole).

#include "drivers/storage/ntfs/ntfs_volume.h"

#include <algorithm>

namespace plugfs::storage::ntfs {

namespace {

// The library finds room for a little when it finds none for much.
constexpr std::size_t piece_limit = std::size_t{128} << 10U;
constexpr std::size_t little = 4096;
// What is taken off a file in one operation: of more, $Bitmap might not fit in a note.
constexpr std::uint64_t clusters_at_once = std::uint64_t{1} << 20U;

}  // namespace

Result<void> NtfsVolume::write(Key file, std::uint64_t offset, std::span<const std::byte> bytes) {
    PLUGFS_TRY(health_.check_writable());
    return changed(do_write(file, offset, bytes));
}

Result<void> NtfsVolume::resize(Key file, std::uint64_t size) {
    PLUGFS_TRY(health_.check_writable());
    return changed(do_resize(file, size));
}

Result<Entry> NtfsVolume::set_modified(Key key, std::int64_t seconds) {
    PLUGFS_TRY(health_.check_writable());
    return changed([&]() -> Result<Entry> {
        PLUGFS_TRY(begin());
        OpenInode inode;
        PLUGFS_TRY(node(key, inode));
        set_times(inode.get(), seconds);
        if (!inode.close()) {
            return library_->error("NTFS time");
        }
        PLUGFS_TRY(conclude());
        return look(key);
    }());
}

Result<NtfsVolume::Node> NtfsVolume::file_to_change(Key key, OpenInode& inode, OpenAttribute& data) {
    PLUGFS_ASSIGN(Node found, node(key, inode));
    if (found.kind == Kind::directory) {
        return fail(EISDIR, "key", std::to_string(key) + " is a folder's");
    }
    PLUGFS_ASSIGN(data, library_->attribute(inode.get(), AT_DATA));
    if (data == nullptr || (data->data_flags & (ATTR_IS_ENCRYPTED | ATTR_COMPRESSION_MASK)) != ATTR_FLAGS{}) {
        return fail(EOPNOTSUPP, "file", "what is compressed or encrypted is not written to");
    }
    return found;
}

Result<void> NtfsVolume::do_write(Key key, std::uint64_t offset, std::span<const std::byte> bytes) {
    if (bytes.empty()) {
        return {};
    }
    if (offset > static_cast<std::uint64_t>(INT64_MAX) - bytes.size()) {
        return fail(EFBIG, "file", "it cannot be that large");
    }
    PLUGFS_TRY(begin());
    DataParts parts;
    {
        OpenInode inode;
        OpenAttribute data;
        PLUGFS_TRY(file_to_change(key, inode, data));
        const auto initialized = static_cast<std::uint64_t>(std::max<s64>(data->initialized_size, 0));
        PLUGFS_TRY(write_all(data.get(), offset, bytes));
        PLUGFS_ASSIGN(parts, parts_of(data.get(), std::min(offset, initialized), offset + bytes.size()));
        data.reset();
        set_times(inode.get(), now());
        if (!options_.now) {
            inode->last_data_change_time = inode->last_mft_change_time;
        }
        if (!inode.close()) {
            return library_->error("NTFS write");
        }
    }
    return conclude(parts);
}

Result<void> NtfsVolume::write_all(ntfs_attr* data, std::uint64_t offset, std::span<const std::byte> bytes) {
    std::size_t limit = piece_limit;
    while (!bytes.empty()) {
        const auto part = bytes.first(std::min(limit, bytes.size()));
        library_->begin();
        const s64 done = ntfs_attr_pwrite(data, static_cast<s64>(offset), static_cast<s64>(part.size()), part.data());
        if (done <= 0) {
            if (done == 0 || errno != ENOSPC || limit == little) {
                return done == 0 ? fail(ENOSPC, "NTFS write") : library_->error("NTFS write");
            }
            limit = little;
            continue;
        }
        offset += static_cast<std::uint64_t>(done);
        bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
    return {};
}

// Where the file has its content from byte `from` to byte `to`, as whole clusters, by their offset.
Result<NtfsVolume::DataParts> NtfsVolume::parts_of(ntfs_attr* data, std::uint64_t from, std::uint64_t to) {
    DataParts out;
    if (!NAttrNonResident(data)) {
        return out;
    }
    const std::uint64_t cluster = library_->cluster_size();
    for (std::uint64_t at = from / cluster; at * cluster < to;) {
        library_->begin();
        const auto* const run = ntfs_attr_find_vcn(data, static_cast<VCN>(at));
        if (run == nullptr || run->length <= 0) {
            return library_->error("NTFS file", "record " + std::to_string(data->ni->mft_no));
        }
        const auto skipped = at - static_cast<std::uint64_t>(run->vcn);
        const std::uint64_t count = static_cast<std::uint64_t>(run->length) - skipped;
        if (run->lcn >= 0) {
            out.push_back({(static_cast<std::uint64_t>(run->lcn) + skipped) * cluster, count * cluster});
        }
        at += count;
    }
    std::sort(out.begin(), out.end(), [](const Range& a, const Range& b) { return a.offset < b.offset; });
    return out;
}

Result<void> NtfsVolume::do_resize(Key key, std::uint64_t size) {
    if (size > static_cast<std::uint64_t>(INT64_MAX)) {
        return fail(EFBIG, "file", "it cannot be that large");
    }
    PLUGFS_TRY(shorten(key, size));
    PLUGFS_TRY(begin());
    return cut_or_grow(key, size);
}

Result<void> NtfsVolume::cut_or_grow(Key key, std::uint64_t size) {
    {
        OpenInode inode;
        OpenAttribute data;
        PLUGFS_TRY(file_to_change(key, inode, data));
        library_->begin();
        if (ntfs_attr_truncate(data.get(), static_cast<s64>(size)) != 0) {
            return library_->error("NTFS resize");
        }
        data.reset();
        set_times(inode.get(), now());
        if (!inode.close()) {
            return library_->error("NTFS resize");
        }
    }
    return conclude();
}

// As long as the file has more above `size` than can go at once, its end goes.
Result<void> NtfsVolume::shorten(Key key, std::uint64_t size) {
    const std::uint64_t step = clusters_at_once * library_->cluster_size();
    while (true) {
        std::uint64_t length = 0;
        {
            OpenInode inode;
            OpenAttribute data;
            PLUGFS_TRY(node(key, inode));
            PLUGFS_ASSIGN(data, library_->attribute(inode.get(), AT_DATA));
            if (data == nullptr || !NAttrNonResident(data) ||
                (data->data_flags & (ATTR_IS_ENCRYPTED | ATTR_COMPRESSION_MASK)) != ATTR_FLAGS{}) {
                return {};
            }
            length = static_cast<std::uint64_t>(std::max<s64>(data->data_size, 0));
        }
        if (length <= size || length - size <= step) {
            return {};
        }
        PLUGFS_TRY(begin());
        PLUGFS_TRY(cut_or_grow(key, std::max(size, length - step)));
    }
}

}  // namespace plugfs::storage::ntfs
