// NtfsVolume: entries, and the records that they are of.

#include "drivers/storage/ntfs/ntfs_volume.h"
#include "drivers/storage/text/utf16.h"

#include <algorithm>

namespace plugfs::storage::ntfs {

namespace {

constexpr std::uint64_t root_record = FILE_root;
constexpr std::size_t name_limit = 2'000'000;  // in a folder
constexpr std::uint64_t size_limit = std::uint64_t{1} << 48U;
constexpr s64 units_per_second = 10'000'000;

struct Names {
    std::function<bool(const ntfschar*, int, MFT_REF)> add;
};

// Called by the library: no exception may pass.
int take_name(void* names, const ntfschar* name, const int length, const int type, const s64, const MFT_REF reference,
              const unsigned) noexcept {
    if (type == FILE_NAME_DOS || length <= 0 || MREF(reference) < FILE_first_user) {
        return 0;
    }
    try {
        if (static_cast<Names*>(names)->add(name, length, reference)) {
            return 0;
        }
        errno = EFBIG;
    } catch (const std::bad_alloc&) {
        errno = ENOMEM;
    }
    return -1;
}

}  // namespace

Result<std::uint64_t> NtfsVolume::folder_record(Key key) {
    if (key == root_key) {
        return root_record;
    }
    PLUGFS_ASSIGN(const Node found, node(key));
    return found.kind == Kind::directory ? Result<std::uint64_t>(found.record)
                                         : Result<std::uint64_t>(fail(ENOTDIR, "key", "it is a file's"));
}

Result<OpenInode> NtfsVolume::open_folder(std::uint64_t record) {
    PLUGFS_ASSIGN(OpenInode inode, library_->inode(record));
    if ((inode->mrec->flags & MFT_RECORD_IS_DIRECTORY) == MFT_RECORD_FLAGS{}) {
        return fail(EUCLEAN, "NTFS folder", "record " + std::to_string(record) + " is none");
    }
    return inode;
}

// In the order of the index's blocks.
Result<std::vector<NtfsVolume::Name>> NtfsVolume::names_in(std::uint64_t record) {
    PLUGFS_ASSIGN(const OpenInode folder, open_folder(record));
    std::vector<Name> out;
    Names names{[&out](const ntfschar* units, int length, MFT_REF reference) {
        Name name{std::u16string(static_cast<std::size_t>(length), u'\0'), MREF(reference),
                  static_cast<std::uint16_t>(MSEQNO(reference))};
        std::memcpy(name.name.data(), units, name.name.size() * sizeof(char16_t));
        out.push_back(std::move(name));
        return out.size() < name_limit;
    }};
    s64 position = 2;  // behind "." and ".."
    library_->begin();
    if (ntfs_readdir(folder.get(), &position, &names, take_name) != 0) {
        return library_->error("NTFS folder", "record " + std::to_string(record));
    }
    return out;
}

// The node that `inode` is under one of its names: that in `folder` named `name`, or, without these, the one with that
// hash.
Result<NtfsVolume::Node> NtfsVolume::node_of(const OpenInode& inode, std::uint64_t folder, const std::u16string* name,
                                             std::uint64_t hash) {
    Node out;
    out.record = inode->mft_no;
    out.sequence = inode->mrec->sequence_number;
    out.kind = (inode->mrec->flags & MFT_RECORD_IS_DIRECTORY) != MFT_RECORD_FLAGS{} ? Kind::directory : Kind::file;
    out.flags = bits_of(inode->flags);
    out.size = out.kind == Kind::file ? static_cast<std::uint64_t>(inode->data_size) : 0;
    const std::string which = std::to_string(out.record);
    if (out.size > size_limit) {
        return fail(EUCLEAN, "NTFS record", which + ": its size is " + std::to_string(out.size));
    }
    const s64 time = static_cast<s64>(inode->last_data_change_time);
    out.modified = time / units_per_second - NTFS_TIME_OFFSET / units_per_second;
    PLUGFS_ASSIGN(const AttributeSearch search, library_->search(inode.get()));
    bool found = false;
    library_->begin();
    while (ntfs_attr_lookup(AT_FILE_NAME, AT_UNNAMED, 0, CASE_SENSITIVE, 0, nullptr, 0, search.get()) == 0) {
        const auto* const attribute = search->attr;
        const auto* const known =
            reinterpret_cast<const FILE_NAME_ATTR*>(reinterpret_cast<const char*>(attribute) + attribute->value_offset);
        if (bits_of(known->file_name_type) == FILE_NAME_DOS) {
            continue;
        }
        ++out.names;
        std::u16string text = name_of(*known);
        const std::uint64_t parent = MREF(known->parent_directory);
        if (!found && (name != nullptr ? parent == folder && text == *name : keys_.hash(parent, text) == hash)) {
            found = true;
            out.folder = parent;
            out.name = std::move(text);
        }
    }
    if (errno != ENOENT || library_->channel().failure) {
        return library_->error("NTFS record", which);
    }
    // So the folders are a tree, whatever their indexes say.
    if (out.kind == Kind::directory && out.names > 1) {
        return fail(EUCLEAN, "NTFS record", which + " is a folder with " + std::to_string(out.names) + " names");
    }
    return found ? Result<Node>(std::move(out))
                 : Result<Node>(fail(ESTALE, "NTFS record", which + " has no such name"));
}

// ESTALE: it has gone since the listing began. ENOTSUP: it is not served.
Result<NtfsVolume::Node> NtfsVolume::listed(const Name& name, std::uint64_t folder) {
    PLUGFS_ASSIGN(const OpenInode inode, library_->inode(name.record));
    if (inode->mrec->sequence_number != name.sequence) {
        return fail(ESTALE, "NTFS record", std::to_string(name.record) + " has been used anew");
    }
    PLUGFS_ASSIGN(Node out, node_of(inode, folder, &name.name, 0));
    if ((out.flags & FILE_ATTR_REPARSE_POINT) != 0) {
        return fail(ENOTSUP, "NTFS record", std::to_string(name.record) + " is a reparse point");
    }
    return out;
}

Result<NtfsVolume::Node> NtfsVolume::node(Key key, OpenInode& inode) {
    if (key == root_key) {
        return fail(EINVAL, "key", "it is the root folder's");
    }
    const auto parts = keys_.split(key);
    PLUGFS_ASSIGN(inode, library_->inode(parts.record));
    if (inode->mrec->sequence_number != parts.sequence) {
        return fail(ESTALE, "key", std::to_string(key) + " is of nothing that is there");
    }
    return node_of(inode, 0, nullptr, parts.hash);
}

Result<NtfsVolume::Node> NtfsVolume::node(Key key) {
    OpenInode inode;
    return node(key, inode);
}

Entry NtfsVolume::entry(const Node& node) const {
    Entry out;
    out.key = keys_.make(node.record, node.sequence, node.folder, node.name);
    out.name = to_utf8(node.name);
    out.kind = node.kind;
    out.size = node.size;
    out.modified = node.modified;
    return out;
}

}  // namespace plugfs::storage::ntfs
