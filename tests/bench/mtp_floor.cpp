// The floor of tests/bench/mtp: what an MTP device gives to a plain loop over libusb, without FUSE, caches or checks.
//
//   mtp-floor walk             every object's ObjectInfo, folder by folder; prints how many files there are
//   mtp-floor read NAME        the whole object, by GetPartialObject of 1 MiB
//   mtp-floor part NAME OFFSET 1 MiB at OFFSET
//   mtp-floor small COUNT      the first COUNT files of at most 64 KiB, by GetObject
//   mtp-floor write NAME SIZE  a new object in the root, by SendObjectInfo and SendObject
//
// Prints "MILLISECONDS DETAIL": the time of the operations alone, without that of finding the device, opening a session
// and, for read and part, of the walk. Takes the first device with a still-image interface.

#include <libusb.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr unsigned timeout_ms = 30'000;
constexpr std::size_t chunk = std::size_t{1} << 20U;
constexpr std::size_t dataset_size = std::size_t{16} << 10U;
constexpr std::uint16_t association = 0x3001;
constexpr std::size_t out_piece = std::size_t{256} << 10U;
constexpr std::size_t packet = 1024;
using Clock = std::chrono::steady_clock;

[[noreturn]] void die(const std::string& why) {
    std::fprintf(stderr, "mtp-floor: %s\n", why.c_str());
    std::exit(1);
}

struct Object {
    std::uint32_t handle;
    std::uint32_t size;
    std::string name;  // ASCII is enough here
};

class Device {
  public:
    Device() : buffer_(chunk + dataset_size) {
        if (libusb_init(nullptr) != 0) {
            die("libusb_init");
        }
        libusb_device** list = nullptr;
        const auto count = libusb_get_device_list(nullptr, &list);
        for (ssize_t i = 0; i < count && handle_ == nullptr; ++i) {
            open_if_still_image(list[i]);
        }
        if (handle_ == nullptr) {
            die("no MTP device");
        }
        command(0x1002, {1});
    }
    ~Device() {
        command(0x1003, {});
        libusb_release_interface(handle_, interface_);
        libusb_close(handle_);
    }
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    void command(std::uint16_t operation, const std::vector<std::uint32_t>& parameters) {
        send_command(operation, parameters);
        finish();
    }
    // The data; valid until the next call.
    std::pair<const unsigned char*, std::size_t> data(std::uint16_t operation,
                                                      const std::vector<std::uint32_t>& parameters, std::size_t most) {
        send_command(operation, parameters);
        const std::size_t wanted = std::min(buffer_.size(), (most + 12 + 1023) / 1024 * 1024);
        const std::size_t got = in(wanted);
        if (got < 12 || number(buffer_.data() + 4, 2) != 2) {
            die("no data");
        }
        std::size_t all = got;
        for (const std::size_t expected = number(buffer_.data(), 4); all < expected;) {
            all += in(std::min(buffer_.size() - all, expected - all), all);
        }
        const std::size_t length = all - 12;
        unsigned char response[512];
        receive_response(response, sizeof response);
        return {buffer_.data() + 12, length};
    }
    void send_object(std::uint32_t storage, const std::string& name, std::uint32_t size) {
        std::vector<unsigned char> info(52);
        info[4] = 0x00, info[5] = 0x30;
        std::memcpy(info.data() + 8, &size, 4);
        info.push_back(static_cast<unsigned char>(name.size() + 1));
        for (const char c : name) {
            info.push_back(static_cast<unsigned char>(c));
            info.push_back(0);
        }
        info.insert(info.end(), {0, 0, 0, 0, 0});
        send_command(0x100C, {storage, 0xFFFFFFFF});
        out_data(0x100C, info.data(), info.size(), info.size());
        finish();
        std::vector<unsigned char> block(chunk, 0x55);
        send_command(0x100D, {});
        out_data(0x100D, block.data(), block.size(), size);
        finish();
    }

  private:
    static std::uint32_t number(const unsigned char* at, unsigned bytes) {
        std::uint32_t value = 0;
        std::memcpy(&value, at, bytes);
        return value;
    }
    void open_if_still_image(libusb_device* device) {
        libusb_config_descriptor* configuration = nullptr;
        if (libusb_get_active_config_descriptor(device, &configuration) != 0) {
            return;
        }
        for (int i = 0; i < configuration->bNumInterfaces; ++i) {
            const auto& setting = configuration->interface[i].altsetting[0];
            if (setting.bInterfaceClass != 6 || libusb_open(device, &handle_) != 0) {
                continue;
            }
            interface_ = setting.bInterfaceNumber;
            for (int e = 0; e < setting.bNumEndpoints; ++e) {
                const auto& endpoint = setting.endpoint[e];
                if ((endpoint.bmAttributes & 3) == 2) {
                    ((endpoint.bEndpointAddress & 0x80) != 0 ? in_ : out_) = endpoint.bEndpointAddress;
                }
            }
            libusb_set_auto_detach_kernel_driver(handle_, 1);
            if (libusb_claim_interface(handle_, interface_) != 0) {
                die("the interface is taken");
            }
            break;
        }
        libusb_free_config_descriptor(configuration);
    }
    std::vector<unsigned char> header(std::size_t length, std::uint16_t type, std::uint16_t operation) const {
        std::vector<unsigned char> bytes(12);
        const auto length32 = static_cast<std::uint32_t>(length);
        std::memcpy(bytes.data(), &length32, 4);
        std::memcpy(bytes.data() + 4, &type, 2);
        std::memcpy(bytes.data() + 6, &operation, 2);
        std::memcpy(bytes.data() + 8, &transaction_, 4);
        return bytes;
    }
    void out(unsigned char* bytes, std::size_t length) {
        int moved = 0;
        if (libusb_bulk_transfer(handle_, out_, bytes, static_cast<int>(length), &moved, timeout_ms) != 0) {
            die("bulk OUT failed");
        }
    }
    std::size_t in(std::size_t length, std::size_t at = 0) {
        int moved = 0;
        if (libusb_bulk_transfer(handle_, in_, buffer_.data() + at, static_cast<int>(length), &moved, timeout_ms) !=
            0) {
            die("bulk IN failed");
        }
        return static_cast<std::size_t>(moved);
    }
    void send_command(std::uint16_t operation, const std::vector<std::uint32_t>& parameters) {
        ++transaction_;
        auto bytes = header(12 + (4 * parameters.size()), 1, operation);
        for (const std::uint32_t parameter : parameters) {
            bytes.resize(bytes.size() + 4);
            std::memcpy(bytes.data() + bytes.size() - 4, &parameter, 4);
        }
        out(bytes.data(), bytes.size());
    }
    void out_data(std::uint16_t operation, const unsigned char* block, std::size_t block_size, std::size_t size) {
        // The header goes with the first bytes; `block` is sent again and again. QEMU's player fails an assertion when
        // a transfer passes 512 KiB, or is shorter than a header: the last one takes a packet of the one before.
        auto bytes = header(12 + size, 2, operation);
        std::size_t left = size;
        do {
            std::size_t count = std::min(left, std::min(block_size, out_piece) - bytes.size());
            const std::size_t rest = left - count;
            if (rest > 0 && rest < 12) {
                count -= packet;
            }
            bytes.insert(bytes.end(), block, block + count);
            out(bytes.data(), bytes.size());
            left -= count;
            bytes.clear();
        } while (left > 0);
    }
    void receive_response(unsigned char* response, int size) {
        int moved = 0;
        do {  // an empty packet may end the data
            if (libusb_bulk_transfer(handle_, in_, response, size, &moved, timeout_ms) != 0) {
                die("no response");
            }
        } while (moved == 0);
        if (moved < 12 || number(response + 6, 2) != 0x2001) {
            die("refused: " + std::to_string(number(response + 6, 2)));
        }
    }
    void finish() {
        unsigned char response[512];
        receive_response(response, sizeof response);
    }

    libusb_device_handle* handle_ = nullptr;
    int interface_ = 0;
    unsigned char in_ = 0;
    unsigned char out_ = 0;
    std::uint32_t transaction_ = 0;
    std::vector<unsigned char> buffer_;
};

std::vector<std::uint32_t> numbers(std::pair<const unsigned char*, std::size_t> data) {
    std::uint32_t count = 0;
    std::memcpy(&count, data.first, 4);
    std::vector<std::uint32_t> list(std::min<std::size_t>(count, (data.second - 4) / 4));
    std::memcpy(list.data(), data.first + 4, list.size() * 4);
    return list;
}

void walk(Device& device, std::uint32_t storage, std::uint32_t parent, std::vector<Object>& files) {
    for (const std::uint32_t handle : numbers(device.data(0x1007, {storage, 0, parent}, std::size_t{64} << 10U))) {
        const auto [bytes, length] = device.data(0x1008, {handle}, 1012);
        if (length < 54) {
            die("a short ObjectInfo");
        }
        std::uint16_t format = 0;
        Object object{handle, 0, {}};
        std::memcpy(&format, bytes + 4, 2);
        std::memcpy(&object.size, bytes + 8, 4);
        for (unsigned i = 0; i + 1 < bytes[52]; ++i) {
            object.name += static_cast<char>(bytes[53 + (2 * i)]);
        }
        if (format == association) {
            walk(device, storage, handle, files);
        } else {
            files.push_back(std::move(object));
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    const std::string what = argc > 1 ? argv[1] : "";
    const auto argument = [&](int at) { return argc > at ? std::string(argv[at]) : std::string(); };
    Device device;
    std::vector<Object> files;
    const std::uint32_t storage = numbers(device.data(0x1004, {}, 512)).at(0);
    auto begin = Clock::now();
    if (what != "write") {
        walk(device, storage, 0xFFFFFFFF, files);
    }
    const auto found =
        std::find_if(files.begin(), files.end(), [&](const Object& file) { return file.name == argument(2); });
    if (what != "walk") {
        begin = Clock::now();
    }
    std::uint64_t bytes = 0;
    if (what == "read" || what == "part") {
        if (found == files.end()) {
            die("no such object");
        }
        const auto from = what == "part" ? static_cast<std::uint32_t>(std::atol(argument(3).c_str())) : 0U;
        const std::uint32_t end = what == "part" ? from + static_cast<std::uint32_t>(chunk) : found->size;
        for (std::uint32_t at = from; at < end;) {
            const auto count = std::min<std::uint32_t>(chunk, end - at);
            const auto length =
                static_cast<std::uint32_t>(device.data(0x101B, {found->handle, at, count}, count).second);
            if (length == 0) {
                die("no bytes");
            }
            at += length;
            bytes += length;
        }
    } else if (what == "small") {
        long left = std::atol(argument(2).c_str());
        for (const auto& file : files) {
            if (left > 0 && file.size <= (std::uint32_t{64} << 10U)) {
                bytes += device.data(0x1009, {file.handle}, file.size).second;
                --left;
            }
        }
    } else if (what == "write") {
        device.send_object(storage, argument(2), static_cast<std::uint32_t>(std::atol(argument(3).c_str())));
    } else if (what != "walk") {
        die("walk, read, part, small or write");
    }
    std::printf("%.1f %zu files, %llu bytes\n", std::chrono::duration<double, std::milli>(Clock::now() - begin).count(),
                files.size(), static_cast<unsigned long long>(bytes));
    return 0;
}
