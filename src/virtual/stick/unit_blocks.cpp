// StickUnit: blocks, and what is done with the medium.

#include "virtual/stick/scsi_codes.h"

#include <plugfs/bytes.h>

#include <algorithm>

namespace plugfs::virtual_usb {

using namespace stick_codes;

StickAnswer StickUnit::read(std::uint64_t block, std::uint64_t count) {
    const std::uint64_t size = medium_->block_size();
    if (count > claimed_blocks() || block > claimed_blocks() - count) {
        return failed(sense_out_of_range);
    }
    if (count * size > transfer_limit) {
        return failed(sense_field);
    }
    const std::uint64_t bad = faults_.number("medium-error", 0);
    if (faults_.on("medium-error") && bad >= block && bad - block < count) {
        StickSense sense = sense_read_error;
        sense.information = bad;
        return failed(sense);
    }
    StickAnswer answer;
    answer.data.resize(count * size);
    if (block + count <= medium_->block_count()) {
        return medium_->read(block, answer.data) ? answer : failed(sense_image_failed);
    }
    for (std::uint64_t i = 0; i < count; ++i) {
        if (!medium_->read(real_block(block + i), std::span(answer.data).subspan(i * size, size))) {
            return failed(sense_image_failed);
        }
    }
    return answer;
}

StickAnswer StickUnit::write(std::uint64_t block, std::uint64_t count, std::span<const std::byte> out) {
    const std::uint64_t size = medium_->block_size();
    if (count > claimed_blocks() || block > claimed_blocks() - count) {
        return failed(sense_out_of_range);
    }
    if (write_protected()) {
        return failed(sense_write_protected);
    }
    if (faults_.on("no-room")) {
        return failed(sense_no_room);
    }
    if (out.size() != count * size) {
        return failed(sense_field);
    }
    ++writes_;
    if (faults_.on("power-cut-after")) {
        const std::uint64_t left = faults_.number("power-cut-after", 1);
        if (left <= 1) {
            faults_.clear("power-cut-after");
            if (power_fails) {
                power_fails();
            }
            return failed(sense_aborted);  // nobody hears it
        }
        faults_.set("power-cut-after=" + std::to_string(left - 1));
    }
    const std::uint64_t bad = faults_.number("write-error", 0);
    if (faults_.on("write-error") && bad >= block && bad - block < count) {
        StickSense sense = sense_write_error;
        sense.information = bad;
        return failed(sense);
    }
    for (std::uint64_t i = 0; i < count;) {
        // As many as lie in a row.
        const std::uint64_t at = real_block(block + i);
        const std::uint64_t row = std::min(count - i, medium_->block_count() - at);
        if (!medium_->write(at, out.subspan(i * size, row * size))) {
            return failed(sense_image_failed);
        }
        i += row;
    }
    return {};
}

StickAnswer StickUnit::synchronize() {
    if (faults_.on("no-synchronize")) {
        return failed(sense_operation);
    }
    return medium_->flush() ? StickAnswer{} : failed(sense_image_failed);
}

// SBC-3, 5.28.
StickAnswer StickUnit::unmap(std::span<const std::byte> parameters) {
    if (write_protected()) {
        return failed(sense_write_protected);
    }
    ByteReader reader(parameters);
    reader.skip(2);
    const std::size_t length = reader.u16be();
    reader.skip(4);
    ByteReader list(reader.take(std::min(length, reader.remaining())));
    while (list.remaining() >= 16) {
        const std::uint64_t block = list.u64be();
        const std::uint64_t count = list.u32be();
        list.skip(4);
        if (count > medium_->block_count() || block > medium_->block_count() - count) {
            return failed(sense_out_of_range);
        }
        if (!medium_->unmap(block, count)) {
            return failed(sense_image_failed);
        }
    }
    return reader.ok() || parameters.empty() ? StickAnswer{} : failed(sense_parameter);
}

StickAnswer StickUnit::start_stop(Cdb cdb) {
    const unsigned what = cdb.size() > 4 ? std::to_integer<unsigned>(cdb[4]) & 3U : 0;
    constexpr unsigned start = 1;
    constexpr unsigned eject = 2;
    constexpr unsigned load = 3;
    if (what == load && ejected_) {
        insert(std::move(ejected_));
    }
    if ((what & start) != 0) {
        started_ = true;
        return medium_ ? StickAnswer{} : failed(sense_no_medium);
    }
    if (medium_ && !medium_->flush()) {
        return failed(sense_image_failed);
    }
    if (what == eject && identity_.removable) {
        if (prevented_) {
            return failed(sense_removal_prevented);
        }
        ejected_ = std::move(medium_);
    }
    return {};
}

}  // namespace plugfs::virtual_usb
