#include "supervisor/mount_table.h"

#include <algorithm>
#include <charconv>
#include <fstream>

namespace plugfs {

namespace {

std::string_view next_field(std::string_view& line) {
    const auto end = line.find(' ');
    const auto field = line.substr(0, end);
    line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
    return field;
}

// Space, tab, newline and backslash stand as \ooo in the table.
std::string unescaped(std::string_view field) {
    std::string text;
    for (std::size_t i = 0; i < field.size(); ++i) {
        unsigned code = 0;
        if (field[i] == '\\' && i + 3 < field.size() &&
            std::from_chars(field.data() + i + 1, field.data() + i + 4, code, 8).ptr == field.data() + i + 4 &&
            code < 256) {
            text += static_cast<char>(code);
            i += 3;
        } else {
            text += field[i];
        }
    }
    return text;
}

}  // namespace

MountEntry parse_mountinfo_line(std::string_view line) {
    MountEntry entry;
    (void)next_field(line);  // mount id
    (void)next_field(line);  // parent id
    const auto device = next_field(line);
    (void)next_field(line);  // root
    const auto path = next_field(line);
    const auto separator = line.find(" - ");
    const auto colon = device.find(':');
    if (separator == std::string_view::npos || colon == std::string_view::npos) {
        return {};
    }
    line.remove_prefix(separator + 3);
    entry.type = unescaped(next_field(line));
    entry.source = unescaped(next_field(line));
    (void)std::from_chars(device.data(), device.data() + colon, entry.major);
    (void)std::from_chars(device.data() + colon + 1, device.data() + device.size(), entry.minor);
    entry.path = unescaped(path);
    return entry;
}

std::vector<MountEntry> mounts_below(const std::string& path) {
    std::vector<MountEntry> mounts;
    std::ifstream table("/proc/self/mountinfo");
    for (std::string line; std::getline(table, line);) {
        auto entry = parse_mountinfo_line(line);
        if (entry.path == path || entry.path.starts_with(path + "/")) {
            mounts.push_back(std::move(entry));
        }
    }
    std::reverse(mounts.begin(), mounts.end());
    return mounts;
}

}  // namespace plugfs
