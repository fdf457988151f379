#include "drivers/storage/path_finder.h"

#include <algorithm>

namespace plugfs::storage {

std::string lower_case(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return out;
}

Result<const PathFinder::Entries*> PathFinder::list(Key folder) {
    if (const auto known = known_.find(folder); known != known_.end()) {
        return &known->second;
    }
    Entries entries;
    std::uint64_t cursor = 0;
    do {
        PLUGFS_ASSIGN(auto part, volume_.list(folder, cursor));
        if (part.next != 0 && part.next == cursor) {
            return fail(EUCLEAN, "folder", "its listing does not come to an end");
        }
        cursor = part.next;
        for (auto& entry : part.entries) {
            entries.emplace(lower_case(entry.name), std::move(entry));
        }
        if (entries.size() > folder_limit) {
            return fail(EFBIG, "folder", "it has more than " + std::to_string(folder_limit) + " entries");
        }
    } while (cursor != 0);
    if (count_ + entries.size() > entry_limit) {
        known_.clear();
        count_ = 0;
    }
    count_ += entries.size();
    return &(known_[folder] = std::move(entries));
}

Result<PathFinder::Found> PathFinder::find(std::string_view path) {
    Found found{{.key = root_key, .name = "", .kind = Kind::directory}, ""};
    std::size_t depth = 0;
    for (std::size_t at = 0; at < path.size();) {
        const auto end = std::min(path.find('/', at), path.size());
        const std::string name(path.substr(at, end - at));
        at = end + 1;
        if (found.entry.kind != Kind::directory || ++depth > depth_limit) {
            return fail(ENOENT, "path", quoted(path));
        }
        PLUGFS_ASSIGN(const auto* entries, list(found.entry.key));
        const auto [begin, last] = entries->equal_range(lower_case(name));
        if (begin == last) {
            return fail(ENOENT, "path", quoted(path));
        }
        const auto exact = std::find_if(begin, last, [&name](const auto& item) { return item.second.name == name; });
        found.entry = (exact != last ? exact : begin)->second;
        found.path += (found.path.empty() ? "" : "/") + found.entry.name;
    }
    return found;
}

}  // namespace plugfs::storage
