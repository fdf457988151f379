// Manifests, as plugfsd reads them at its start: files of drivers that others have written.

#include "supervisor/manifest.h"

#include <cstdlib>

using namespace plugfs;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto manifest = parse_manifest("fuzz.json", text);
    if (!manifest) {
        // The error names the file, and says something.
        if (manifest.error().text().find("fuzz.json") == std::string::npos) {
            std::abort();
        }
        return 0;
    }
    // What was accepted can be asked: for a device that fits everything, and one that fits nothing.
    DeviceIdentity identity;
    identity.vendor_id = 0x1209;
    identity.product_id = 0x0001;
    identity.interfaces = {{6, 1, 1, "MTP"}};
    const std::vector<Manifest> manifests = {*manifest};
    const Manifest* chosen = choose_driver(manifests, identity);
    if (chosen != nullptr && (chosen->executable.empty() || chosen->executable.find('/') != std::string::npos)) {
        std::abort();  // a driver is a file of the drivers' folder, and of no other
    }
    (void)quirks_for(*manifest, identity);
    (void)choose_driver(manifests, {});
    return 0;
}
