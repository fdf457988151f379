// StickUnit: what it says about itself.

#include "virtual/stick/scsi_codes.h"

#include <plugfs/bytes.h>

#include <algorithm>

namespace plugfs::virtual_usb {

using namespace stick_codes;

namespace {

constexpr std::uint8_t removable_bit = 0x80;
constexpr std::uint8_t spc_4 = 0x06;
constexpr std::uint8_t page_caching = 0x08;
constexpr std::uint8_t page_all = 0x3f;

void padded(ByteWriter& out, const std::string& text, std::size_t length) {
    for (std::size_t i = 0; i < length; ++i) {
        out.u8(static_cast<std::uint8_t>(i < text.size() ? text[i] : ' '));
    }
}

StickAnswer cut(ByteWriter&& bytes, std::size_t length) {
    StickAnswer answer;
    answer.data = std::move(bytes).take();
    answer.data.resize(std::min(answer.data.size(), length));
    return answer;
}

}  // namespace

std::vector<std::byte> stick_sense(const StickSense& sense, bool descriptor_format) {
    ByteWriter out;
    if (descriptor_format) {  // SPC-4, 4.5.2
        out.u8(0x72);
        out.u8(sense.key);
        out.u8(sense.code);
        out.u8(sense.qualifier);
        out.u8(0);
        out.u16be(0);
        out.u8(sense.information ? 12 : 0);
        if (sense.information) {
            out.u8(0);
            out.u8(10);
            out.u8(0x80);
            out.u8(0);
            out.u64be(*sense.information);
        }
        return std::move(out).take();
    }
    const bool fits = sense.information && *sense.information <= 0xffffffffU;
    out.u8(fits ? 0xf0 : 0x70);  // SPC-4, 4.5.3; VALID is bit 7
    out.u8(0);
    out.u8(sense.key);
    out.u32be(fits ? static_cast<std::uint32_t>(*sense.information) : 0);
    out.u8(10);
    out.u32be(0);
    out.u8(sense.code);
    out.u8(sense.qualifier);
    out.u32be(0);
    return std::move(out).take();
}

StickAnswer StickUnit::request_sense(Cdb cdb) {
    StickAnswer answer;
    answer.data = std::move(last_sense_);
    last_sense_.clear();
    if (answer.data.empty() && !faults_.on("no-sense")) {
        StickSense pending;
        if (!attentions_.empty()) {
            pending = attentions_.front();
            attentions_.pop_front();
        } else if (!medium_) {
            pending = sense_no_medium;
        }
        answer.data = stick_sense(pending, faults_.on("descriptor-sense"));
    }
    const auto length = cdb.size() > 4 ? std::to_integer<std::size_t>(cdb[4]) : 0;
    answer.data.resize(std::min(answer.data.size(), length));
    return answer;
}

std::optional<std::vector<std::byte>> StickUnit::vital_page(std::uint8_t page) const {
    ByteWriter body;
    switch (page) {
        case 0x00:
            for (const std::uint8_t each : {0x00, 0x80, 0x83, 0xb0, 0xb2}) {
                body.u8(each);
            }
            break;
        case 0x80:
            padded(body, identity_.serial_number, identity_.serial_number.size());
            break;
        case 0x83:  // a T10 vendor ID based designator; SPC-4, 7.8.6
            body.u8(0x02);
            body.u8(0x01);
            body.u8(0);
            body.u8(static_cast<std::uint8_t>(8 + identity_.serial_number.size()));
            padded(body, identity_.vendor, 8);
            padded(body, identity_.serial_number, identity_.serial_number.size());
            break;
        case 0xb0:  // SBC-3, 6.5.3
            body.u32be(0);
            body.u32be(static_cast<std::uint32_t>(transfer_limit / (medium_ ? medium_->block_size() : 512)));
            body.u32be(0);
            body.u32be(0);
            body.u32be(0xffffffffU);  // MAXIMUM UNMAP LBA COUNT
            body.u32be(64);           // MAXIMUM UNMAP BLOCK DESCRIPTOR COUNT
            for (int i = 0; i < 9; ++i) {
                body.u32be(0);
            }
            break;
        case 0xb2:  // SBC-3, 6.5.4: LBPU, and unmapped blocks read as zeroes
            body.u8(0);
            body.u8(0x84);
            body.u8(0x02);
            body.u8(0);
            break;
        default:
            return std::nullopt;
    }
    ByteWriter out;
    out.u8(0);
    out.u8(page);
    out.u16be(static_cast<std::uint16_t>(body.size()));
    out.append(body.bytes());
    return std::move(out).take();
}

StickAnswer StickUnit::inquiry(Cdb cdb) const {
    ByteReader reader(cdb);
    reader.skip(1);
    const bool vital = (reader.u8() & 1U) != 0;
    const std::uint8_t page = reader.u8();
    const std::size_t length = reader.u16be();
    if (vital) {
        StickAnswer answer;
        if (auto bytes = vital_page(page)) {
            answer.data = std::move(*bytes);
            answer.data.resize(std::min(answer.data.size(), length));
        } else {
            answer.status = status_check_condition;
            answer.sense = stick_sense(sense_field, false);
        }
        return answer;
    }
    ByteWriter out;
    out.u8(0);
    out.u8(identity_.removable ? removable_bit : std::uint8_t{0});
    out.u8(spc_4);
    out.u8(0x02);  // RESPONSE DATA FORMAT
    out.u8(31);
    out.u8(0);
    out.u8(0);
    out.u8(0x02);  // CMDQUE
    padded(out, identity_.vendor, 8);
    padded(out, identity_.product, 16);
    padded(out, "1.0", 4);
    return cut(std::move(out), length);
}

StickAnswer StickUnit::report_luns() const {
    ByteWriter out;
    out.u32be(8U * unit_count);
    out.u32be(0);
    for (std::uint8_t unit = 0; unit < unit_count; ++unit) {
        out.u64be(std::uint64_t{unit} << 48U);
    }
    StickAnswer answer;
    answer.data = std::move(out).take();
    return answer;
}

bool StickUnit::write_protected() const {
    return (medium_ && medium_->read_only()) || faults_.on("write-protect") || faults_.on("hidden-write-protect");
}

StickAnswer StickUnit::mode_sense(Cdb cdb, bool ten) {
    ByteReader reader(cdb);
    reader.skip(2);
    const std::uint8_t page = reader.u8() & page_all;
    reader.skip(ten ? 4 : 1);
    const std::size_t length = ten ? reader.u16be() : reader.u8();
    if (page != page_all && page != page_caching) {
        return failed(sense_field);
    }
    ByteWriter pages;  // SBC-3, 6.4.5
    pages.u8(page_caching);
    pages.u8(0x12);
    pages.u8(medium_->has_cache() ? 0x04 : 0x00);  // WCE
    for (int i = 0; i < 17; ++i) {
        pages.u8(0);
    }
    const std::uint8_t parameter = write_protected() && !faults_.on("hidden-write-protect") ? 0x80 : 0x00;
    ByteWriter out;
    if (ten) {
        out.u16be(static_cast<std::uint16_t>(6 + pages.size()));
        out.u8(0);
        out.u8(parameter);
        out.u32be(0);
    } else {
        out.u8(static_cast<std::uint8_t>(3 + pages.size()));
        out.u8(0);
        out.u8(parameter);
        out.u8(0);
    }
    out.append(pages.bytes());
    return cut(std::move(out), length);
}

std::uint64_t StickUnit::claimed_blocks() const {
    const std::uint64_t factor = faults_.on("lying-capacity") ? faults_.number("lying-capacity", 2) : 1;
    return medium_->block_count() * factor;
}

StickAnswer StickUnit::read_capacity(bool sixteen, std::size_t length) {
    const std::uint64_t last = claimed_blocks() - 1;
    const auto size = faults_.on("odd-block-size") ? static_cast<std::uint32_t>(faults_.number("odd-block-size", 0))
                                                   : medium_->block_size();
    ByteWriter out;
    if (!sixteen) {
        out.u32be(static_cast<std::uint32_t>(std::min<std::uint64_t>(last, 0xffffffffU)));
        out.u32be(size);
        return cut(std::move(out), length);
    }
    out.u64be(last);
    out.u32be(size);
    out.u16be(0);
    out.u16be(0xc000);  // LBPME, LBPRZ
    for (int i = 0; i < 4; ++i) {
        out.u32be(0);
    }
    return cut(std::move(out), length);
}

}  // namespace plugfs::virtual_usb
