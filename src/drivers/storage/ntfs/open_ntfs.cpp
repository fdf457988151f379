#include "drivers/storage/ntfs/open_ntfs.h"

#include "drivers/storage/ntfs/ntfs_volume.h"
#include "drivers/storage/text/utf16.h"

#include <array>

namespace plugfs::storage::ntfs {

namespace {

constexpr const char* half_done = "it was not closed properly: it has to be checked by Windows (chkdsk) first";

struct FreeMemory {
    void operator()(void* memory) const { std::free(memory); }  // NOLINT(*-no-malloc): the library's
};

Result<std::string> label_of(Library& library) {
    s64 size = 0;
    library.begin();
    const std::unique_ptr<void, FreeMemory> value(
        ntfs_attr_readall(library.volume()->vol_ni, AT_VOLUME_NAME, AT_UNNAMED, 0, &size));
    if (value == nullptr) {
        return errno == ENOENT ? Result<std::string>(std::string()) : library.error("NTFS $Volume");
    }
    std::u16string label(static_cast<std::size_t>(size) / sizeof(char16_t), u'\0');
    std::memcpy(label.data(), value.get(), label.size() * sizeof(char16_t));
    return to_utf8(label);
}

// Empty: nobody has it open.
Result<std::string> journal_in_use(Library& library) {
    PLUGFS_ASSIGN(const OpenInode inode, library.inode(FILE_LogFile));
    PLUGFS_ASSIGN(const OpenAttribute data, library.attribute(inode.get(), AT_DATA));
    if (data == nullptr) {
        return fail(EUCLEAN, "NTFS $LogFile", "it has no data");
    }
    library.begin();
    RESTART_PAGE_HEADER* page = nullptr;
    const bool sound = ntfs_check_logfile(data.get(), &page) != FALSE;
    const std::unique_ptr<RESTART_PAGE_HEADER, FreeMemory> keep(page);
    if (library.channel().failure) {
        return library.error("NTFS $LogFile");
    }
    if (!sound || ntfs_is_logfile_clean(data.get(), page) == FALSE) {
        return std::string("its journal ($LogFile) has to be replayed: Windows has to shut it down properly first");
    }
    // What Windows writes when it is to start fast: the rest is in its memory.
    if (page != nullptr && page->major_ver == 2 && page->minor_ver == 0) {
        return std::string("Windows has it open (fast start): Windows has to be shut down completely first");
    }
    return std::string();
}

Result<std::string> in_use_elsewhere(Library& library) {
    library.begin();
    if (ntfs_volume_check_hiberfile(library.volume(), 0) < 0) {
        return errno == EPERM && !library.channel().failure
                   ? Result<std::string>("Windows is asleep (hiberfil.sys) and has it open")
                   : library.error("NTFS hiberfil.sys");
    }
    return journal_in_use(library);
}

// Why what is on the medium must not be changed; what keeps it from being looked at is a reason, too.
std::string why_not(Library& library, bool marked_by_others) {
    if (marked_by_others) {
        return half_done;
    }
    constexpr int last_version = 3;
    if (library.volume()->major_ver != last_version) {
        return "it is of version " + std::to_string(library.volume()->major_ver);
    }
    const auto elsewhere = in_use_elsewhere(library);
    return elsewhere ? *elsewhere : elsewhere.error().text();
}

// Does what the notes say, where that may be done.
RedoNotes::Found mend(BlockDevice& device, const BootSector& boot, bool writable, Opened& opened) {
    const auto log_file = find_log_file(device, boot);
    auto notes = log_file ? RedoNotes::open(device, *log_file) : Result<RedoNotes>(log_file.error());
    const auto found = notes ? notes->recover(writable) : Result<RedoNotes::Found>(notes.error());
    if (!found) {
        opened.read_only_because = found.error().text();
        return RedoNotes::Found::nothing;
    }
    opened.notes = std::move(*notes);
    return *found;
}

}  // namespace

Result<std::unique_ptr<Volume>> open_ntfs(BlockDevice& device, const VolumeOptions& options,
                                          const VolumeReport& report) {
    std::array<std::byte, 512> sector{};
    PLUGFS_TRY(device.read(0, sector, BlockDevice::Use::metadata));
    PLUGFS_ASSIGN(const BootSector boot, parse_boot_sector(sector, device.size()));
    Opened opened;
    const bool may_write = device.writable() && !options.read_only;
    const auto found = mend(device, boot, may_write, opened);
    PLUGFS_ASSIGN(opened.library, Library::open(device, may_write && opened.notes.has_value()));
    const bool marked = (opened.library->volume()->flags & VOLUME_IS_DIRTY) != VOLUME_FLAGS{};
    const bool ours = options.mark_is_ours || found == RedoNotes::Found::done;
    opened.info.type = "NTFS";
    opened.info.serial = boot.serial;
    PLUGFS_ASSIGN(opened.info.label, label_of(*opened.library));
    if (opened.read_only_because.empty()) {
        opened.read_only_because = why_not(*opened.library, marked && !ours);
    }
    if (!opened.read_only_because.empty()) {
        report(LogLevel::warning, "NTFS volume: it can only be read: " + opened.read_only_because);
    } else if (!may_write) {
        opened.read_only_because = device.writable() ? "it was asked for" : "the medium is write-protected";
    }
    opened.info.marked_by_predecessor = marked && ours && opened.read_only_because.empty();
    opened.info.marked_by_others = marked && !opened.info.marked_by_predecessor;
    return std::unique_ptr<Volume>(std::make_unique<NtfsVolume>(std::move(opened), options, report));
}

VolumeKind ntfs_kind() {
    return {looks_like_ntfs, open_ntfs};
}

}  // namespace plugfs::storage::ntfs
