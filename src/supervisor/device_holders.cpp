#include "supervisor/device_holders.h"

#include <plugfs/driver.h>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <memory>
#include <string_view>

namespace plugfs {

namespace {

struct CloseFolder {
    void operator()(DIR* folder) const { ::closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

bool same_file(const struct stat& a, const struct stat& b) {
    return S_ISCHR(a.st_mode) ? S_ISCHR(b.st_mode) && a.st_rdev == b.st_rdev
                              : a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool has_open(const std::string& process, const struct stat& wanted) {
    const std::string path = process + "/fd";
    const Folder descriptors(::opendir(path.c_str()));
    while (const dirent* entry = descriptors ? ::readdir(descriptors.get()) : nullptr) {
        struct stat status {};
        if (::stat((path + "/" + entry->d_name).c_str(), &status) == 0 && same_file(wanted, status)) {
            return true;
        }
    }
    return false;
}

}  // namespace

std::vector<DeviceHolder> device_holders(const std::string& path, std::size_t limit) {
    std::vector<DeviceHolder> holders;
    struct stat wanted {};
    const Folder processes(::opendir("/proc"));
    if (::stat(path.c_str(), &wanted) != 0) {
        return holders;
    }
    while (const dirent* entry = processes && holders.size() < limit ? ::readdir(processes.get()) : nullptr) {
        const std::string_view text = entry->d_name;
        DeviceHolder holder;
        const auto number = std::from_chars(text.data(), text.data() + text.size(), holder.pid);
        const std::string process = "/proc/" + std::string(text);
        if (number.ptr != text.data() + text.size() || holder.pid == ::getpid() || !has_open(process, wanted)) {
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
