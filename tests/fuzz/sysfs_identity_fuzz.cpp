// What the kernel shows of a device in sysfs: its strings are the device's. One line of the input for each attribute,
// in the order below, cut at the next 0 byte.

#include "common/names.h"
#include "supervisor/sysfs.h"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace plugfs;
namespace fs = std::filesystem;

namespace {

constexpr std::array attributes = {"product",  "serial",    "manufacturer", "busnum",          "devnum",
                                   "idVendor", "idProduct", "bDeviceClass", "bDeviceSubClass", "bDeviceProtocol"};
constexpr std::array interface_attributes = {"interface", "bInterfaceClass", "bInterfaceSubClass",
                                             "bInterfaceProtocol"};

fs::path make_folder() {
    // In memory, where there is such a place: thousands of small files a second.
    const fs::path base = fs::exists("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path();
    std::string name = base / "plugfs-fuzz-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) {
        std::abort();
    }
    static const std::string kept = name;
    std::atexit([] {
        std::error_code error;
        fs::remove_all(kept, error);
    });
    fs::create_directories(fs::path(name) / "bus/usb/devices/1-1/1-1:1.0");
    return name;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const fs::path root = make_folder();
    const fs::path device = root / "bus/usb/devices/1-1";
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    const auto write_next = [&rest](const fs::path& file) {
        const auto end = rest.find('\0');
        const auto part = rest.substr(0, end);
        std::ofstream(file, std::ios::binary).write(part.data(), static_cast<std::streamsize>(part.size()));
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    };
    for (const char* name : attributes) {
        write_next(device / name);
    }
    for (const char* name : interface_attributes) {
        write_next(device / "1-1:1.0" / name);
    }
    for (const auto& found : list_usb_devices(root)) {
        const auto id = stable_id(found.identity, found.port);
        const auto name = safe_device_name(found.identity.product);
        for (const auto& text : {id, name}) {
            if (text.empty() || text.size() > name_limit || text.find('/') != std::string::npos || text == "." ||
                text == "..") {
                std::abort();
            }
        }
        (void)found.node();
    }
    return 0;
}
