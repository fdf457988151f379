// NtfsVolume: what it is, and what it tells of its entries.

#include "drivers/storage/ntfs/ntfs_volume.h"

#include "drivers/storage/text/utf16.h"

#include <algorithm>

namespace plugfs::storage::ntfs {

namespace {

constexpr std::size_t part_limit = 256;     // entries of one list() call
constexpr std::size_t snapshot_limit = 4;   // listings that are under way
constexpr unsigned cursor_index_bits = 32;  // of a cursor; the number of its snapshot is above

}  // namespace

NtfsVolume::NtfsVolume(Opened opened, const VolumeOptions& options, VolumeReport report)
    : library_(std::move(opened.library)),
      notes_(std::move(opened.notes)),
      info_(std::move(opened.info)),
      health_(info_.type, std::move(opened.read_only_because), std::move(report)),
      options_(options),
      keys_(device().size() >> library_->volume()->mft_record_size_bits),
      marked_(info_.marked_by_predecessor) {}

std::int64_t NtfsVolume::now() const {
    return options_.now ? options_.now() : std::time(nullptr);
}

// Counted once: on a large volume that takes a while.
Result<Space> NtfsVolume::space() {
    ntfs_volume* const volume = library_->volume();
    if (!NVolFreeSpaceKnown(volume)) {
        library_->begin();
        if (ntfs_volume_get_free_space(volume) != 0) {
            return health_.seen(library_->error("NTFS $Bitmap"));
        }
    }
    const auto free = std::clamp<s64>(volume->free_clusters, 0, volume->nr_clusters);
    return Space{static_cast<std::uint64_t>(volume->nr_clusters) * library_->cluster_size(),
                 static_cast<std::uint64_t>(free) * library_->cluster_size()};
}

Result<Listing> NtfsVolume::list(Key folder, std::uint64_t cursor) {
    const auto record = folder_record(folder);
    if (!record) {
        return health_.seen(record.error());
    }
    if (cursor == 0) {
        auto names = names_in(*record);
        if (!names) {
            return health_.seen(names.error());
        }
        snapshots_.push_front({++last_snapshot_, changes_, std::move(*names)});
        if (snapshots_.size() > snapshot_limit) {
            snapshots_.pop_back();
        }
        cursor = last_snapshot_ << cursor_index_bits;
    }
    const auto snapshot = std::find_if(snapshots_.begin(), snapshots_.end(), [cursor](const Snapshot& one) {
        return one.number == cursor >> cursor_index_bits;
    });
    if (snapshot == snapshots_.end()) {
        return fail(ESTALE, "cursor", std::to_string(cursor));
    }
    Listing out;
    std::size_t at = static_cast<std::uint32_t>(cursor);
    for (; at < snapshot->names.size() && out.entries.size() < part_limit; ++at) {
        const auto node = listed(snapshot->names[at], *record);
        if (node) {
            out.entries.push_back(entry(*node));
        } else if (node.error().code == ENOTSUP) {
            left_out(snapshot->names[at].name);
        } else if (node.error().code != ESTALE) {
            (void)health_.seen(node.error());
        } else if (snapshot->changes == changes_) {
            (void)health_.seen(fail(EUCLEAN, "NTFS folder", "an entry is of nothing: " + node.error().detail));
        }
    }
    out.next = at < snapshot->names.size() ? snapshot->number << cursor_index_bits | at : 0;
    if (out.next == 0) {
        snapshots_.erase(snapshot);
    }
    return out;
}

void NtfsVolume::left_out(const std::u16string& name) {
    if (!left_out_seen_) {
        left_out_seen_ = true;
        health_.report(LogLevel::info,
                       "links and other reparse points are left out; " + quoted(to_utf8(name), 60) + " is the first");
    }
}

Result<Entry> NtfsVolume::look(Key key) {
    const auto found = node(key);
    return found ? Result<Entry>(entry(*found)) : Result<Entry>(health_.seen(found.error()));
}

Result<std::uint64_t> NtfsVolume::place(Key key) {
    PLUGFS_TRY(node(key));
    return std::uint64_t{key};
}

Result<Entry> NtfsVolume::flush(Key file) {
    const auto found = node(file);
    if (!found) {
        return health_.seen(found.error());
    }
    if (device().writable()) {
        PLUGFS_TRY(device().flush());
    }
    return entry(*found);
}

}  // namespace plugfs::storage::ntfs
