// The smallest driver that is worth the name: a thermometer with a memory. Everything that a driver of one's own needs,
// and built outside of plugfs, with its installed headers alone (see README.md beside this file).
//
// The device: vendor request 1 (IN) answers with the temperature in tenths of a degree, a signed 16-bit number, and
// with how many samples it remembers, 16 bits; request 2 with up to 64 samples from number wValue on. Its interrupt
// endpoint sends each new temperature.
//
//   temperature   "21.5\n"
//   history       a line of the same width for each sample, the oldest first

#include <plugfs/bytes.h>
#include <plugfs/driver.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

using namespace plugfs;

namespace {

constexpr Key temperature_key = 1;
constexpr Key history_key = 2;
constexpr std::uint8_t from_device = 0x40;  // bmRequestType without the direction: vendor, device
constexpr std::uint8_t get_state = 1;
constexpr std::uint8_t get_samples = 2;
constexpr std::size_t samples_at_once = 64;
constexpr std::size_t line_size = 8;  // " +021.5\n"
constexpr std::uint16_t most_samples = 10'000;

class Thermometer : public Driver {
  public:
    explicit Thermometer(Host& host) : host_(host) {}

    Result<void> start() override {
        PLUGFS_TRY(host_.device().claim(0));
        PLUGFS_TRY(refresh());
        host_.describe(R"({"kind":"thermometer"})");
        return host_.device().listen(0x81, 8);
    }

    Result<Listing> list(Key /*folder*/, std::uint64_t /*cursor*/) override {
        PLUGFS_TRY(refresh());
        return Listing{{temperature_entry(), history_entry()}, 0};
    }

    Result<std::size_t> read(Key file, std::uint64_t offset, std::span<std::byte> out) override {
        std::string text = text_;
        if (file == history_key) {
            PLUGFS_ASSIGN(text, history(offset / line_size, out.size() / line_size + 2));
            offset %= line_size;
        }
        const std::size_t from = std::min<std::size_t>(offset, text.size());
        const std::size_t count = std::min(out.size(), text.size() - from);
        std::memcpy(out.data(), text.data() + from, count);
        return count;
    }

    void arrived(std::uint8_t /*endpoint*/, std::span<const std::byte> packet) override {
        if (packet.size() != 2) {
            host_.log(LogLevel::warning, "a packet of " + std::to_string(packet.size()) + " bytes, ignored");
        } else if (refresh()) {
            host_.changed(temperature_entry());
            host_.changed(history_entry());
            host_.event(R"({"event":"sample","temperature":)" + text_.substr(0, text_.size() - 1) + "}");
        }
    }

  private:
    // Every request has a deadline, and what comes back is checked: the device may be broken, or lying.
    Result<void> refresh() {
        std::array<std::byte, 4> answer{};
        PLUGFS_ASSIGN(const auto length, request(get_state, 0, answer));
        if (length != answer.size()) {
            return fail(EIO, "state", "the answer has " + std::to_string(length) + " bytes, not 4");
        }
        ByteReader reader(answer);
        const auto tenths = static_cast<std::int16_t>(reader.u16le());
        const auto samples = reader.u16le();
        if (samples > most_samples) {
            return fail(EIO, "state", "number of samples is " + std::to_string(samples));
        }
        samples_ = samples;
        text_ = line(tenths, "%.1f\n");
        return {};
    }

    Result<std::string> history(std::uint64_t first, std::size_t count) {
        std::string text;
        for (auto at = first; at < samples_ && at < first + count;) {
            std::array<std::byte, 2 * samples_at_once> answer{};
            PLUGFS_ASSIGN(const auto length, request(get_samples, static_cast<std::uint16_t>(at), answer));
            if (length < 2) {
                return fail(EIO, "samples", "none from number " + std::to_string(at) + " on");
            }
            ByteReader reader(std::span<const std::byte>(answer).first(length));
            for (; reader.remaining() >= 2 && at < samples_; ++at) {
                text += line(static_cast<std::int16_t>(reader.u16le()), " %+06.1f\n");
            }
        }
        return text;
    }

    Result<std::size_t> request(std::uint8_t number, std::uint16_t value, std::span<std::byte> answer) {
        return host_.device().control_in({.request_type = from_device, .request = number, .value = value}, answer,
                                         Deadline::after(std::chrono::seconds(1)));
    }
    // -3276.8 to 3276.7 fit in any of the formats.
    static std::string line(std::int16_t tenths, const char* format) {
        std::array<char, 16> text{};
        (void)std::snprintf(text.data(), text.size(), format, tenths / 10.0);
        return text.data();
    }
    [[nodiscard]] Entry temperature_entry() const {
        return {.key = temperature_key, .name = "temperature", .size = text_.size()};
    }
    [[nodiscard]] Entry history_entry() const {
        return {.key = history_key, .name = "history", .size = samples_ * line_size};
    }

    Host& host_;
    std::string text_;
    std::uint64_t samples_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    return run_driver(argc, argv, {"thermometer", "1.0"},
                      [](Host& host) { return std::make_unique<Thermometer>(host); });
}
