#include "supervisor/sysfs.h"

#include "supervisor/hotplug.h"

#include <unistd.h>

#include <doctest/doctest.h>

#include <fstream>

using namespace plugfs;
namespace fs = std::filesystem;

namespace {

struct Tree {
    fs::path root = fs::temp_directory_path() / ("plugfs-sysfs-" + std::to_string(::getpid()));
    Tree() { fs::create_directories(root / "bus/usb/devices"); }
    ~Tree() { fs::remove_all(root); }
    void file(const std::string& path, const std::string& text) const {
        const auto full = root / "bus/usb/devices" / path;
        fs::create_directories(full.parent_path());
        std::ofstream(full, std::ios::binary) << text;
    }
    void device(const std::string& port, const std::string& device_class) const {
        for (const auto& [name, text] : std::map<std::string, std::string>{{"busnum", "1\n"},
                                                                           {"devnum", "12\n"},
                                                                           {"idVendor", "054c\n"},
                                                                           {"idProduct", "0325\n"},
                                                                           {"bDeviceClass", device_class},
                                                                           {"bDeviceSubClass", "00\n"},
                                                                           {"bDeviceProtocol", "00\n"}}) {
            file(port + "/" + name, text);
        }
    }
};

}  // namespace

TEST_CASE("devices are read from sysfs with their strings and interfaces; hubs and half-made ones are left out") {
    const Tree tree;
    tree.device("1-1.2", "00\n");
    tree.file("1-1.2/product", "WALKMAN\n");
    tree.file("1-1.2/serial", "ABC\n");
    tree.file("1-1.2/1-1.2:1.0/bInterfaceClass", "06\n");
    tree.file("1-1.2/1-1.2:1.0/bInterfaceSubClass", "01\n");
    tree.file("1-1.2/1-1.2:1.0/bInterfaceProtocol", "01\n");
    tree.file("1-1.2/1-1.2:1.0/interface", "MTP\n");
    tree.device("1-1", "09\n");
    tree.device("usb1", "09\n");
    tree.file("1-3/busnum", "1\n");
    const auto devices = list_usb_devices(tree.root);
    REQUIRE(devices.size() == 1);
    const auto& device = devices.front();
    CHECK(device.node() == "bus/usb/001/012");
    CHECK(device.occurrence() == "1-1.2@12");
    CHECK(device.identity.vendor_id == 0x054c);
    CHECK(device.identity.product == "WALKMAN");
    REQUIRE(device.identity.interfaces.size() == 1);
    CHECK(device.identity.interfaces[0] == InterfaceIdentity{6, 1, 1, "MTP"});
    CHECK(stable_id(device.identity, device.port) == "054c:0325-ABC");
    CHECK(list_usb_devices(tree.root / "nowhere").empty());
}

TEST_CASE("only uevents about USB devices are worth a look") {
    using namespace std::string_view_literals;
    CHECK(Hotplug::concerns_usb("add@/devices/x\0ACTION=add\0SUBSYSTEM=usb\0"sv));
    CHECK(Hotplug::concerns_usb("remove@/devices/x\0SUBSYSTEM=usb\0ACTION=remove"sv));
    CHECK_FALSE(Hotplug::concerns_usb("add@/devices/x\0ACTION=add\0SUBSYSTEM=block\0"sv));
    CHECK_FALSE(Hotplug::concerns_usb("SUBSYSTEM=usbmisc\0ACTION=add"sv));
    CHECK_FALSE(Hotplug::concerns_usb(""sv));
}
