#include "drivers/mtp/uploads.h"

#include "drivers/mtp/spool_notes.h"

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace plugfs::mtp {

namespace {

constexpr std::string_view temporary_prefix = "~plugfs-";

}  // namespace

std::vector<std::byte> encode_note(const UploadNote& note) {
    ByteWriter writer;
    writer.u8(upload_note);
    writer.u32le(note.storage);
    writer.u8(note.modified ? 1 : 0);
    writer.u64le(static_cast<std::uint64_t>(note.modified.value_or(0)));
    put_text(writer, note.name);
    put_texts(writer, note.folders);
    writer.u16le(note.failure);
    writer.u8(note.filling ? 1 : 0);
    put_text(writer, note.copied_as);
    writer.u64le(note.copied_size);
    return std::move(writer).take();
}

Result<UploadNote> decode_note(std::span<const std::byte> bytes) {
    ByteReader reader(bytes);
    UploadNote note;
    if (const auto kind = reader.u8(); kind != upload_note) {
        return fail(EPROTO, "spool", "kind of the note is " + std::to_string(kind));
    }
    note.storage = reader.u32le();
    const bool dated = reader.u8() == 1;
    const auto seconds = static_cast<std::int64_t>(reader.u64le());
    if (dated) {
        note.modified = seconds;
    }
    note.name = take_text(reader);
    note.folders = take_texts(reader);
    note.failure = reader.u16le();
    note.filling = reader.u8() == 1;
    note.copied_as = take_text(reader);
    note.copied_size = reader.u64le();
    if (!reader.ok() || reader.remaining() > 0 || note.name.empty()) {
        return fail(EPROTO, "spool", "the note's names do not add up");
    }
    return note;
}

std::string temporary_name(std::uint64_t size, const std::string& name) {
    std::array<char, 17> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), size, 16);
    return std::string(temporary_prefix) + std::string(digits.data(), end.ptr) + "-" + name;
}

std::optional<TemporaryName> parse_temporary_name(const std::string& filename) {
    if (filename.compare(0, temporary_prefix.size(), temporary_prefix) != 0) {
        return std::nullopt;
    }
    const char* begin = filename.data() + temporary_prefix.size();
    const char* end = filename.data() + filename.size();
    TemporaryName parsed;
    const auto number = std::from_chars(begin, end, parsed.size, 16);
    if (number.ec != std::errc() || number.ptr == end || *number.ptr != '-' || number.ptr + 1 == end) {
        return std::nullopt;
    }
    parsed.name.assign(number.ptr + 1, end);
    return parsed;
}

Upload* Uploads::find(Key key) {
    const auto found = uploads_.find(key);
    return found == uploads_.end() ? nullptr : &found->second;
}

Result<Upload*> Uploads::begin(Key key, Key folder, UploadNote note, bool replaces) {
    const auto bytes = encode_note(note);
    if (bytes.size() > Spool::note_limit) {
        return fail(ENAMETOOLONG, "spool", "the path is too long");
    }
    PLUGFS_ASSIGN(const auto spool, spool_.create(bytes));
    return &adopt(spool, key, folder, std::move(note), replaces);
}

Upload& Uploads::adopt(Spool::Id spool, Key key, Key folder, UploadNote note, bool replaces) {
    return uploads_[key] = {spool, key, folder, std::move(note), replaces};
}

void Uploads::end(Key key) {
    if (const auto* upload = find(key)) {
        spool_.remove(upload->spool);
        uploads_.erase(key);
    }
}

Result<void> Uploads::set_modified(Upload& upload, std::int64_t seconds) {
    UploadNote note = upload.note;
    note.modified = seconds;
    PLUGFS_TRY(spool_.set_note(upload.spool, encode_note(note)));
    upload.note = std::move(note);
    return {};
}

void Uploads::set_failure(Upload& upload, int failure) {
    if (upload.note.failure != failure) {
        upload.note.failure = static_cast<std::uint16_t>(failure);
        // Only for a successor; this process knows it either way.
        (void)spool_.set_note(upload.spool, encode_note(upload.note));
    }
}

Result<void> Uploads::set_filled(Upload& upload) {
    upload.note.filling = false;
    return spool_.set_note(upload.spool, encode_note(upload.note));
}

Result<void> Uploads::set_copied(Upload& upload, const std::string& name, std::uint64_t size) {
    UploadNote note = upload.note;
    note.copied_as = name;
    note.copied_size = size;
    const auto bytes = encode_note(note);
    if (bytes.size() > Spool::note_limit) {
        return fail(ENOTSUP, "spool", "the path is too long");
    }
    PLUGFS_TRY(spool_.set_note(upload.spool, bytes));
    upload.note = std::move(note);
    return {};
}

Entry Uploads::entry(const Upload& upload) const {
    const auto size = spool_.size(upload.spool);
    return {.key = upload.key, .name = upload.note.name, .size = size ? *size : 0, .modified = upload.note.modified};
}

std::vector<Entry> Uploads::new_entries(Key folder) const {
    std::vector<Entry> entries;
    for (const auto& [key, upload] : uploads_) {
        if (upload.folder == folder && !upload.replaces) {
            entries.push_back(entry(upload));
        }
    }
    return entries;
}

bool Uploads::named(Key folder, const std::string& name) const {
    return std::any_of(uploads_.begin(), uploads_.end(),
                       [&](const auto& item) { return item.second.folder == folder && item.second.note.name == name; });
}

std::vector<Key> Uploads::keys() const {
    std::vector<Key> keys;
    for (const auto& [key, upload] : uploads_) {
        keys.push_back(key);
    }
    return keys;
}

}  // namespace plugfs::mtp
