// Strings as execve(2) and posix_spawn(3) want them.
#pragma once

#include <string>
#include <vector>

namespace plugfs {

// Pointers into `strings`, which must outlive the list, and a null at its end.
[[nodiscard]] inline std::vector<char*> argument_list(std::vector<std::string>& strings) {
    std::vector<char*> list;
    list.reserve(strings.size() + 1);
    for (auto& string : strings) {
        list.push_back(string.data());
    }
    list.push_back(nullptr);
    return list;
}

}  // namespace plugfs
