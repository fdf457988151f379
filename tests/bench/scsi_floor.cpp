// The floor of tests/bench/storage and tests/bench/scsi: what a stick gives to a plain loop of READ(10) and WRITE(10)
// over libusb, without file system, cache, checks or recovery. Bulk-Only Transport alone; the buffer is the kernel's
// (libusb_dev_mem_alloc), and nothing is copied out of it.
//
//   scsi-floor NODE read KIB MEBIBYTES     that much from the beginning, in pieces of KIB
//   scsi-floor NODE write KIB MEBIBYTES    the same, then SYNCHRONIZE CACHE; destroys what is there
//   scsi-floor NODE random COUNT MEBIBYTES COUNT pieces of 4 KiB from anywhere within the first MEBIBYTES
//
// NODE is a usbfs device (/dev/bus/usb/...). Prints milliseconds.

#include <fcntl.h>
#include <libusb.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

namespace {

constexpr unsigned timeout_ms = 30'000;
constexpr std::size_t largest_piece = std::size_t{4} << 20U;
constexpr std::size_t largest_transfer = std::size_t{1} << 20U;
constexpr std::size_t wrapper_size = 31;
constexpr std::size_t status_size = 13;
constexpr std::uint32_t block_size = 512;

[[noreturn]] void die(const std::string& why) {
    std::fprintf(stderr, "scsi-floor: %s\n", why.c_str());
    std::exit(1);
}

struct Pending {
    bool done = false;
};

class Stick {
  public:
    explicit Stick(const char* node) {
        const int fd = ::open(node, O_RDWR | O_CLOEXEC);
        (void)libusb_set_option(nullptr, LIBUSB_OPTION_NO_DEVICE_DISCOVERY);
        if (fd < 0 || libusb_init(&context_) != 0 ||
            libusb_wrap_sys_device(context_, static_cast<std::intptr_t>(fd), &handle_) != 0) {
            die(std::string("cannot open ") + node);
        }
        libusb_set_auto_detach_kernel_driver(handle_, 1);
        find_pipes();
        if (libusb_claim_interface(handle_, interface_) != 0) {
            die("the interface is taken");
        }
        buffer_ = libusb_dev_mem_alloc(handle_, largest_transfer);
        if (buffer_ == nullptr) {
            die("no memory of the device's");
        }
        for (auto* transfer : {&command_, &data_, &status_}) {
            *transfer = libusb_alloc_transfer(0);
        }
        for (int attempt = 0; attempt < 3 && run({0, 0, 0, 0, 0, 0}, 0, false) != 0; ++attempt) {
            run({0x03, 0, 0, 0, 18, 0}, 18, false);  // REQUEST SENSE: why not
        }
    }
    ~Stick() {
        libusb_release_interface(handle_, interface_);
        libusb_close(handle_);
    }
    Stick(const Stick&) = delete;
    Stick& operator=(const Stick&) = delete;

    void move(std::uint64_t offset, std::size_t length, bool writing) {
        while (length > 0) {
            const std::size_t piece = std::min(length, largest_transfer);
            const auto block = static_cast<std::uint32_t>(offset / block_size);
            const auto count = static_cast<std::uint32_t>(piece / block_size);
            const auto byte = [](std::uint32_t value, unsigned shift) {
                return static_cast<unsigned char>(value >> shift);
            };
            if (run({byte(writing ? 0x2A : 0x28, 0), 0, byte(block, 24), byte(block, 16), byte(block, 8),
                     byte(block, 0), 0, byte(count, 8), byte(count, 0), 0},
                    piece, writing) != 0) {
                die("the command failed");
            }
            offset += piece;
            length -= piece;
        }
    }
    void synchronize() { run({0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0, false); }

  private:
    static void LIBUSB_CALL ended(libusb_transfer* transfer) {
        static_cast<Pending*>(transfer->user_data)->done = true;
    }
    void find_pipes() {
        libusb_config_descriptor* configuration = nullptr;
        if (libusb_get_active_config_descriptor(libusb_get_device(handle_), &configuration) != 0) {
            die("no configuration");
        }
        for (int i = 0; i < configuration->bNumInterfaces; ++i) {
            const auto& setting = configuration->interface[i].altsetting[0];
            if (setting.bInterfaceClass != 8 || setting.bInterfaceProtocol != 0x50) {
                continue;
            }
            interface_ = setting.bInterfaceNumber;
            for (int e = 0; e < setting.bNumEndpoints; ++e) {
                const auto address = setting.endpoint[e].bEndpointAddress;
                ((address & 0x80) != 0 ? in_ : out_) = address;
            }
        }
        libusb_free_config_descriptor(configuration);
        if (in_ == 0 || out_ == 0) {
            die("no Bulk-Only Transport");
        }
    }
    void submit(libusb_transfer* transfer, unsigned char endpoint, unsigned char* bytes, std::size_t length,
                Pending& pending) {
        libusb_fill_bulk_transfer(transfer, handle_, endpoint, bytes, static_cast<int>(length), ended, &pending,
                                  timeout_ms);
        if (libusb_submit_transfer(transfer) != 0) {
            die("submit");
        }
    }
    void wait(const Pending& pending) {
        while (!pending.done) {
            libusb_handle_events(context_);
        }
    }
    // The CSW's status.
    int run(std::initializer_list<unsigned char> cdb, std::size_t length, bool out) {
        std::array<unsigned char, wrapper_size> wrapper{'U', 'S', 'B', 'C'};
        const std::uint32_t tag = ++tag_;
        const auto size = static_cast<std::uint32_t>(length);
        std::memcpy(wrapper.data() + 4, &tag, 4);
        std::memcpy(wrapper.data() + 8, &size, 4);
        wrapper[12] = out ? 0 : 0x80;
        wrapper[14] = static_cast<unsigned char>(cdb.size());
        std::copy(cdb.begin(), cdb.end(), wrapper.begin() + 15);
        std::array<Pending, 3> pending;
        submit(command_, out_, wrapper.data(), wrapper.size(), pending[0]);
        if (length > 0) {
            submit(data_, out ? out_ : in_, buffer_, length, pending[1]);
            wait(pending[1]);
        }
        wait(pending[0]);
        std::array<unsigned char, 1024> status{};
        submit(status_, in_, status.data(), status.size(), pending[2]);
        wait(pending[2]);
        if (status_->actual_length != status_size || std::memcmp(status.data(), "USBS", 4) != 0) {
            die("no CSW");
        }
        return status[12];
    }

    libusb_context* context_ = nullptr;
    libusb_device_handle* handle_ = nullptr;
    int interface_ = 0;
    unsigned char in_ = 0;
    unsigned char out_ = 0;
    std::uint32_t tag_ = 0;
    unsigned char* buffer_ = nullptr;
    libusb_transfer* command_ = nullptr;
    libusb_transfer* data_ = nullptr;
    libusb_transfer* status_ = nullptr;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) {
        die("usage: scsi-floor NODE read|write KIB MEBIBYTES, or NODE random COUNT MEBIBYTES");
    }
    Stick stick(argv[1]);
    const std::string verb = argv[2];
    const auto number = std::strtoull(argv[3], nullptr, 10);
    const std::uint64_t whole = std::strtoull(argv[4], nullptr, 10) << 20U;
    const auto begin = std::chrono::steady_clock::now();
    if (verb == "random") {
        std::mt19937_64 random(1);
        for (unsigned long long i = 0; i < number; ++i) {
            stick.move(random() % (whole / 4096) * 4096, 4096, false);
        }
    } else {
        const std::size_t piece = std::min<std::size_t>(number << 10U, largest_piece);
        for (std::uint64_t at = 0; at + piece <= whole; at += piece) {
            stick.move(at, piece, verb == "write");
        }
        if (verb == "write") {
            stick.synchronize();
        }
    }
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    std::printf("%.1f\n", took.count());
}
