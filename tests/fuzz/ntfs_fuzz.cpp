// NTFS volumes that mkntfs has made, with patches in them, open for writing, and a script of operations. One of them as
// the power was cut in the middle of an operation: with notes that have to be done again.

#include "drivers/storage/ntfs/open_ntfs.h"
#include "volume_fuzzing.h"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

using namespace plugfs;
using namespace plugfs::fuzz;

// libntfs-3g does not free everything when it gives up on a volume; a process that is served with one has a bound.
extern "C" const char* __asan_default_options() {
    return "detect_leaks=0";
}

namespace {

constexpr std::uintmax_t image_size = std::uintmax_t{2} << 20U;

storage::VolumeOptions with_ntfs() {
    storage::VolumeOptions options;
    options.more_kinds = {storage::ntfs::ntfs_kind()};
    return options;
}

// What reaches the medium when everything behind the last barrier but one is lost.
class CutDevice : public MemoryDevice {
  public:
    using MemoryDevice::MemoryDevice;
    void order() override {
        before_ = std::move(at_barrier_);
        at_barrier_ = image();
    }
    [[nodiscard]] const std::vector<std::byte>& left() const { return before_; }

  private:
    std::vector<std::byte> before_;
    std::vector<std::byte> at_barrier_;
};

std::vector<std::byte> fresh_ntfs(const std::string& options, bool cut) {
    const auto path = std::filesystem::temp_directory_path() / ("ntfs_fuzz_" + std::to_string(::getpid()));
    std::ofstream(path, std::ios::binary | std::ios::trunc);
    std::filesystem::resize_file(path, image_size);
    const std::string command =
        "PATH=$PATH:/usr/sbin:/sbin mkntfs -F -Q -q " + options + " '" + path.string() + "' >/dev/null 2>&1";
    if (std::system(command.c_str()) != 0) {
        std::abort();  // mkntfs (Debian: ntfs-3g) is needed
    }
    std::ifstream stream(path, std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(stream), {}};
    std::filesystem::remove(path);
    const auto bytes = std::as_bytes(std::span(content));
    CutDevice device({bytes.begin(), bytes.end()});
    populate(device, with_ntfs());
    if (!cut) {
        return std::move(device.image());
    }
    auto volume = storage::ntfs::open_ntfs(device, with_ntfs(), [](LogLevel, const std::string&) {});
    if (!volume || !(*volume)->create(root_key, "under way", Kind::directory) ||
        !(*volume)->create(root_key, "and another", Kind::file)) {
        std::abort();
    }
    return device.left();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::array<std::vector<std::byte>, 4> images = {fresh_ntfs("", false), fresh_ntfs("-c 512", false),
                                                                 fresh_ntfs("-c 1024", false), fresh_ntfs("", true)};
    run_on_one_of(images, std::as_bytes(std::span(data, size)), with_ntfs());
    return 0;
}
