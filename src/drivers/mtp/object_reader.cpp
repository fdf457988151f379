#include "drivers/mtp/object_reader.h"

#include <algorithm>

namespace plugfs::mtp {

namespace {
// A device that gives less than asked for is asked again, this often in one read.
constexpr int short_answer_limit = 64;
constexpr std::uint64_t four_gib = std::uint64_t{1} << 32U;
}  // namespace

ObjectReader::ObjectReader(Session& session, const DeviceInfo& info, Host& host)
    : session_(session),
      host_(host),
      whole_(session),
      partial_64_(info.supports(operation::get_partial_object_64)),
      partial_32_(info.supports(operation::get_partial_object)) {}

// True when the device listed an operation that it does not have.
bool ObjectReader::lacks(const Error& error, const char* what) {
    if (error.code != ENOTSUP || session_.failure() != Session::Failure::refused) {
        return false;
    }
    host_.log(LogLevel::warning, error.text() + ", though it is in its list of operations; reading by " + what);
    return true;
}

Result<std::size_t> ObjectReader::read(std::uint32_t handle, std::uint64_t size, std::uint64_t offset,
                                       std::span<std::byte> out) {
    if (offset >= size || out.empty()) {
        return std::size_t{0};
    }
    out = out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), size - offset)));
    if (fills_last_packet(size, offset, out.size())) {
        PLUGFS_ASSIGN(const auto most, read_range(handle, size, offset, out.first(out.size() - 1)));
        if (most < out.size() - 1) {
            return most;
        }
        PLUGFS_ASSIGN(const auto last, read_range(handle, size, offset + most, out.last(1)));
        return most + last;
    }
    return read_range(handle, size, offset, out);
}

// Some phones (Samsung's Galaxy A3, A7 and S7 at least) hang when the end of an object ends a packet: whoever reported
// it saw that one byte less, and then that byte, goes well. Not asked of GetObject, where there is no choice.
bool ObjectReader::fills_last_packet(std::uint64_t size, std::uint64_t offset, std::size_t length) const {
    const std::size_t packet = session_.packet_size();
    return (partial_64_ || partial_32_) && length > 1 && offset + length == size && packet > 0 &&
           (container_header_size + length) % packet == 0;
}

// Within the object.
Result<std::size_t> ObjectReader::read_range(std::uint32_t handle, std::uint64_t size, std::uint64_t offset,
                                             std::span<std::byte> out) {
    if (partial_64_) {
        auto got = read_parts(operation::get_partial_object_64, handle, offset, out);
        if (got || !lacks(got.error(), "GetPartialObject")) {
            return got;
        }
        partial_64_ = false;
    }
    if (partial_32_ && offset + out.size() <= four_gib) {
        auto got = read_parts(operation::get_partial_object, handle, offset, out);
        if (got || !lacks(got.error(), "GetObject")) {
            return got;
        }
        partial_32_ = false;
    }
    return whole_.read(handle, size, offset, out);
}

// A device may give fewer bytes than asked for (PTP 10.5.27): the rest is asked for again.
Result<std::size_t> ObjectReader::read_parts(std::uint16_t operation, std::uint32_t handle, std::uint64_t offset,
                                             std::span<std::byte> out) {
    whole_.interrupt();
    std::size_t done = 0;
    for (int times = 0; done < out.size(); ++times) {
        if (times == short_answer_limit) {
            return fail(EIO, operation_name(operation),
                        std::to_string(done) + " bytes in " + std::to_string(times) + " answers, " +
                            std::to_string(out.size()) + " asked for");
        }
        const auto part = out.subspan(done);
        const std::uint64_t at = offset + done;
        const auto low = static_cast<std::uint32_t>(at);
        const auto high = static_cast<std::uint32_t>(at >> 32U);
        const auto count = static_cast<std::uint32_t>(part.size());
        PLUGFS_ASSIGN(const auto got, operation == operation::get_partial_object_64
                                          ? session_.data_into(operation, {handle, low, high, count}, part)
                                          : session_.data_into(operation, {handle, low, count}, part));
        if (got == 0) {
            break;
        }
        done += got;
    }
    return done;
}

}  // namespace plugfs::mtp
