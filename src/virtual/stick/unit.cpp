#include "virtual/stick/unit.h"

#include "virtual/stick/scsi_codes.h"

#include <plugfs/bytes.h>

#include <algorithm>
#include <random>

namespace plugfs::virtual_usb {

using namespace stick_codes;

void StickUnit::insert(std::unique_ptr<StickMedium> medium) {
    medium_ = std::move(medium);
    ejected_.reset();
    started_ = false;
    attentions_.push_back(sense_medium_changed);
}

void StickUnit::remove() {
    medium_.reset();
    ejected_.reset();
}

void StickUnit::reset() {
    attentions_ = {sense_reset};
    last_sense_.clear();
    prevented_ = false;
}

StickExpectation StickUnit::expectation(std::span<const std::byte> cdb) const {
    ByteReader reader(cdb);
    const std::uint8_t operation = reader.u8();
    const std::uint64_t size = medium_ ? medium_->block_size() : 512;
    std::uint64_t out = 0;
    if (operation == write_10) {
        reader.skip(6);
        out = reader.u16be() * size;
    } else if (operation == write_16) {
        reader.skip(9);
        out = reader.u32be() * size;
    } else if (operation == unmap_10) {
        reader.skip(6);
        out = reader.u16be();
    }
    return {out, out > transfer_limit};
}

StickAnswer StickUnit::failed(const StickSense& sense) {
    StickAnswer answer;
    answer.status = status_check_condition;
    if (!faults_.on("no-sense")) {
        answer.sense = stick_sense(sense, faults_.on("descriptor-sense"));
    }
    if (faults_.on("endless-sense") && answer.sense.size() > 7) {
        answer.sense[7] = std::byte{0xff};  // ADDITIONAL SENSE LENGTH
    }
    last_sense_ = answer.sense;
    return answer;
}

StickAnswer StickUnit::execute(std::span<const std::byte> cdb, std::span<const std::byte> out) {
    const auto operation = cdb.empty() ? std::uint8_t{0} : std::to_integer<std::uint8_t>(cdb[0]);
    ++counts_[operation];
    StickAnswer answer = dispatch(cdb, out);
    answer.not_before = time_for(answer.data.size() + out.size());
    const bool about_itself = operation != read_10 && operation != read_16 && operation != request_sense_6;
    if (faults_.on("garbage") && about_itself) {
        std::mt19937_64 random(faults_.number("garbage", 1) + counts_[operation]);
        std::ranges::generate(answer.data, [&random] { return static_cast<std::byte>(random()); });
    }
    return answer;
}

// Commands that a unit executes whatever its state is; SPC-4, 5.3.3, SAM-5, 5.14.
std::optional<StickSense> StickUnit::not_executed(std::uint8_t operation) {
    if (operation == inquiry_6 || operation == report_luns_12 || operation == request_sense_6) {
        return std::nullopt;
    }
    if (faults_.on("endless-sense")) {
        return sense_aborted;
    }
    if (!attentions_.empty()) {
        const auto attention = attentions_.front();
        attentions_.pop_front();
        return attention;
    }
    if (faults_.strikes("unit-attention")) {
        return sense_reset;
    }
    if (operation == start_stop_6) {
        return std::nullopt;
    }
    return not_ready();
}

std::optional<StickSense> StickUnit::not_ready() {
    if (!medium_) {
        return sense_no_medium;
    }
    if (faults_.on("never-ready")) {
        return sense_becoming_ready;
    }
    if (const std::uint64_t times = faults_.number("not-ready", 10); faults_.on("not-ready")) {
        faults_.clear("not-ready");
        if (times > 1) {
            faults_.set("not-ready=" + std::to_string(times - 1));
        }
        return sense_becoming_ready;
    }
    if (faults_.on("to-be-started") && !started_) {
        return sense_to_be_started;
    }
    return std::nullopt;
}

StickAnswer StickUnit::dispatch(std::span<const std::byte> cdb, std::span<const std::byte> out) {
    ByteReader reader(cdb);
    const std::uint8_t operation = reader.u8();
    if (!powered_) {
        return failed(sense_aborted);
    }
    if (const auto sense = not_executed(operation)) {
        return failed(*sense);
    }
    switch (operation) {
        case test_unit_ready_6:
        case verify_10:
            return {};
        case request_sense_6:
            return request_sense(cdb);
        case inquiry_6:
            return inquiry(cdb);
        case report_luns_12:
            return report_luns();
        case mode_sense_6:
        case mode_sense_10:
            return faults_.on("no-mode-sense") ? failed(sense_operation) : mode_sense(cdb, operation == mode_sense_10);
        case start_stop_6:
            return start_stop(cdb);
        case prevent_allow_6:
            prevented_ = cdb.size() > 4 && (std::to_integer<unsigned>(cdb[4]) & 1U) != 0;
            return {};
        case read_capacity_10:
            return read_capacity(false, 8);
        case service_action_in_16:
            if ((reader.u8() & 0x1fU) != action_read_capacity_16) {
                return failed(sense_field);
            }
            reader.skip(8);
            return read_capacity(true, reader.u32be());
        case read_10:
        case write_10: {
            reader.skip(1);
            const std::uint32_t block = reader.u32be();
            reader.skip(1);
            const std::uint16_t count = reader.u16be();
            return operation == read_10 ? read(block, count) : write(block, count, out);
        }
        case read_16:
        case write_16: {
            reader.skip(1);
            const std::uint64_t block = reader.u64be();
            const std::uint32_t count = reader.u32be();
            return operation == read_16 ? read(block, count) : write(block, count, out);
        }
        case synchronize_cache_10:
        case synchronize_cache_16:
            return synchronize();
        case unmap_10:
            return unmap(out);
        default:
            return failed(sense_operation);
    }
}

StickAnswer::Clock::time_point StickUnit::time_for(std::size_t bytes) {
    const auto now = StickAnswer::Clock::now();
    auto ready = std::max(busy_until_, now);
    if (faults_.on("slow")) {
        ready += std::chrono::milliseconds(faults_.number("slow", 100));
    }
    if (const std::uint64_t rate = faults_.number("throttle", std::uint64_t{1} << 20U);
        faults_.on("throttle") && rate > 0) {
        ready += std::chrono::microseconds(bytes * 1'000'000 / rate);
    }
    busy_until_ = ready;
    return ready;
}

}  // namespace plugfs::virtual_usb
