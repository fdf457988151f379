#include "virtual/stick/stick.h"

#include "common/log.h"
#include "virtual/stick/bulk_only_target.h"
#include "virtual/stick/uas_target.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <sstream>

namespace plugfs::virtual_usb {

namespace {

constexpr std::size_t unit_limit = 16;

std::optional<std::uint64_t> number_in(const std::string& text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

}  // namespace

Stick::Stick(const StickOptions& options) : options_(options) {
    for (std::size_t number = 0; number < options.images.size(); ++number) {
        StickIdentity identity;
        identity.product = options.device.product;
        identity.serial_number = options.device.serial_number;
        identity.removable = options.removable;
        units_.push_back(std::make_unique<StickUnit>(identity, faults_));
        units_.back()->unit_count = static_cast<std::uint8_t>(options.images.size());
        units_.back()->power_fails = [this] { power_cut(cut_seed_ == 0 ? std::nullopt : std::optional(cut_seed_)); };
    }
    if (options.transport == StickTransport::uas) {
        target_ = std::make_unique<UasTarget>(options.device, units_, faults_);
    } else {
        target_ = std::make_unique<BulkOnlyTarget>(options.device, units_, faults_);
    }
    server_ = std::make_unique<DeviceServer>(*target_);
    server_->command = [this](const std::string& line) { return command(line); };
    // The connection goes after the round in which the power went, not in the middle of it.
    server_->after_round = [this] {
        if (!powered_ && server_->connected()) {
            server_->unplug();
        }
    };
}

Result<std::unique_ptr<Stick>> Stick::create(const StickOptions& options) {
    if (options.images.empty() || options.images.size() > unit_limit) {
        return fail(EINVAL, "stick", "1 to 16 images are needed");
    }
    std::unique_ptr<Stick> stick(new Stick(options));
    for (std::size_t number = 0; number < options.images.size(); ++number) {
        if (!options.images[number].empty()) {
            PLUGFS_TRY(stick->insert(number, options.images[number]));
        }
        stick->units_[number]->reset();  // it was in from the beginning
    }
    for (const auto& fault : options.faults) {
        if (!stick->faults_.set(fault)) {
            return fail(EINVAL, "fault " + fault, "no such fault; see --help");
        }
    }
    return stick;
}

Result<void> Stick::serve(int listener, int control, int stop) {
    auto served = server_->serve(listener, control, stop);
    for (const auto& unit : units_) {  // it is taken out, not torn out
        if (unit->medium() != nullptr) {
            PLUGFS_TRY(unit->medium()->flush());
        }
    }
    return served;
}

Result<void> Stick::insert(std::size_t number, const std::string& image) {
    PLUGFS_ASSIGN(auto medium, StickMedium::open(image, options_.block_size, options_.volatile_cache));
    units_[number]->insert(std::move(medium));
    return {};
}

std::string Stick::media_command(const std::string& verb, const std::string& argument) {
    std::istringstream words(argument);
    std::string unit;
    std::string image;
    words >> unit;
    std::getline(words >> std::ws, image);
    const auto number = number_in(unit);
    if (!number || *number >= units_.size()) {
        return "no such unit";
    }
    if (verb == "insert") {
        const auto inserted = insert(*number, image);
        return inserted ? "ok" : inserted.error().text();
    }
    if (units_[*number]->medium() == nullptr) {
        return "no medium";
    }
    const auto flushed = units_[*number]->medium()->flush();
    units_[*number]->remove();
    return flushed ? "ok" : flushed.error().text();
}

std::string Stick::power_cut(std::optional<std::uint64_t> seed) {
    powered_ = false;
    std::string answer = "ok";
    for (const auto& unit : units_) {
        unit->set_power(false);
        if (unit->medium() != nullptr) {
            if (const auto cut = unit->medium()->power_cut(seed); !cut) {
                answer = cut.error().text();
                log::error(answer);
            }
        }
    }
    return answer;
}

std::string Stick::command(const std::string& line) {
    std::istringstream words(line);
    std::string verb;
    std::string argument;
    words >> verb;
    std::getline(words >> std::ws, argument);
    if (verb == "fault") {
        return faults_.set(argument) ? "ok" : "no such fault";
    }
    if (verb == "clear") {
        faults_.clear();
        return "ok";
    }
    if (verb == "insert" || verb == "remove") {
        return media_command(verb, argument);
    }
    if (verb == "unplug") {
        server_->unplug();
        return "ok";
    }
    if (verb == "plug") {
        powered_ = true;
        for (const auto& unit : units_) {
            unit->set_power(true);
        }
        server_->plug();
        faults_.clear();
        return "ok";
    }
    if (verb == "power-cut") {
        const auto seed = number_in(argument);
        if (!argument.empty() && !seed) {
            return "the seed is no number";
        }
        const auto answer = power_cut(seed);
        server_->unplug();
        return answer;
    }
    if (verb == "cut-seed") {
        const auto seed = number_in(argument);
        cut_seed_ = seed.value_or(0);
        return seed ? "ok" : "the seed is no number";
    }
    if (verb == "powered") {
        return powered_ ? "yes" : "no";
    }
    if (verb == "count") {
        return counts();
    }
    return "fault NAME[=ARGUMENT] | clear | insert UNIT IMAGE | remove UNIT | unplug | plug | power-cut [SEED] | "
           "cut-seed SEED | powered | count";
}

std::string Stick::counts() const {
    nlohmann::json operations = nlohmann::json::object();
    std::size_t unflushed = 0;
    for (const auto& unit : units_) {
        for (const auto& [operation, count] : unit->counts()) {
            std::ostringstream code;
            code << std::hex << unsigned{operation};
            operations[code.str()] = operations.value(code.str(), std::uint64_t{0}) + count;
        }
        unflushed += unit->medium() != nullptr ? unit->medium()->unflushed() : 0;
    }
    return nlohmann::json{{"bytes_in", server_->traffic().bytes_in},
                          {"bytes_out", server_->traffic().bytes_out},
                          {"unflushed_blocks", unflushed},
                          {"operations", operations}}
        .dump();
}

}  // namespace plugfs::virtual_usb
