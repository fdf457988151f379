#include "kit/spool_file.h"

#include "common/checksum.h"

#include <plugfs/bytes.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

namespace plugfs::kit {

namespace {

// magic 8, checksum of all that follows 4, used 4, generation 8, size 8, length of the note 4, note
constexpr std::uint64_t magic = 0x314c4f4f50534750;  // "PGSPOOL1"
constexpr std::size_t sum_from = 12;
constexpr std::size_t fixed_size = 36;
static_assert(fixed_size + Spool::note_limit <= SpoolFile::header_size);

Error failed(const char* what) {
    return fail(errno == ENOSPC || errno == EFBIG ? errno : EIO, "spool",
                std::string(what) + ": errno " + std::to_string(errno));
}

}  // namespace

Result<std::unique_ptr<SpoolFile>> SpoolFile::create(UniqueFd file) {
    std::unique_ptr<SpoolFile> spool(new SpoolFile(std::move(file)));
    for (Id id = 0; id < file_limit; ++id) {
        PLUGFS_TRY(spool->load(id));
    }
    return spool;
}

Result<void> SpoolFile::load(Id id) {
    std::vector<std::byte> bytes(2 * header_size);
    const ssize_t got = ::pread(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(id * bytes.size()));
    if (got < 0) {
        return failed("reading a header");
    }
    for (std::size_t which = 0; which < 2; ++which) {
        const auto header = std::span<const std::byte>(bytes).subspan(which * header_size, header_size);
        ByteReader reader(header);
        const bool marked = reader.u64le() == magic;
        const std::uint32_t sum = reader.u32le();
        File found;
        found.used = reader.u32le() == 1;
        found.generation = reader.u64le();
        found.size = reader.u64le();
        const auto note = reader.take(reader.u32le());
        const bool valid = marked && reader.ok() && note.size() <= note_limit && found.size <= size_limit &&
                           found.generation % 2 == which &&
                           sum == checksum(header.subspan(sum_from, fixed_size - sum_from + note.size()));
        if (valid && found.generation > files_[id].generation) {
            found.note.assign(note.begin(), note.end());
            files_[id] = std::move(found);
        }
    }
    return {};
}

Result<void> SpoolFile::exists(Id id) const {
    if (id >= file_limit || !files_[id].used) {
        return fail(ENOENT, "spool", "there is no file " + std::to_string(id));
    }
    return {};
}

Result<void> SpoolFile::commit(Id id, File next) {
    next.generation = files_[id].generation + 1;
    ByteWriter body;
    body.u32le(next.used ? 1 : 0);
    body.u64le(next.generation);
    body.u64le(next.size);
    body.u32le(static_cast<std::uint32_t>(next.note.size()));
    body.append(next.note);
    ByteWriter header;
    header.u64le(magic);
    header.u32le(checksum(body.bytes()));
    header.append(body.bytes());
    const std::uint64_t place = (std::uint64_t{id} * 2) + (next.generation % 2);
    PLUGFS_TRY(write_all(place * header_size, header.bytes()));
    files_[id] = std::move(next);
    return {};
}

Result<void> SpoolFile::write_all(std::uint64_t at, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(at));
        if (count < 0 && errno != EINTR) {
            return failed("writing");
        }
        if (count > 0) {
            bytes = bytes.subspan(static_cast<std::size_t>(count));
            at += static_cast<std::uint64_t>(count);
        }
    }
    return {};
}

Result<void> SpoolFile::punch(Id id, std::uint64_t from) {
    if (from < size_limit &&
        ::fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(start_of(id) + from),
                    static_cast<off_t>(size_limit - from)) != 0) {
        return failed("giving space back");
    }
    return {};
}

std::vector<Spool::Id> SpoolFile::files() const {
    std::vector<Id> used;
    for (Id id = 0; id < file_limit; ++id) {
        if (files_[id].used) {
            used.push_back(id);
        }
    }
    return used;
}

Result<Spool::Id> SpoolFile::create(std::span<const std::byte> note) {
    if (note.size() > note_limit) {
        return fail(EMSGSIZE, "spool", "a note of " + std::to_string(note.size()) + " bytes");
    }
    const auto found = std::find_if(files_.begin(), files_.end(), [](const File& file) { return !file.used; });
    if (found == files_.end()) {
        return fail(ENFILE, "spool", "there are " + std::to_string(file_limit) + " files already");
    }
    const auto id = static_cast<Id>(found - files_.begin());
    // A predecessor may have died before it gave the space back.
    PLUGFS_TRY(punch(id, 0));
    File made;
    made.used = true;
    made.note.assign(note.begin(), note.end());
    PLUGFS_TRY(commit(id, std::move(made)));
    return id;
}

Result<std::vector<std::byte>> SpoolFile::note(Id id) const {
    PLUGFS_TRY(exists(id));
    return files_[id].note;
}

Result<void> SpoolFile::set_note(Id id, std::span<const std::byte> note) {
    PLUGFS_TRY(exists(id));
    if (note.size() > note_limit) {
        return fail(EMSGSIZE, "spool", "a note of " + std::to_string(note.size()) + " bytes");
    }
    File next = files_[id];
    next.note.assign(note.begin(), note.end());
    return commit(id, std::move(next));
}

Result<std::uint64_t> SpoolFile::size(Id id) const {
    PLUGFS_TRY(exists(id));
    return files_[id].size;
}

Result<void> SpoolFile::write(Id id, std::uint64_t offset, std::span<const std::byte> bytes) {
    PLUGFS_TRY(exists(id));
    if (offset > size_limit || bytes.size() > size_limit - offset) {
        return fail(EFBIG, "spool", "beyond " + std::to_string(size_limit) + " bytes");
    }
    if (offset > files_[id].size) {
        PLUGFS_TRY(punch(id, files_[id].size));  // see resize()
    }
    PLUGFS_TRY(write_all(start_of(id) + offset, bytes));
    if (offset + bytes.size() <= files_[id].size) {
        return {};
    }
    File next = files_[id];
    next.size = offset + bytes.size();
    return commit(id, std::move(next));
}

Result<std::size_t> SpoolFile::read(Id id, std::uint64_t offset, std::span<std::byte> out) const {
    PLUGFS_TRY(exists(id));
    const std::uint64_t rest = files_[id].size - std::min(offset, files_[id].size);
    out = out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), rest)));
    std::size_t done = 0;
    while (done < out.size()) {
        const ssize_t count = ::pread(file_.get(), out.data() + done, out.size() - done,
                                      static_cast<off_t>(start_of(id) + offset + done));
        if (count < 0 && errno != EINTR) {
            return failed("reading");
        }
        if (count == 0) {
            // Never written: behind the end of the one real file.
            std::fill(out.begin() + static_cast<std::ptrdiff_t>(done), out.end(), std::byte{0});
            break;
        }
        done += static_cast<std::size_t>(std::max<ssize_t>(count, 0));
    }
    return out.size();
}

Result<void> SpoolFile::resize(Id id, std::uint64_t size) {
    PLUGFS_TRY(exists(id));
    if (size > size_limit) {
        return fail(EFBIG, "spool", "beyond " + std::to_string(size_limit) + " bytes");
    }
    // First the size: should the process die in between, what lies behind it is zeroes for nobody yet. It is made so
    // before the file grows again.
    const bool shrinks = size < files_[id].size;
    File next = files_[id];
    next.size = size;
    if (!shrinks) {
        PLUGFS_TRY(punch(id, files_[id].size));
        return commit(id, std::move(next));
    }
    PLUGFS_TRY(commit(id, std::move(next)));
    return punch(id, size);
}

void SpoolFile::remove(Id id) {
    if (!exists(id)) {
        return;
    }
    // Even if that could not be written: it is not used any more.
    if (!commit(id, File{})) {
        files_[id].used = false;
    }
    (void)punch(id, 0);
}

}  // namespace plugfs::kit
