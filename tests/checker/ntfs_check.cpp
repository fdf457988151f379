// ntfs-check IMAGE: whether an NTFS volume is whole. Every record in use stands in the MFT's bitmap and the other way
// round; every name of a record is in the index of its folder, and every entry of an index is a name of its record;
// every cluster is used once, and $Bitmap says so. One line for each thing that is wrong, and then the status is 1.
//
// It reads with libntfs-3g, and knows nothing of what wrote the volume.

#include "drivers/storage/ntfs/libntfs.h"

extern "C" {
#include <ntfs-3g/index.h>
#include <ntfs-3g/mft.h>
#include <ntfs-3g/runlist.h>
}

#include <memory>
#include <string>
#include <vector>

namespace {

int findings = 0;

__attribute__((format(printf, 1, 2))) void found(const char* format, ...) {
    va_list values;
    va_start(values, format);
    (void)std::vprintf(format, values);
    va_end(values);
    std::printf("\n");
    ++findings;
}

struct CloseInode {
    void operator()(ntfs_inode* inode) const { ntfs_inode_close(inode); }
};
using Inode = std::unique_ptr<ntfs_inode, CloseInode>;
struct EndSearch {
    void operator()(ntfs_attr_search_ctx* search) const { ntfs_attr_put_search_ctx(search); }
};
using Search = std::unique_ptr<ntfs_attr_search_ctx, EndSearch>;

const FILE_NAME_ATTR* name_in(const ATTR_RECORD* attribute) {
    return reinterpret_cast<const FILE_NAME_ATTR*>(reinterpret_cast<const char*>(attribute) + attribute->value_offset);
}

std::vector<unsigned char> read_bits(ntfs_attr* attribute) {
    std::vector<unsigned char> out(static_cast<std::size_t>(attribute->data_size));
    if (ntfs_attr_pread(attribute, 0, attribute->data_size, out.data()) != attribute->data_size) {
        found("a bitmap cannot be read");
    }
    return out;
}

bool bit(const std::vector<unsigned char>& bits, std::uint64_t at) {
    return at / 8 < bits.size() && (bits[at / 8] >> (at % 8) & 1) != 0;
}

class Check {
  public:
    explicit Check(ntfs_volume* volume)
        : volume_(volume),
          used_(static_cast<std::size_t>(volume->nr_clusters)),
          records_(read_bits(volume->mftbmp_na)) {}

    void run() {
        const auto count = static_cast<std::uint64_t>(volume_->mft_na->data_size) >> volume_->mft_record_size_bits;
        for (std::uint64_t record = 0; record < count; ++record) {
            look_at(record);
        }
        const auto bitmap = read_bits(volume_->lcnbmp_na);
        for (std::size_t i = 0; i < used_.size(); ++i) {
            if (used_[i] != 0 && !bit(bitmap, i)) {
                found("cluster %zu is used and free in $Bitmap", i);
            } else if (used_[i] == 0 && bit(bitmap, i)) {
                found("cluster %zu belongs to nobody", i);
            }
        }
    }

  private:
    void look_at(std::uint64_t record) {
        MFT_RECORD* raw = nullptr;
        if (ntfs_file_record_read(volume_, record, &raw, nullptr) != 0) {
            if (bit(records_, record)) {
                found("record %llu cannot be read", static_cast<unsigned long long>(record));
            }
            return;
        }
        const std::unique_ptr<MFT_RECORD, decltype(&std::free)> keep(raw, std::free);
        const bool in_use = (raw->flags & MFT_RECORD_IN_USE) != MFT_RECORD_FLAGS{};
        if (in_use != bit(records_, record)) {
            found("record %llu: in use %d, in the bitmap %d", static_cast<unsigned long long>(record),
                  static_cast<int>(in_use), static_cast<int>(!in_use));
        }
        const auto base = MREF(raw->base_mft_record);
        if (!in_use || base != 0) {
            return;
        }
        Inode inode(ntfs_inode_open(volume_, record));
        // 16 to 23 are kept free, and have nothing.
        if (inode == nullptr) {
            if (record < 12 || record >= 24) {
                found("record %llu cannot be opened: %s", static_cast<unsigned long long>(record),
                      std::strerror(errno));
            }
            return;
        }
        count_clusters(inode.get());
        if (record >= 24) {
            look_at_names(inode.get());
        }
        if ((raw->flags & MFT_RECORD_IS_DIRECTORY) != MFT_RECORD_FLAGS{}) {
            look_at_folder(inode.get());
        }
    }

    void count_clusters(ntfs_inode* inode) {
        const Search search(ntfs_attr_get_search_ctx(inode, nullptr));
        while (ntfs_attrs_walk(search.get()) == 0) {
            const auto* const attribute = search->attr;
            // All of the volume is in $BadClus:$Bad, as a hole.
            if (attribute->non_resident == 0) {
                continue;
            }
            runlist* const runs = ntfs_mapping_pairs_decompress(volume_, attribute, nullptr);
            if (runs == nullptr) {
                found("record %llu: its mapping pairs", static_cast<unsigned long long>(inode->mft_no));
                continue;
            }
            for (const auto* run = runs; run->length > 0; ++run) {
                for (s64 i = 0; run->lcn >= 0 && i < run->length; ++i) {
                    if (run->lcn + i >= volume_->nr_clusters) {
                        found("record %llu: cluster %lld", static_cast<unsigned long long>(inode->mft_no),
                              static_cast<long long>(run->lcn + i));
                    } else if (used_[static_cast<std::size_t>(run->lcn + i)]++ != 0) {
                        found("record %llu: cluster %lld is another one's, too",
                              static_cast<unsigned long long>(inode->mft_no), static_cast<long long>(run->lcn + i));
                    }
                }
            }
            std::free(runs);
        }
        if (errno != ENOENT) {
            found("record %llu: its attributes: %s", static_cast<unsigned long long>(inode->mft_no),
                  std::strerror(errno));
        }
    }

    void look_at_names(ntfs_inode* inode) {
        unsigned names = 0;
        const Search search(ntfs_attr_get_search_ctx(inode, nullptr));
        while (ntfs_attr_lookup(AT_FILE_NAME, AT_UNNAMED, 0, CASE_SENSITIVE, 0, nullptr, 0, search.get()) == 0) {
            ++names;
            const auto* const name = name_in(search->attr);
            const auto parent = MREF(name->parent_directory);
            const Inode folder(ntfs_inode_open(volume_, name->parent_directory));
            ntfs_index_context* const index =
                folder == nullptr ? nullptr : ntfs_index_ctx_get(folder.get(), NTFS_INDEX_I30, 4);
            if (index == nullptr || ntfs_index_lookup(name, static_cast<int>(search->attr->value_length), index) != 0) {
                found("record %llu: one of its names is not in folder %llu",
                      static_cast<unsigned long long>(inode->mft_no), static_cast<unsigned long long>(parent));
            } else if (index->entry->indexed_file != MK_LE_MREF(inode->mft_no, inode->mrec->sequence_number)) {
                found("record %llu: one of its names is another one's in folder %llu",
                      static_cast<unsigned long long>(inode->mft_no), static_cast<unsigned long long>(parent));
            } else {
                const auto* const entry = static_cast<const FILE_NAME_ATTR*>(index->data);
                if ((inode->mrec->flags & MFT_RECORD_IS_DIRECTORY) == MFT_RECORD_FLAGS{} &&
                    static_cast<s64>(entry->data_size) != inode->data_size) {
                    found("record %llu has %lld bytes, and %lld in its folder",
                          static_cast<unsigned long long>(inode->mft_no), static_cast<long long>(inode->data_size),
                          static_cast<long long>(entry->data_size));
                }
            }
            if (index != nullptr) {
                ntfs_index_ctx_put(index);
            }
        }
        if (names != inode->mrec->link_count || names == 0) {
            found("record %llu has %u names and %u links", static_cast<unsigned long long>(inode->mft_no), names,
                  static_cast<unsigned>(inode->mrec->link_count));
        }
    }

    struct Entry {
        std::u16string name;
        MFT_REF reference;
    };

    static int take(void* out, const ntfschar* name, const int length, const int, const s64, const MFT_REF reference,
                    const unsigned) {
        Entry entry{std::u16string(static_cast<std::size_t>(length), u'\0'), reference};
        std::memcpy(entry.name.data(), name, entry.name.size() * sizeof(char16_t));
        static_cast<std::vector<Entry>*>(out)->push_back(std::move(entry));
        return 0;
    }

    void look_at_folder(ntfs_inode* folder) {
        std::vector<Entry> entries;
        s64 position = 2;
        if (ntfs_readdir(folder, &position, &entries, take) != 0) {
            found("folder %llu cannot be listed: %s", static_cast<unsigned long long>(folder->mft_no),
                  std::strerror(errno));
        }
        for (const Entry& entry : entries) {
            if (MREF(entry.reference) >= 24 && !is_name(entry, folder->mft_no)) {
                found("folder %llu has an entry for record %llu that this does not have",
                      static_cast<unsigned long long>(folder->mft_no),
                      static_cast<unsigned long long>(MREF(entry.reference)));
            }
        }
    }

    bool is_name(const Entry& entry, std::uint64_t folder) {
        const Inode inode(ntfs_inode_open(volume_, entry.reference));
        if (inode == nullptr || inode->mrec->sequence_number != MSEQNO(entry.reference)) {
            return false;
        }
        const Search search(ntfs_attr_get_search_ctx(inode.get(), nullptr));
        while (ntfs_attr_lookup(AT_FILE_NAME, AT_UNNAMED, 0, CASE_SENSITIVE, 0, nullptr, 0, search.get()) == 0) {
            const auto* const name = name_in(search->attr);
            if (MREF(name->parent_directory) == folder && name->file_name_length == entry.name.size() &&
                std::memcmp(name->file_name, entry.name.data(), entry.name.size() * sizeof(char16_t)) == 0) {
                return true;
            }
        }
        return false;
    }

    ntfs_volume* volume_;
    std::vector<unsigned> used_;
    std::vector<unsigned char> records_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: ntfs-check IMAGE\n");
        return 2;
    }
    ntfs_log_set_handler(ntfs_log_handler_null);
    ntfs_volume* const volume = ntfs_mount(argv[1], NTFS_MNT_RDONLY);
    if (volume == nullptr) {
        std::printf("it cannot be opened: %s\n", std::strerror(errno));
        return 1;
    }
    if ((volume->flags & VOLUME_IS_DIRTY) != VOLUME_FLAGS{}) {
        found("it is marked as being changed");
    }
    Check(volume).run();
    ntfs_umount(volume, FALSE);
    return findings == 0 ? 0 : 1;
}
