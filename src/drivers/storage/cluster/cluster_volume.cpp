// ClusterVolume: reading, and what every operation needs.

#include "drivers/storage/cluster/cluster_volume.h"

#include <algorithm>
#include <ctime>
#include <utility>

namespace plugfs::storage {

namespace {

constexpr std::size_t part_limit = 256;  // entries of one list() call
constexpr unsigned step_limit = 512;

// Errors that an operation is answered with before it has changed anything.
bool harmless(int code) {
    constexpr int codes[] = {ENOSPC, EEXIST, EINVAL, ENAMETOOLONG, ENOTEMPTY, EISDIR,  ENOTDIR,
                             EACCES, EROFS,  ESTALE, EFBIG,        ENOENT,    ENOTSUP, ENFILE};
    return std::find(std::begin(codes), std::end(codes), code) != std::end(codes);
}

std::string why_only_read(const BlockDevice& device, const ClusterVolume::Parts& parts, const VolumeOptions& options) {
    if (!parts.read_only_because.empty()) {
        return parts.read_only_because;
    }
    if (!device.writable()) {
        return "the medium is write-protected";
    }
    return options.read_only ? "it was asked for" : "";
}

}  // namespace

ClusterVolume::ClusterVolume(BlockDevice& device, Parts parts, const VolumeOptions& options, VolumeReport report)
    : device_(device),
      heap_(std::move(parts.heap)),
      slots_(std::move(parts.slots)),
      format_(std::move(parts.format)),
      folders_(std::move(parts.root)),
      info_(std::move(parts.info)),
      health_(info_.type, why_only_read(device, parts, options), std::move(report)),
      options_(options),
      was_marked_(parts.marked && !options.mark_is_ours),
      marked_(parts.marked && options.mark_is_ours) {
    info_.marked_by_predecessor = marked_;
    info_.marked_by_others = was_marked_;
}

Result<std::unique_ptr<Volume>> ClusterVolume::create(BlockDevice& device, Parts parts, const VolumeOptions& options,
                                                      VolumeReport report) {
    std::unique_ptr<ClusterVolume> volume(new ClusterVolume(device, std::move(parts), options, std::move(report)));
    if ((volume->was_marked_ || volume->marked_) && volume->health_.writable()) {
        PLUGFS_TRY(volume->complete_move());
    }
    return std::unique_ptr<Volume>(std::move(volume));
}

Error ClusterVolume::failed(const Error& error) {
    if (!harmless(error.code)) {
        heap_->forget();
        folders_.forget_indexes();
    }
    return health_.seen(error);
}

Result<void> ClusterVolume::begin() {
    // What is added has to be there before anything else is done to it, or for it: an old file goes when the new one is
    // safe.
    if (std::exchange(added_, false)) {
        device_.order();
    }
    if (marked_) {
        return {};
    }
    if (!was_marked_) {
        PLUGFS_TRY(format_->mark(true));
        device_.order();
    }
    marked_ = true;
    return {};
}

Result<void> ClusterVolume::begin_adding() {
    if (!marked_) {
        PLUGFS_TRY(begin());
    }
    added_ = true;
    return {};
}

std::int64_t ClusterVolume::now() const {
    return options_.now ? options_.now() : std::time(nullptr);
}

Result<Folder*> ClusterVolume::folder(Key key) {
    if (Folder* known = folders_.by_key(key); known != nullptr) {
        return known;
    }
    PLUGFS_ASSIGN(const Node found, node(key, false));
    if (found.kind != Kind::directory) {
        return fail(ENOTDIR, "key", std::to_string(key) + " is a file's");
    }
    const std::uint32_t first = found.content.first_cluster;
    if (!heap_->table().valid(first)) {
        return fail(EUCLEAN, "folder", "it begins at cluster " + std::to_string(first));
    }
    if (folders_.by_first_cluster(first) != nullptr) {
        return fail(EUCLEAN, "folder", "cluster " + std::to_string(first) + " is another folder's, too");
    }
    return folders_.add(key, *found.folder, found.content);
}

Result<Node> ClusterVolume::node(Key key, bool named) {
    PLUGFS_ASSIGN(const auto place, folders_.find(key));
    return format_->at(*place.folder, place.slot, named);
}

Result<Node> ClusterVolume::file_to_change(Key key) {
    PLUGFS_ASSIGN(Node found, node(key, false));
    if (found.kind == Kind::directory) {
        return fail(EISDIR, "key", std::to_string(key) + " is a folder's");
    }
    if (found.write_protected) {
        return fail(EACCES, "file", "it has the read-only attribute");
    }
    return found;
}

Entry ClusterVolume::entry(const Node& node) {
    Entry out;
    out.key = Folders::key(*node.folder, node.slot);
    out.name = node.shown_name;
    out.kind = node.kind;
    out.size = node.kind == Kind::file ? node.size : 0;
    out.modified = node.modified;
    return out;
}

Result<void> ClusterVolume::store(Node& node, BlockDevice::Rank rank) {
    const Slots before = node.raw;
    const Slots changed = format_->update(node);
    if (before.size() >= changed.size() && std::equal(changed.begin(), changed.end(), before.begin())) {
        return {};
    }
    return slots_->write(*node.folder, node.slot, changed, rank);
}

Result<Space> ClusterVolume::space() {
    const auto count = heap_->allocator().count_free();
    if (!count) {
        return health_.seen(count.error());
    }
    const std::uint64_t cluster_size = heap_->layout().cluster_size;
    return Space{heap_->table().cluster_count() * cluster_size, *count * cluster_size};
}

Result<Listing> ClusterVolume::list(Key key, std::uint64_t cursor) {
    const auto found = folder(key);
    if (!found) {
        return health_.seen(found.error());
    }
    if (cursor > slots_->limit()) {
        return fail(ESTALE, "cursor", std::to_string(cursor));
    }
    SlotReader reader(*slots_, **found, static_cast<std::uint32_t>(cursor));
    Listing out;
    for (unsigned steps = 0; out.entries.size() < part_limit && steps < step_limit; ++steps) {
        auto step = format_->next(**found, reader);
        if (!step) {
            return health_.seen(step.error());
        }
        if (step->end) {
            return out;
        }
        if (step->node && !step->node->damage.empty()) {
            health_.damaged(step->node->damage);
        }
        if (step->node && step->node->state == Node::State::good) {
            out.entries.push_back(entry(*step->node));
        }
    }
    out.next = reader.position();
    return out;
}

Result<std::size_t> ClusterVolume::read(Key file, std::uint64_t offset, std::span<std::byte> out) {
    const auto found = node(file, false);
    if (!found) {
        return health_.seen(found.error());
    }
    if (found->kind == Kind::directory) {
        return fail(EISDIR, "key", std::to_string(file) + " is a folder's");
    }
    if (offset >= found->size) {
        return std::size_t{0};
    }
    out = out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), found->size - offset)));
    const auto written = static_cast<std::size_t>(
        std::min<std::uint64_t>(out.size(), found->valid > offset ? found->valid - offset : 0));
    if (auto done = heap_->read(found->content, offset, out.first(written), BlockDevice::Use::data); !done) {
        return health_.seen(done.error());
    }
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(written), out.end(), std::byte{});
    return out.size();
}

Result<Entry> ClusterVolume::look(Key key) {
    const auto found = node(key, true);
    return found ? Result<Entry>(entry(*found)) : Result<Entry>(health_.seen(found.error()));
}

Result<std::uint64_t> ClusterVolume::place(Key key) {
    PLUGFS_ASSIGN(const auto at, folders_.find(key));
    return slots_->offset(*at.folder, at.slot);
}

Result<Entry> ClusterVolume::flush(Key file) {
    auto found = node(file, true);
    if (!found) {
        return health_.seen(found.error());
    }
    if (device_.writable()) {
        PLUGFS_TRY(device_.flush());
    }
    return entry(*found);
}

Result<Entry> ClusterVolume::set_modified(Key key, std::int64_t seconds) {
    PLUGFS_TRY(health_.check_writable());
    return finish([&]() -> Result<Entry> {
        PLUGFS_ASSIGN(Node found, node(key, true));
        PLUGFS_TRY(begin_adding());
        found.modified = seconds;
        PLUGFS_TRY(store(found, BlockDevice::Rank::entry));
        PLUGFS_ASSIGN(const Node stored, node(key, true));  // as it could be kept
        return entry(stored);
    }());
}

Result<void> ClusterVolume::settle() {
    if (!device_.writable()) {
        return {};
    }
    if (marked_ && health_.writable()) {
        PLUGFS_TRY(format_->write_summary());
        PLUGFS_TRY(device_.flush());
        if (!was_marked_) {
            PLUGFS_TRY(format_->mark(false));
        }
        marked_ = false;
    }
    return device_.flush();
}

}  // namespace plugfs::storage
