#include "supervisor/device_holders.h"

#include <plugfs/driver.h>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <fstream>
#include <memory>
#include <string_view>

namespace plugfs {

namespace {

struct CloseFolder {
    void operator()(DIR* folder) const { ::closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

// By what the kernel says of the descriptor, not by stat(2) through it: that would ask whatever file system the file is
// on, which may be one that nobody serves at the moment, or our own.
bool has_open(const std::string& process, const std::string& path) {
    const std::string descriptors = process + "/fd";
    const Folder folder(::opendir(descriptors.c_str()));
    std::array<char, PATH_MAX> target{};
    while (const dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
        const ssize_t length = ::readlink((descriptors + "/" + entry->d_name).c_str(), target.data(), target.size());
        if (length > 0 && std::string_view(target.data(), static_cast<std::size_t>(length)) == path) {
            return true;
        }
    }
    return false;
}

}  // namespace

std::vector<DeviceHolder> device_holders(const std::string& path, std::size_t limit) {
    std::vector<DeviceHolder> holders;
    const Folder processes(::opendir("/proc"));
    while (const dirent* entry = processes && holders.size() < limit ? ::readdir(processes.get()) : nullptr) {
        const std::string_view text = entry->d_name;
        DeviceHolder holder;
        const auto number = std::from_chars(text.data(), text.data() + text.size(), holder.pid);
        const std::string process = "/proc/" + std::string(text);
        if (number.ptr != text.data() + text.size() || holder.pid == ::getpid() || !has_open(process, path)) {
            continue;
        }
        struct stat owner {};
        holder.user = ::stat(process.c_str(), &owner) == 0 ? owner.st_uid : 0;
        std::ifstream name(process + "/comm");
        std::getline(name, holder.name);
        holders.push_back(std::move(holder));
    }
    std::sort(holders.begin(), holders.end(),
              [](const DeviceHolder& a, const DeviceHolder& b) { return a.pid < b.pid; });
    return holders;
}

std::string holders_text(const std::vector<DeviceHolder>& holders) {
    std::string text;
    for (const auto& holder : holders) {
        text += (text.empty() ? "" : ", ") + quoted(holder.name, 32) + " (process " + std::to_string(holder.pid) +
                " of user " + std::to_string(holder.user) + ")";
    }
    return text;
}

}  // namespace plugfs
