#include "drivers/mtp/object_reader.h"

#include <algorithm>

namespace plugfs::mtp {

namespace {
// Asked for at first of an object that is read whole; the rest in pieces of this size too.
constexpr std::size_t whole_piece = std::size_t{256} << 10U;
constexpr std::uint64_t four_gib = std::uint64_t{1} << 32U;
}  // namespace

ObjectReader::ObjectReader(Session& session, const DeviceInfo& info, Host& host)
    : session_(session),
      host_(host),
      partial_64_(info.supports(operation::get_partial_object_64)),
      partial_32_(info.supports(operation::get_partial_object)) {}

Result<std::size_t> ObjectReader::read(std::uint32_t handle, std::uint64_t size, std::uint64_t offset,
                                       std::span<std::byte> out) {
    if (partial_64_) {
        interrupt();
        auto got = read_64(handle, offset, out);
        if (got || got.error().code != ENOTSUP) {
            return got;
        }
        host_.log(LogLevel::warning, "GetPartialObject64 is in the device's list but is not supported; doing without");
        partial_64_ = false;
    }
    if (partial_32_ && offset + out.size() <= four_gib) {
        interrupt();
        auto got = read_32(handle, offset, out);
        if (got || got.error().code != ENOTSUP) {
            return got;
        }
        host_.log(LogLevel::warning,
                  "GetPartialObject is in the device's list but is not supported; reading whole objects");
        partial_32_ = false;
    }
    return read_whole(handle, size, offset, out);
}

Result<std::size_t> ObjectReader::read_64(std::uint32_t handle, std::uint64_t offset, std::span<std::byte> out) {
    return session_.data_into(operation::get_partial_object_64,
                              {handle, static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(offset >> 32U),
                               static_cast<std::uint32_t>(out.size())},
                              out);
}

Result<std::size_t> ObjectReader::read_32(std::uint32_t handle, std::uint64_t offset, std::span<std::byte> out) {
    return session_.data_into(operation::get_partial_object,
                              {handle, static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(out.size())},
                              out);
}

Result<std::size_t> ObjectReader::read_whole(std::uint32_t handle, std::uint64_t size, std::uint64_t offset,
                                             std::span<std::byte> out) {
    if (open_handle_ != handle || position_ > offset || !session_.busy()) {
        interrupt();
        const auto expected = static_cast<std::size_t>(std::min<std::uint64_t>(size, whole_piece));
        PLUGFS_TRY(session_.begin(operation::get_object, {handle}, expected));
        open_handle_ = handle;
        position_ = 0;
    }
    if (const auto skipped = skip_to(offset); !skipped) {
        open_handle_ = 0;
        return skipped.error();
    }
    auto got = session_.read_data(out);
    if (!got) {
        open_handle_ = 0;
        return got;
    }
    position_ += *got;
    if (position_ >= size || *got < out.size()) {
        open_handle_ = 0;
        PLUGFS_TRY(session_.finish());
    }
    return got;
}

Result<void> ObjectReader::skip_to(std::uint64_t offset) {
    std::vector<std::byte> scratch(position_ < offset ? whole_piece : 0);
    while (position_ < offset) {
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(scratch.size(), offset - position_));
        PLUGFS_ASSIGN(const auto got, session_.read_data(std::span(scratch).first(count)));
        if (got == 0) {
            session_.abort();
            return fail(EIO, "GetObject",
                        "the data ended at " + std::to_string(position_) + ", before offset " + std::to_string(offset));
        }
        position_ += got;
    }
    return {};
}

void ObjectReader::interrupt() {
    if (open_handle_ != 0 && session_.busy()) {
        session_.abort();
    }
    open_handle_ = 0;
}

}  // namespace plugfs::mtp
