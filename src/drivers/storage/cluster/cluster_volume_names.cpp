// ClusterVolume: files and folders are made and removed.

#include "drivers/storage/cluster/cluster_volume.h"
#include "drivers/storage/text/utf16.h"

namespace plugfs::storage {

Result<Entry> ClusterVolume::create(Key folder, const std::string& name, Kind kind) {
    PLUGFS_TRY(health_.check_writable());
    return finish(do_create(folder, name, kind));
}

Result<void> ClusterVolume::remove(Key entry) {
    PLUGFS_TRY(health_.check_writable());
    return finish(do_remove(entry));
}

Result<std::u16string> ClusterVolume::check_name(const std::string& name) const {
    auto units = utf8_to_utf16(name);
    if (!units) {
        return fail(EINVAL, "name", quoted(name) + " is not UTF-8");
    }
    PLUGFS_TRY(format_->check_name(*units));
    return std::move(*units);
}

Result<Entry> ClusterVolume::do_create(Key key, const std::string& name, Kind kind) {
    PLUGFS_ASSIGN(Folder * parent, folder(key));
    Node made;
    PLUGFS_ASSIGN(made.name, check_name(name));
    PLUGFS_TRY(load_index(*parent));
    PLUGFS_ASSIGN(const auto taken, find(*parent, made.name));
    if (taken) {
        return fail(EEXIST, "name", quoted(name) + " is " + quoted(taken->shown_name));
    }
    made.folder = parent;
    made.shown_name = name;
    made.kind = kind;
    made.modified = now();
    PLUGFS_TRY(begin_adding());
    if (kind == Kind::directory) {
        PLUGFS_ASSIGN(made.content, heap_->extend({}, 1, true));
        made.size = heap_->layout().cluster_size;
        made.valid = made.size;
        PLUGFS_TRY(heap_->write(made.content, 0, format_->folder_start(made), BlockDevice::Use::metadata));
    }
    PLUGFS_ASSIGN(const Slots slots, format_->encode(made, *parent->index));
    auto first = reserve(*parent, made.slot_count);
    if (!first) {
        if (kind == Kind::directory) {
            PLUGFS_ASSIGN(const auto unused, heap_->chains().runs(made.content, 0));
            PLUGFS_TRY(heap_->cut(made.content, 0, unused));
        }
        return first.error();
    }
    PLUGFS_TRY(insert(made, slots, *first));
    PLUGFS_ASSIGN(const Node stored, format_->at(*parent, made.slot, true));  // its time as it could be kept
    return entry(stored);
}

Result<void> ClusterVolume::check_empty(Folder& folder) {
    SlotReader reader(*slots_, folder, 0);
    while (true) {
        PLUGFS_ASSIGN(const auto step, format_->next(folder, reader));
        if (step.end) {
            return {};
        }
        if (step.node && step.node->state != Node::State::hidden) {
            return fail(ENOTEMPTY, "folder", "it has " + quoted(step.node->shown_name));
        }
    }
}

Result<void> ClusterVolume::do_remove(Key key) {
    PLUGFS_ASSIGN(const Node gone, node(key, true));
    Folder* own = nullptr;
    if (gone.kind == Kind::directory) {
        PLUGFS_ASSIGN(own, folder(key));
        PLUGFS_TRY(check_empty(*own));
    }
    PLUGFS_ASSIGN(const auto runs, heap_->chains().runs(gone.content, 0));
    PLUGFS_TRY(begin());
    PLUGFS_TRY(erase(gone));
    device_.order();
    if (own != nullptr) {
        folders_.removed(*own);
    }
    return heap_->cut(gone.content, 0, runs);
}

}  // namespace plugfs::storage
