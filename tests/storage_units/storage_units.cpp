// storage-units: the driver's SCSI transports on a real device, without the rest of the driver.
//
//   storage-units [--bot] DEVICE COMMAND
//     DEVICE: a usbfs file (/dev/bus/usb/BBB/DDD), unix:PATH of a usbredir exporter, or kernel:PATH, a block device of
//     the kernel's; --bot: without UAS
//     list                            each unit: identity, medium
//     check UNIT SEED BLOCKS          writes random blocks all over, reads them back in other pieces, synchronizes
//     compare UNIT FILE               whether the unit holds what the file does
//     hold UNIT                       reads for ever: to be killed
//     speed UNIT MEBIBYTES            MB/s of reading and writing in pieces of 64 KiB, 128 KiB, 1 MiB and 4 MiB, and
//     the
//                                     time of a read of 4 KiB anywhere (median)
//     eject UNIT
#include "common/log.h"
#include "drivers/storage/scsi/open_units.h"
#include "kernel_disk.h"
#include "usb/backend.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>

using namespace plugfs;
using namespace plugfs::storage;

namespace {

using Bytes = std::vector<std::byte>;
using Clock = std::chrono::steady_clock;

Result<std::unique_ptr<usb::Backend>> open_device(const std::string& name) {
    if (!name.starts_with("unix:")) {
        UniqueFd file(::open(name.c_str(), O_RDWR | O_CLOEXEC));
        return file ? usb::open_libusb(std::move(file)) : fail(errno, name);
    }
    const auto path = name.substr(5);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return fail(errno, name);
    }
    return usb::open_usbredir(std::move(socket), Deadline::after(std::chrono::seconds(10)));
}

std::uint64_t number(const std::string& text) {
    std::uint64_t value = 0;
    (void)std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

Result<void> list(OpenedUnits& opened) {
    std::printf("transport: %s\n", opened.transport.c_str());
    for (std::size_t i = 0; i < opened.units.size(); ++i) {
        auto& unit = *opened.units[i];
        const auto& who = unit.identity();
        std::printf("unit %zu: vendor '%s' product '%s' revision '%s' serial '%s' removable %d\n", i,
                    who.vendor.c_str(), who.product.c_str(), who.revision.c_str(), who.serial_number.c_str(),
                    who.removable ? 1 : 0);
        const auto medium = unit.open();
        if (!medium) {
            std::printf("unit %zu: %s\n", i, medium.error().text().c_str());
            continue;
        }
        std::printf("unit %zu: %llu blocks of %u bytes, write-protected %d, unmap %d, best transfer %zu\n", i,
                    static_cast<unsigned long long>(medium->block_count), medium->block_size,
                    medium->write_protected ? 1 : 0, medium->can_unmap ? 1 : 0, unit.best_transfer());
    }
    return {};
}

// Writes pieces of all lengths, keeps what should be where, and reads everything back in pieces of other lengths.
Result<void> check(LogicalUnit& unit, std::uint64_t seed, std::uint64_t blocks) {
    PLUGFS_ASSIGN(const Medium medium, unit.open());
    const std::uint64_t size = medium.block_size;
    blocks = std::min(blocks, medium.block_count);
    std::mt19937_64 random(seed);
    Bytes expected(blocks * size);
    for (std::uint64_t at = 0; at < blocks;) {  // everything once, in order
        const std::uint64_t count = std::min<std::uint64_t>(blocks - at, 1 + random() % 9000);
        const auto piece = std::span(expected).subspan(at * size, count * size);
        std::ranges::generate(piece, [&random] { return static_cast<std::byte>(random()); });
        PLUGFS_TRY(unit.write(at, piece));
        at += count;
    }
    for (int i = 0; i < 200; ++i) {  // then some anywhere
        const std::uint64_t at = random() % blocks;
        const std::uint64_t count = std::min<std::uint64_t>(blocks - at, 1 + random() % 400);
        const auto piece = std::span(expected).subspan(at * size, count * size);
        std::ranges::generate(piece, [&random] { return static_cast<std::byte>(random()); });
        PLUGFS_TRY(unit.write(at, piece));
    }
    PLUGFS_TRY(unit.synchronize());
    for (std::uint64_t at = 0; at < blocks;) {
        const std::uint64_t count = std::min<std::uint64_t>(blocks - at, 1 + random() % 5000);
        Bytes out(count * size);
        PLUGFS_TRY(unit.read(at, out));
        if (std::memcmp(out.data(), expected.data() + at * size, out.size()) != 0) {
            return fail(EIO, "check", "blocks " + std::to_string(at) + " + " + std::to_string(count) + " differ");
        }
        at += count;
    }
    std::printf("checked %llu blocks\n", static_cast<unsigned long long>(blocks));
    return {};
}

Result<void> compare(LogicalUnit& unit, const std::string& file) {
    PLUGFS_ASSIGN(const Medium medium, unit.open());
    std::ifstream stream(file, std::ios::binary);
    Bytes wanted(std::size_t{1} << 20U);
    Bytes out(wanted.size());
    std::uint64_t block = 0;
    while (block < medium.block_count) {
        const std::uint64_t count =
            std::min<std::uint64_t>(medium.block_count - block, wanted.size() / medium.block_size);
        const auto length = static_cast<std::size_t>(count * medium.block_size);
        stream.read(reinterpret_cast<char*>(wanted.data()), static_cast<std::streamsize>(length));
        PLUGFS_TRY(unit.read(block, std::span(out).first(length)));
        if (!stream || std::memcmp(out.data(), wanted.data(), length) != 0) {
            return fail(EIO, "compare", "block " + std::to_string(block) + " or one behind it differs");
        }
        block += count;
    }
    std::printf("equal\n");
    return {};
}

Result<void> hold(LogicalUnit& unit) {
    PLUGFS_ASSIGN(const Medium medium, unit.open());
    Bytes bytes(std::size_t{8} << 20U);
    std::printf("reading\n");
    std::fflush(stdout);
    while (true) {
        PLUGFS_TRY(unit.read(
            0, std::span(bytes).first(std::min<std::uint64_t>(bytes.size(), medium.block_count * medium.block_size))));
    }
}

// Aligned, for direct I/O.
struct Buffer {
    explicit Buffer(std::size_t length)
        : memory(static_cast<std::byte*>(std::aligned_alloc(4096, length)), std::free), bytes(memory.get(), length) {
        std::ranges::fill(bytes, std::byte{0x5a});
    }
    std::unique_ptr<std::byte, decltype(&std::free)> memory;
    std::span<std::byte> bytes;
};

Result<double> megabytes_a_second(LogicalUnit& unit, const Medium& medium, bool writing, std::uint64_t piece,
                                  std::uint64_t whole) {
    const Buffer buffer(piece);
    const auto begin = Clock::now();
    std::uint64_t moved = 0;
    for (; moved + piece <= whole; moved += piece) {
        const std::uint64_t block = moved / medium.block_size;
        if (!writing && moved + 2 * piece <= whole) {  // as the cache says it
            unit.expect(block + (piece / medium.block_size), piece / medium.block_size);
        }
        PLUGFS_TRY(writing ? unit.write(block, buffer.bytes) : unit.read(block, buffer.bytes));
    }
    if (writing) {
        PLUGFS_TRY(unit.synchronize());
    }
    return static_cast<double>(moved) / 1e6 / std::chrono::duration<double>(Clock::now() - begin).count();
}

Result<void> speed(LogicalUnit& unit, std::uint64_t mebibytes) {
    PLUGFS_ASSIGN(const Medium medium, unit.open());
    const std::uint64_t whole = std::min(mebibytes << 20U, medium.block_size * medium.block_count);
    for (const bool writing : {false, true}) {
        for (const std::uint64_t piece : {64U << 10U, 128U << 10U, 1U << 20U, 4U << 20U}) {
            PLUGFS_ASSIGN(const double rate, megabytes_a_second(unit, medium, writing, piece, whole));
            std::printf("%s %llu KiB: %.0f MB/s\n", writing ? "write" : "read",
                        static_cast<unsigned long long>(piece >> 10U), rate);
        }
    }
    const Buffer buffer(4096);
    std::mt19937_64 random(1);
    std::vector<double> times;
    for (int i = 0; i < 1000; ++i) {
        const auto begin = Clock::now();
        PLUGFS_TRY(unit.read(random() % (whole / 4096) * (4096 / medium.block_size), buffer.bytes));
        times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
    }
    std::ranges::nth_element(times, times.begin() + 500);
    std::printf("random 4 KiB: %.0f us\n", times[500]);
    return {};
}

Result<OpenedUnits> kernel_disk(const std::string& path) {
    PLUGFS_ASSIGN(auto disk, KernelDisk::create(path));
    OpenedUnits opened;
    opened.transport = "the kernel's";
    opened.units.push_back(std::move(disk));
    return opened;
}

Result<void> run(bool uas, const std::vector<std::string>& words) {
    const bool kernel = words[0].starts_with("kernel:");
    std::unique_ptr<usb::Backend> device;
    if (!kernel) {
        PLUGFS_ASSIGN(device, open_device(words[0]));
    }
    PLUGFS_ASSIGN(OpenedUnits opened, kernel ? kernel_disk(words[0].substr(7)) : open_units(*device, {.uas = uas}));
    const std::string& verb = words[1];
    if (verb == "list") {
        return list(opened);
    }
    const std::uint64_t which = words.size() > 2 ? number(words[2]) : 0;
    if (which >= opened.units.size()) {
        return fail(EINVAL, verb, "no such unit");
    }
    auto& unit = *opened.units[which];
    if (verb == "check" && words.size() == 5) {
        return check(unit, number(words[3]), number(words[4]));
    }
    if (verb == "compare" && words.size() == 4) {
        return compare(unit, words[3]);
    }
    if (verb == "hold") {
        return hold(unit);
    }
    if (verb == "speed" && words.size() == 4) {
        return speed(unit, number(words[3]));
    }
    if (verb == "eject") {
        PLUGFS_ASSIGN([[maybe_unused]] const Medium medium, unit.open());
        return unit.eject();
    }
    return fail(EINVAL, verb, "no such command");
}

}  // namespace

int main(int argc, char** argv) {
    log::set_up("storage-units", LogLevel::info);
    std::vector<std::string> words(argv + 1, argv + argc);
    const bool bulk_only = !words.empty() && words[0] == "--bot";
    if (bulk_only) {
        words.erase(words.begin());
    }
    if (words.size() < 2) {
        std::fputs(
            "usage: storage-units [--bot] DEVICE list | check UNIT SEED BLOCKS | compare UNIT FILE | hold UNIT | "
            "speed UNIT MEBIBYTES | eject UNIT\n",
            stderr);
        return 2;
    }
    const auto done = run(!bulk_only, words);
    if (!done) {
        log::error(done.error().text());
        return 1;
    }
    return 0;
}
