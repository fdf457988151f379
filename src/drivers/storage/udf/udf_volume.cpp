#include "drivers/storage/udf/udf_volume.h"

#include <algorithm>

namespace plugfs::storage::udf {

namespace {

constexpr std::size_t entries_limit = 256;                 // of one list() call
constexpr unsigned step_limit = 2048;                      // identifiers that it looks at
constexpr std::size_t part_size = std::size_t{64} << 10U;  // of a folder that is read at once
constexpr std::uint64_t folder_limit = NameIndex::slot_limit * identifier_alignment;  // bytes
constexpr std::size_t known_limit = 16;
constexpr std::size_t extent_limit = std::size_t{1} << 19U;  // of all that are known but the last used

Folder root_folder(std::uint32_t number) {
    Folder root;
    root.content.first_cluster = number;
    return root;
}

}  // namespace

UdfVolume::UdfVolume(Medium medium, const std::string& label, const Extent& root, std::uint32_t root_number,
                     VolumeHealth health)
    : medium_(std::move(medium)), health_(std::move(health)), folders_(root_folder(root_number)) {
    info_.type = "UDF";
    info_.label = label;
    entries_[folders_.root().id] = root;
}

Result<std::unique_ptr<Volume>> UdfVolume::open(Medium medium, const std::string& label, const Extent& root,
                                                VolumeHealth health) {
    PLUGFS_ASSIGN(const std::uint32_t number, medium.number(root.at));
    PLUGFS_ASSIGN(const FileEntry file, medium.file(root));
    if (file.kind != FileEntry::Kind::folder) {
        return fail(EUCLEAN, "UDF file set", "its root is no folder");
    }
    return std::unique_ptr<Volume>(new UdfVolume(std::move(medium), label, root, number, std::move(health)));
}

Result<const FileEntry*> UdfVolume::content(const Extent& entry) {
    PLUGFS_ASSIGN(const std::uint32_t number, medium_.number(entry.at));
    const auto found =
        std::find_if(known_.begin(), known_.end(), [number](const Known& one) { return one.number == number; });
    if (found != known_.end()) {
        known_.splice(known_.begin(), known_, found);
    } else {
        PLUGFS_ASSIGN(FileEntry file, medium_.file(entry));
        PLUGFS_TRY(medium_.complete(file));
        known_.push_front({number, std::move(file)});
        std::size_t extents = 0;
        for (const Known& one : known_) {
            extents += one.file.extents.size();
        }
        for (; known_.size() > known_limit || (extents > extent_limit && known_.size() > 1); known_.pop_back()) {
            extents -= known_.back().file.extents.size();
        }
    }
    return &known_.front().file;
}

Result<const FileEntry*> UdfVolume::content(const Folder& folder) {
    PLUGFS_ASSIGN(const FileEntry* const file, content(entries_.at(folder.id)));
    if (file->size > folder_limit) {
        return fail(EUCLEAN, "UDF file entry", "a folder has " + std::to_string(file->size) + " bytes");
    }
    return file;
}

Result<std::vector<std::byte>> UdfVolume::part(const FileEntry& folder, std::uint64_t offset, std::size_t size) {
    const std::uint64_t left = offset < folder.size ? folder.size - offset : 0;
    std::vector<std::byte> out(static_cast<std::size_t>(std::min<std::uint64_t>(size, left)));
    PLUGFS_TRY(medium_.read(folder, offset, out, BlockDevice::Use::metadata));
    return out;
}

Result<UdfVolume::Node> UdfVolume::node_of(Key key, const Identifier& identifier) {
    const std::string& name = identifier.name;
    if (name.empty() || name == "." || name == "..") {
        return fail(EUCLEAN, "UDF file identifier", "it is named " + quoted(name, 60));
    }
    PLUGFS_ASSIGN(const FileEntry file, medium_.file(identifier.entry));
    if (file.kind == FileEntry::Kind::other) {
        return fail(ENOTSUP, "UDF file entry", "it is no file and no folder");
    }
    if (identifier.folder != (file.kind == FileEntry::Kind::folder)) {
        return fail(EUCLEAN, "UDF file identifier",
                    quoted(name, 60) + " is a folder or a file, and its entry the other");
    }
    Node out;
    out.at = identifier.entry;
    out.entry = {.key = key,
                 .name = name,
                 .kind = identifier.folder ? Kind::directory : Kind::file,
                 .size = identifier.folder ? 0 : file.size,
                 .modified = file.modified};
    return out;
}

Result<UdfVolume::Node> UdfVolume::node(Key key) {
    PLUGFS_ASSIGN(const auto place, folders_.find(key));
    PLUGFS_ASSIGN(const FileEntry* const file, content(*place.folder));
    PLUGFS_ASSIGN(const auto bytes, part(*file, std::uint64_t{place.slot} * identifier_alignment, identifier_limit));
    PLUGFS_ASSIGN(const Identifier identifier, parse_identifier(bytes));
    if (identifier.left_out) {
        return fail(ESTALE, "key", std::to_string(key) + " is of nothing that is there");
    }
    return node_of(key, identifier);
}

// One folder has one key: otherwise a folder could be within itself.
Result<Folder*> UdfVolume::folder(Key key) {
    if (Folder* const known = folders_.by_key(key)) {
        return known;
    }
    PLUGFS_ASSIGN(const Node found, node(key));
    if (found.entry.kind != Kind::directory) {
        return fail(ENOTDIR, "key", std::to_string(key) + " is a file's");
    }
    PLUGFS_ASSIGN(const std::uint32_t number, medium_.number(found.at.at));
    if (folders_.by_first_cluster(number) != nullptr) {
        return fail(EUCLEAN, "UDF file identifier", quoted(found.entry.name, 60) + " is another folder, too");
    }
    PLUGFS_ASSIGN(const auto place, folders_.find(key));
    Content content;
    content.first_cluster = number;
    PLUGFS_ASSIGN(Folder* const added, folders_.add(key, *place.folder, content));
    entries_[added->id] = found.at;
    return added;
}

void UdfVolume::left_out(const std::string& name) {
    if (!left_out_seen_) {
        left_out_seen_ = true;
        health_.report(LogLevel::info, "links and devices are left out; " + quoted(name, 60) + " is the first");
    }
}

Result<Listing> UdfVolume::list(Key key, std::uint64_t cursor) {
    const auto opened = folder(key);
    if (!opened) {
        return health_.seen(opened.error());
    }
    const auto file = content(**opened);
    if (!file) {
        return health_.seen(file.error());
    }
    // Looking at entries may push it out of what is known.
    const FileEntry folder = **file;
    Listing out;
    std::uint64_t at = cursor;
    std::vector<std::byte> bytes;
    std::uint64_t bytes_at = 0;
    for (unsigned i = 0; at < folder.size && i < step_limit && out.entries.size() < entries_limit; ++i) {
        if (at + identifier_limit > bytes_at + bytes.size() && bytes_at + bytes.size() < folder.size) {
            PLUGFS_ASSIGN(bytes, part(folder, at, part_size));
            bytes_at = at;
        } else if (bytes.empty()) {
            break;
        }
        const auto identifier = parse_identifier(std::span(bytes).subspan(static_cast<std::size_t>(at - bytes_at)));
        if (!identifier) {
            // Nobody knows where the next one begins.
            (void)health_.seen(identifier.error());
            at = folder.size;
            break;
        }
        const auto slot = static_cast<std::uint32_t>(at / identifier_alignment);
        at += identifier->length;
        if (identifier->left_out) {
            continue;
        }
        auto found = node_of(Folders::key(**opened, slot), *identifier);
        if (found) {
            out.entries.push_back(std::move(found->entry));
        } else if (found.error().code == ENOTSUP) {
            left_out(identifier->name);
        } else if (found.error().code == EUCLEAN) {
            (void)health_.seen(found.error());
        } else {
            return found.error();
        }
    }
    out.next = at < folder.size ? at : 0;
    return out;
}

Result<std::size_t> UdfVolume::read(Key key, std::uint64_t offset, std::span<std::byte> out) {
    const auto found = node(key);
    if (!found) {
        return health_.seen(found.error());
    }
    if (found->entry.kind == Kind::directory) {
        return fail(EISDIR, "key", std::to_string(key) + " is a folder's");
    }
    const auto file = content(found->at);
    if (!file) {
        return health_.seen(file.error());
    }
    if (offset >= (*file)->size) {
        return std::size_t{0};
    }
    out = out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), (*file)->size - offset)));
    if (const auto done = medium_.read(**file, offset, out, BlockDevice::Use::data); !done) {
        return health_.seen(done.error());
    }
    return out.size();
}

Result<std::uint64_t> UdfVolume::place(Key entry) {
    PLUGFS_ASSIGN(const Node found, node(entry));
    PLUGFS_ASSIGN(const std::uint32_t number, medium_.number(found.at.at));
    return std::uint64_t{number};
}

Result<Entry> UdfVolume::flush(Key file) {
    auto found = node(file);
    return found ? Result<Entry>(std::move(found->entry)) : Result<Entry>(health_.seen(found.error()));
}

}  // namespace plugfs::storage::udf
