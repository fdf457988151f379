// The driver's SCSI on a virtual stick in the same process.
#pragma once

#include "drivers/in_process_device.h"
#include "drivers/storage/scsi/open_units.h"
#include "temporary_folder.h"
#include "virtual/stick/stick.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <random>

namespace plugfs::storage::test {

using plugfs::test::InProcessDevice;

using Bytes = std::vector<std::byte>;

inline Bytes random_bytes(std::size_t length, std::uint64_t seed = 1) {
    std::mt19937_64 random(seed);
    Bytes bytes(length);
    for (auto& each : bytes) {
        each = static_cast<std::byte>(random());
    }
    return bytes;
}

struct StickFixture {
    plugfs::test::TemporaryFolder folder;
    virtual_usb::StickOptions options;
    Bytes content;  // of the first image, as it was at first
    std::unique_ptr<virtual_usb::Stick> stick;
    std::unique_ptr<InProcessDevice> bus;
    OpenedUnits opened;

    explicit StickFixture(std::size_t blocks = 4096) : content(random_bytes(blocks * 512)) {
        options.device.product = "Stick";
        options.device.serial_number = "S1";
        options.images = {image("image")};
        folder.file("image", content);
    }
    [[nodiscard]] std::string image(const std::string& name) const { return (folder.path() / name).string(); }
    [[nodiscard]] Bytes stored(const std::string& name = "image") const {
        Bytes bytes(std::filesystem::file_size(image(name)));
        std::ifstream(image(name), std::ios::binary)
            .read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
        return bytes;
    }
    void plug_in() {
        auto created = virtual_usb::Stick::create(options);
        REQUIRE(created);
        stick = std::move(*created);
        bus = std::make_unique<InProcessDevice>(stick->device());
    }
    // Makes the stick, and the driver's units on it.
    void start() {
        plug_in();
        auto units = open_units(*bus);
        INFO((units ? "" : units.error().text()));
        REQUIRE(units);
        opened = std::move(*units);
    }
    LogicalUnit& unit(std::size_t number = 0) { return *opened.units.at(number); }
    Medium open() {
        start();
        auto medium = unit().open();
        INFO((medium ? "" : medium.error().text()));
        REQUIRE(medium);
        return *medium;
    }
    void fault(const std::string& text) { REQUIRE(stick->command("fault " + text) == "ok"); }
    Result<void> read_all(std::size_t blocks = 512) {
        Bytes out(blocks * 512);
        auto done = unit().read(0, out);
        if (done) {
            CHECK(out == Bytes(content.begin(), content.begin() + static_cast<std::ptrdiff_t>(out.size())));
        }
        return done;
    }
    ~StickFixture() {
        opened.units.clear();
        if (bus) {
            CHECK(bus->transfers() == 0);
        }
    }
    StickFixture(const StickFixture&) = delete;
    StickFixture& operator=(const StickFixture&) = delete;
};

// The transports, at the speeds at which they differ.
struct Way {
    virtual_usb::StickTransport transport;
    usb::Speed speed;
    const char* name;
};
inline constexpr Way every_way[] = {{virtual_usb::StickTransport::bulk_only, usb::Speed::high, "Bulk-Only Transport"},
                                    {virtual_usb::StickTransport::bulk_only, usb::Speed::super, "Bulk-Only Transport"},
                                    {virtual_usb::StickTransport::uas, usb::Speed::high, "UAS"},
                                    {virtual_usb::StickTransport::uas, usb::Speed::super, "UAS"}};

inline void set(StickFixture& it, const Way& way) {
    it.options.transport = way.transport;
    it.options.device.speed = way.speed;
}

// A stick of so many blocks for each of them.
template <class Test>
void each_way(const Test& test, std::size_t blocks = 4096) {
    for (const auto& way : every_way) {
        CAPTURE(std::string(way.name));
        CAPTURE(static_cast<int>(way.speed));
        StickFixture it(blocks);
        set(it, way);
        test(it);
    }
}

}  // namespace plugfs::storage::test
