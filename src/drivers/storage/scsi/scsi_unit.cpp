#include "drivers/storage/scsi/scsi_unit.h"

#include "drivers/storage/scsi/commands.h"

#include <algorithm>
#include <array>
#include <thread>
#include <utility>

namespace plugfs::storage {

namespace {

constexpr std::uint8_t direct_access_device = 0x00;  // PERIPHERAL DEVICE TYPE; SPC-4, table 144
constexpr std::uint8_t claims_spc_3 = 5;
constexpr std::size_t page_length = 64;  // as long as the longest page that is asked for

}  // namespace

Result<std::unique_ptr<ScsiUnit>> ScsiUnit::create(std::shared_ptr<ScsiTransport> transport, std::uint8_t number) {
    std::unique_ptr<ScsiUnit> unit(new ScsiUnit(std::move(transport), number));
    std::array<std::byte, standard_inquiry_length> bytes{};
    PLUGFS_ASSIGN(const std::size_t length, unit->execute(inquiry(bytes)));
    PLUGFS_ASSIGN(unit->inquiry_, parse_inquiry(std::span(bytes).first(length)));
    if (!unit->inquiry_.present || unit->inquiry_.device_type != direct_access_device) {
        return std::unique_ptr<ScsiUnit>();
    }
    PLUGFS_TRY(unit->ask_vital_pages());
    return unit;
}

// Cheap devices that claim no recent standard crash when asked for vital product data.
Result<void> ScsiUnit::ask_vital_pages() {
    if (inquiry_.version < claims_spc_3) {
        return {};
    }
    std::array<std::byte, page_length> bytes{};
    std::size_t length = 0;
    PLUGFS_ASSIGN(const bool answered, execute_optional(inquiry_page(VitalPage::supported_pages, bytes), length));
    const auto supported = answered ? parse_supported_pages(std::span(bytes).first(length))
                                    : Result<std::vector<std::uint8_t>>(std::vector<std::uint8_t>());
    const auto ask = [&](VitalPage page) -> Result<bool> {
        if (!supported || std::ranges::find(*supported, static_cast<std::uint8_t>(page)) == supported->end()) {
            return false;
        }
        bytes.fill(std::byte{0});
        return execute_optional(inquiry_page(page, bytes), length);
    };
    PLUGFS_ASSIGN(const bool serial, ask(VitalPage::unit_serial_number));
    if (serial) {
        if (const auto number = parse_serial_number(std::span(bytes).first(length))) {
            inquiry_.identity.serial_number = *number;
        }
    }
    PLUGFS_ASSIGN(const bool block_limits, ask(VitalPage::block_limits));
    if (block_limits) {
        if (const auto limits = parse_block_limits(std::span(bytes).first(length))) {
            limits_ = *limits;
        }
    }
    PLUGFS_ASSIGN(const bool provisioning, ask(VitalPage::logical_block_provisioning));
    if (provisioning) {
        const auto offered = parse_offers_unmap(std::span(bytes).first(length));
        offers_unmap_ = offered && *offered;
    }
    return {};
}

Result<std::size_t> ScsiUnit::execute(std::span<const ScsiCommand> commands, const ScsiBatch* first) {
    Patience patience;
    std::size_t length = 0;
    while (!commands.empty()) {
        const auto* given = std::exchange(first, nullptr);
        const ScsiBatch batch = given != nullptr ? *given : transport_->run(number_, commands);
        if (batch.good > 0) {
            patience = Patience();
            resets_seen_ = transport_->resets();
            const auto& last = commands[batch.good - 1];
            length = last.length();
            commands = commands.subspan(batch.good);
        }
        if (commands.empty()) {
            break;
        }
        const auto verdict = patience.judge(commands.front(), batch.stopped);
        if (verdict == Verdict::done) {
            resets_seen_ = transport_->resets();
            length = batch.stopped->moved;
            commands = commands.subspan(1);
            continue;
        }
        PLUGFS_TRY(act(verdict, patience));
    }
    return length;
}

Result<void> ScsiUnit::act(Verdict verdict, Patience& patience) {
    switch (verdict) {
        case Verdict::done:
        case Verdict::again:
            return {};
        case Verdict::later:
            std::this_thread::sleep_for(patience.pause());
            return {};
        case Verdict::start: {
            // Whether it worked shows in the next answer.
            const auto command = start_stop_unit(StartStop::start);
            const auto started = transport_->run(number_, std::span(&command, 1));
            return started.stopped || started.stopped.error().code != ENODEV ? Result<void>() : started.stopped.error();
        }
        case Verdict::changed:
            return look_at_change(patience.error());
        case Verdict::failed:
            break;
    }
    if (patience.error().code == ENOMEDIUM && state_ == State::open) {
        state_ = State::lost;
    }
    return patience.error();
}

Result<void> ScsiUnit::look_at_change(const Error& error) {
    if (state_ != State::open || !inquiry_.identity.removable) {
        return {};
    }
    // Not again while looking: a device may report a change after each of the resets that it causes itself.
    if (transport_->resets() != resets_seen_ && !looking_) {
        resets_seen_ = transport_->resets();
        looking_ = true;
        const auto now = ask_capacity();
        looking_ = false;
        if (now && now->block_size == medium_.block_size && now->block_count == medium_.block_count) {
            return {};
        }
        if (!now && now.error().code == ENODEV) {
            return now.error();
        }
    }
    state_ = State::lost;
    return fail(ENOMEDIUM, error.stage, error.detail);
}

Result<bool> ScsiUnit::execute_optional(const ScsiCommand& command, std::size_t& length) {
    const auto done = execute(command);
    if (done) {
        length = *done;
        return true;
    }
    if (done.error().code == ENODEV || done.error().code == ENOMEDIUM) {
        return done.error();
    }
    return false;
}

Error ScsiUnit::lost(const char* stage) const {
    return fail(ENOMEDIUM, stage, state_ == State::lost ? "the medium is gone or was changed" : "not opened");
}

Result<Medium> ScsiUnit::ask_capacity() {
    std::array<std::byte, capacity_16_length> bytes{};
    const auto ten = std::span(bytes).first(capacity_10_length);
    PLUGFS_ASSIGN(std::size_t length, execute(read_capacity_10(ten)));
    PLUGFS_ASSIGN(CapacityAnswer answer, parse_capacity_10(ten.first(length)));
    if (too_large_for_10(answer) || offers_unmap_) {
        bytes.fill(std::byte{0});
        PLUGFS_ASSIGN(length, execute(read_capacity_16(bytes)));
        PLUGFS_ASSIGN(answer, parse_capacity_16(std::span(bytes).first(length)));
    }
    PLUGFS_ASSIGN(Medium medium, medium_of(answer));
    medium.can_unmap = answer.provisioning && offers_unmap_ && limits_.unmap_blocks > 0 && limits_.unmap_ranges > 0;
    return medium;
}

Result<bool> ScsiUnit::ask_write_protected() {
    std::array<std::byte, mode_sense_length> bytes{};
    std::size_t length = 0;
    PLUGFS_ASSIGN(const bool six, execute_optional(mode_sense_6(bytes), length));
    if (six) {
        if (auto answer = parse_mode_sense_6_write_protect(std::span(bytes).first(length))) {
            return answer;
        }
    }
    PLUGFS_ASSIGN(const bool ten, execute_optional(mode_sense_10(bytes), length));
    if (ten) {
        if (auto answer = parse_mode_sense_10_write_protect(std::span(bytes).first(length))) {
            return answer;
        }
    }
    return false;  // a device that knows neither cannot say; a write to it fails with DATA PROTECT
}

Result<Medium> ScsiUnit::open() {
    settle();
    state_ = State::closed;
    PLUGFS_TRY(execute(test_unit_ready()));
    PLUGFS_ASSIGN(Medium medium, ask_capacity());
    PLUGFS_ASSIGN(medium.write_protected, ask_write_protected());
    medium_ = medium;
    state_ = State::open;
    return medium_;
}

Result<void> ScsiUnit::check() {
    settle();
    if (state_ != State::open) {
        return lost("TEST UNIT READY");
    }
    PLUGFS_TRY(execute(test_unit_ready()));
    return {};
}

Result<void> ScsiUnit::prevent_removal(bool prevent) {
    settle();
    std::size_t length = 0;
    PLUGFS_TRY(execute_optional(prevent_allow_medium_removal(prevent), length));
    return {};
}

Result<void> ScsiUnit::eject() {
    settle();
    if (state_ == State::open) {
        PLUGFS_TRY(synchronize());
    }
    PLUGFS_TRY(prevent_removal(false));
    std::size_t length = 0;
    const auto what = inquiry_.identity.removable ? StartStop::eject : StartStop::stop;
    PLUGFS_TRY(execute_optional(start_stop_unit(what), length));
    state_ = State::lost;
    return {};
}

Result<void> ScsiUnit::load() {
    settle();
    std::size_t length = 0;
    const auto loaded = execute_optional(start_stop_unit(StartStop::load), length);
    return !loaded && loaded.error().code == ENODEV ? Result<void>(loaded.error()) : Result<void>();
}

}  // namespace plugfs::storage
