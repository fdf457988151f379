#include "supervisor/install_paths.h"

#include <filesystem>

namespace plugfs {

namespace fs = std::filesystem;

namespace {

// The build knows where everything goes; what counts is how to get there from the program's own directory.
fs::path installed(const fs::path& directory) {
    std::error_code error;
    const auto program = fs::read_symlink("/proc/self/exe", error);
    return error ? directory
                 : (program.parent_path() / directory.lexically_relative(PLUGFS_SBIN_DIRECTORY)).lexically_normal();
}

}  // namespace

std::string installed_manifest_directory() {
    return installed(PLUGFS_MANIFEST_DIRECTORY);
}
std::string installed_driver_directory() {
    return installed(PLUGFS_DRIVER_DIRECTORY);
}
std::string installed_program(const std::string& name) {
    return installed(PLUGFS_BIN_DIRECTORY) / name;
}

}  // namespace plugfs
