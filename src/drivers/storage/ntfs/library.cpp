#include "drivers/storage/ntfs/library.h"

#include <plugfs/driver.h>

#include <algorithm>
#include <array>

namespace plugfs::storage::ntfs {

namespace {

constexpr std::size_t words_limit = 160;

// What the library has said last. Its handler is one for the process, and a driver is one thread.
std::string& last_words() {
    static thread_local std::string words;
    return words;
}

__attribute__((format(printf, 6, 0))) int take_words(const char*, const char*, int, u32 level, void*,
                                                     const char* format, va_list arguments) {
    constexpr u32 wanted = NTFS_LOG_LEVEL_ERROR | NTFS_LOG_LEVEL_PERROR | NTFS_LOG_LEVEL_CRITICAL;
    // The first is the cause, those after it are what followed.
    if ((level & wanted) == 0 || !last_words().empty()) {
        return 0;
    }
    std::array<char, words_limit> text{};
    const int saved = errno;
    (void)std::vsnprintf(text.data(), text.size(), format, arguments);
    errno = saved;
    std::string line = text.data();
    line.erase(std::remove(line.begin(), line.end(), '\n'), line.end());
    last_words() = std::move(line);
    return 0;
}

// What says something else than that the volume is damaged.
bool is_answer(int code) {
    constexpr std::array answers = {ENOSPC, EEXIST, ENOTEMPTY, ENOMEM, EFBIG, EOPNOTSUPP, EACCES, EROFS, EMLINK};
    return std::find(answers.begin(), answers.end(), code) != answers.end();
}

}  // namespace

void OpenInode::drop() {
    ntfs_inode* const inode = release();
    if (inode == nullptr) {
        return;
    }
    // Whoever drops what has changed gives the whole operation up.
    const auto forget = [](ntfs_inode* one) {
        NInoClearDirty(one);
        NInoAttrListClearDirty(one);
        NInoFileNameClearDirty(one);
    };
    forget(inode);
    for (s32 i = 0; i < inode->nr_extents; ++i) {
        forget(inode->extent_nis[i]);
    }
    (void)ntfs_inode_close(inode);
}

bool OpenInode::close() {
    if (inode_ != nullptr && ntfs_inode_close(inode_) != 0) {
        const int code = errno;
        drop();
        errno = code;
        return false;
    }
    inode_ = nullptr;
    return true;
}

bool OpenInode::close_in(const OpenInode& parent) {
    if (ntfs_inode_close_in_dir(inode_, parent.get()) != 0) {
        const int code = errno;
        drop();
        errno = code;
        return false;
    }
    inode_ = nullptr;
    return true;
}

Result<std::unique_ptr<Library>> Library::open(BlockDevice& device, bool writable) {
    ntfs_log_set_handler(take_words);
    std::unique_ptr<Library> library(new Library(device, writable));
    PLUGFS_TRY(library->reopen());
    return library;
}

Library::~Library() {
    close();
}

void Library::close() {
    if (volume_ != nullptr) {
        (void)ntfs_umount(volume_, TRUE);  // what it writes is dropped
        volume_ = nullptr;
    }
    staged_.drop();
}

Result<void> Library::reopen() {
    close();
    begin();
    ntfs_device* const device = make_device(channel_, writable_);
    if (device == nullptr) {
        return fail(ENOMEM, "NTFS");
    }
    // Whether the journal is clean and Windows is not asleep is looked at by open_ntfs().
    volume_ = ntfs_device_mount(device, writable_ ? NTFS_MNT_FORENSIC : NTFS_MNT_RDONLY);
    if (volume_ == nullptr) {
        const Error why = error("NTFS");
        (void)ntfs_device_free(device);
        return why;
    }
    staged_.drop();
    (void)ntfs_set_shown_files(volume_, FALSE, TRUE, FALSE);
    NVolClearCompression(volume_);
    return {};
}

void Library::begin() {
    last_words().clear();
    channel_.failure.reset();
    errno = 0;
}

Error Library::error(const char* stage, const std::string& detail) {
    const int code = errno;
    if (channel_.failure) {
        Error failure = std::move(*channel_.failure);
        channel_.failure.reset();
        return failure;
    }
    std::string what = detail;
    if (!last_words().empty()) {
        what += (what.empty() ? "" : ": ") + quoted(last_words(), words_limit);
    } else if (!is_answer(code)) {
        what += (what.empty() ? "" : ": ") + std::string(std::strerror(code));
    }
    return fail(is_answer(code) ? code : EUCLEAN, stage, what);
}

Result<OpenInode> Library::inode(std::uint64_t record) {
    const auto last = static_cast<std::uint64_t>(volume_->mft_na->initialized_size) >> volume_->mft_record_size_bits;
    if (record >= last) {
        return fail(ESTALE, "NTFS record", std::to_string(record) + " is past the end of $MFT");
    }
    begin();
    OpenInode out(ntfs_inode_open(volume_, record));
    if (out.get() == nullptr) {
        return errno == ENOENT && !channel_.failure ? fail(ESTALE, "NTFS record", std::to_string(record) + " is free")
                                                    : error("NTFS record", std::to_string(record));
    }
    return out;
}

Result<OpenAttribute> Library::attribute(ntfs_inode* inode, ATTR_TYPES type) {
    begin();
    OpenAttribute out(ntfs_attr_open(inode, type, AT_UNNAMED, 0));
    if (out == nullptr && (errno != ENOENT || channel_.failure)) {
        return error("NTFS attribute", "of record " + std::to_string(inode->mft_no));
    }
    return out;
}

Result<AttributeSearch> Library::search(ntfs_inode* inode) {
    AttributeSearch out(ntfs_attr_get_search_ctx(inode, nullptr));
    return out == nullptr ? Result<AttributeSearch>(fail(ENOMEM, "NTFS")) : Result<AttributeSearch>(std::move(out));
}

Result<void> Library::write_out() {
    for (ntfs_inode* const one : {volume_->mft_ni, volume_->lcnbmp_ni, volume_->mftmirr_ni, volume_->vol_ni}) {
        if (one != nullptr && NInoDirty(one) && ntfs_inode_sync(one) != 0) {
            return error("NTFS record", std::to_string(one->mft_no));
        }
    }
    return {};
}

}  // namespace plugfs::storage::ntfs
