// A virtual thermometer for the example driver: `virtual-thermometer ENDPOINT [PRODUCT SERIAL]` serves one over
// usbredir until it is told to stop. What it measures, and what it does wrong, comes in lines on its standard input:
//
//   set NUMBER    the temperature, in tenths of a degree; becomes a sample and is announced
//   count NUMBER  how many samples it claims to have
//   short NUMBER  bytes that it cuts every answer to
//   stall         no answers any more
//   well          nothing is wrong any more

#include "virtual/command_loop.h"
#include "virtual/device_server.h"

#include <plugfs/bytes.h>

#include <cstdio>
#include <sstream>

using namespace plugfs;
using namespace plugfs::virtual_usb;

namespace {

class Thermometer : public VirtualDevice {
  public:
    Thermometer(std::string product, std::string serial_number) {
        description_.product_id = 0x0003;
        description_.product = std::move(product);
        description_.serial_number = std::move(serial_number);
        const usb::Endpoint samples{0x81, 3, 8, 6};
        description_.interfaces = {{0, 0, 255, 0, 0, "", {samples}}};
        for (std::int16_t tenths = 200; tenths < 300; ++tenths) {
            samples_.push_back(tenths);
        }
    }

    const DeviceDescription& description() const override { return description_; }

    std::optional<std::vector<std::byte>> control(const usb::Setup& setup, bool in, std::span<const std::byte> /*data*/,
                                                  std::size_t length) override {
        if (stall_ || !in || setup.request_type != 0x40) {
            return std::nullopt;
        }
        ByteWriter answer;
        if (setup.request == 1) {
            answer.u16le(static_cast<std::uint16_t>(samples_.back()));
            answer.u16le(static_cast<std::uint16_t>(claimed_.value_or(samples_.size())));
        } else if (setup.request == 2) {
            for (std::size_t at = setup.value; at < samples_.size(); ++at) {
                answer.u16le(static_cast<std::uint16_t>(samples_[at]));
            }
        } else {
            return std::nullopt;
        }
        auto bytes = std::move(answer).take();
        bytes.resize(std::min({bytes.size(), length, cut_}));
        return bytes;
    }

    bool out(std::uint8_t /*endpoint*/, std::span<const std::byte> /*bytes*/) override { return false; }
    std::deque<InTransfer>& in(std::uint8_t /*endpoint*/) override { return announced_; }
    void reset() override { announced_.clear(); }
    void halt_cleared(std::uint8_t /*endpoint*/) override {}

    void command(const std::string& line) {
        std::istringstream words(line);
        std::string verb;
        int number = 0;
        words >> verb >> number;
        if (verb == "set") {
            samples_.push_back(static_cast<std::int16_t>(number));
            ByteWriter packet;
            packet.u16le(static_cast<std::uint16_t>(number));
            announced_.push_back({ByteSource(std::move(packet).take())});
        } else if (verb == "count") {
            claimed_ = static_cast<std::size_t>(number);
        } else if (verb == "short") {
            cut_ = static_cast<std::size_t>(number);
        } else if (verb == "stall") {
            stall_ = true;
        } else if (verb == "well") {
            claimed_.reset();
            cut_ = SIZE_MAX;
            stall_ = false;
        }
    }

  private:
    DeviceDescription description_;
    std::vector<std::int16_t> samples_;
    std::deque<InTransfer> announced_;
    std::optional<std::size_t> claimed_;
    std::size_t cut_ = SIZE_MAX;
    bool stall_ = false;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2 && argc != 4) {
        std::fputs("usage: virtual-thermometer unix:PATH|tcp:HOST:PORT [PRODUCT SERIAL] <COMMANDS\n", stderr);
        return 2;
    }
    const auto listener = listen_on(argv[1]);
    if (!listener) {
        std::fprintf(stderr, "virtual-thermometer: %s\n", listener.error().text().c_str());
        return 1;
    }
    Thermometer thermometer(argc == 4 ? argv[2] : "Thermometer", argc == 4 ? argv[3] : "T1");
    return command_loop(listener->get(), thermometer,
                        [&thermometer](const std::string& line) { thermometer.command(line); });
}
