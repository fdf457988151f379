// What a mass storage device says: the first byte chooses what the rest is taken for: 0 sense data, 1 a CSW, 2 a UAS
// status unit, 3 INQUIRY, 4 READ CAPACITY(10), 5 READ CAPACITY(16), 6 MODE SENSE(6) and (10), 7 REPORT LUNS, 8 VPD
// pages.
#include "drivers/storage/scsi/answers.h"
#include "drivers/storage/scsi/bulk_only_wrappers.h"
#include "drivers/storage/scsi/patience.h"
#include "drivers/storage/scsi/uas_units.h"

#include <algorithm>
#include <cstdlib>

using namespace plugfs;
using namespace plugfs::storage;

namespace {

using Bytes = std::span<const std::byte>;

// What the parsers promise their users.
void require(bool promise) {
    if (!promise) {
        std::abort();
    }
}

template <class T>
bool checked(const Result<T>& result) {
    if (!result) {
        require(result.error().code == EIO && !result.error().stage.empty() && !result.error().detail.empty());
    }
    return result.ok();
}

void sense_data(Bytes bytes) {
    const auto sense = parse_sense(bytes);
    if (sense) {
        const auto text = sense->text();
        require(!text.empty() && text.size() < 200);
        require(std::ranges::all_of(text, [](char each) { return each >= ' ' && each < 127; }));
    }
    // The same as the answer to a command, over and over: in the end it fails, or has to be waited for.
    ScsiCommand command;
    command.name = "TEST UNIT READY";
    ScsiOutcome outcome;
    outcome.status = ScsiStatus::check_condition;
    outcome.sense.assign(bytes.begin(),
                         bytes.begin() + static_cast<std::ptrdiff_t>(std::min(bytes.size(), sense_limit)));
    const Result<ScsiOutcome> result(outcome);
    Patience patience;
    for (int attempt = 0;; ++attempt) {
        const auto verdict = patience.judge(command, result);
        if (verdict == Verdict::done || verdict == Verdict::failed || verdict == Verdict::later) {
            require(verdict == Verdict::done || patience.error().code > 0);
            return;
        }
        require(attempt < 100);
    }
}

void status_wrapper(Bytes bytes) {
    constexpr std::uint32_t tag = 0x01020304;
    constexpr std::size_t length = 512;
    if (const auto wrapper = parse_status_wrapper(bytes, tag, length); checked(wrapper)) {
        require(bytes.size() == status_wrapper_size && is_status_wrapper(bytes, tag));
        require(wrapper->status == WrapperStatus::phase_error || wrapper->residue <= length);
    }
}

void status_unit(Bytes bytes) {
    if (const auto unit = parse_status_unit(bytes); checked(unit)) {
        require(unit->sense.size() <= sense_limit && unit->sense.size() <= bytes.size());
    }
}

void identity(Bytes bytes) {
    if (const auto answer = parse_inquiry(bytes); checked(answer)) {
        require(answer->identity.vendor.size() <= 8 && answer->identity.product.size() <= 16 &&
                answer->identity.revision.size() <= 4 && answer->device_type < 32);
    }
}

void capacity(const Result<CapacityAnswer>& answer) {
    if (!checked(answer)) {
        return;
    }
    if (const auto medium = medium_of(*answer); checked(medium)) {
        require(medium->block_size >= smallest_block && medium->block_size <= largest_block);
        require((medium->block_size & (medium->block_size - 1)) == 0);
        require(medium->block_count > 0 && medium->block_count <= 0x7fffffffffffffffU / medium->block_size);
    }
}

void vital_pages(Bytes bytes) {
    (void)checked(parse_supported_pages(bytes));
    if (const auto serial = parse_serial_number(bytes); checked(serial)) {
        require(serial->size() <= bytes.size());
    }
    (void)checked(parse_block_limits(bytes));
    (void)checked(parse_offers_unmap(bytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const Bytes bytes(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
    switch (data[0]) {
        case 0:
            sense_data(bytes);
            break;
        case 1:
            status_wrapper(bytes);
            break;
        case 2:
            status_unit(bytes);
            break;
        case 3:
            identity(bytes);
            break;
        case 4:
            capacity(parse_capacity_10(bytes));
            break;
        case 5:
            capacity(parse_capacity_16(bytes));
            break;
        case 6:
            (void)checked(parse_mode_sense_6_write_protect(bytes));
            (void)checked(parse_mode_sense_10_write_protect(bytes));
            break;
        case 7:
            if (const auto units = parse_report_luns(bytes); checked(units)) {
                require(units->size() <= unit_limit);
            }
            break;
        case 8:
            vital_pages(bytes);
            break;
        default:
            break;
    }
    return 0;
}
