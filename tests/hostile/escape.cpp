#include "escape.h"

#include <algorithm>
#include <cerrno>

namespace plugfs::hostile {

int outcome(long result, std::initializer_list<int> entitled) {
    const int error = errno;
    const bool let_through = result >= 0 || std::find(entitled.begin(), entitled.end(), error) != entitled.end();
    return let_through ? 0 : error;
}

std::vector<Escape> all_escapes() {
    std::vector<Escape> all;
    for (const auto& some :
         {escapes_to_files(), escapes_to_processes(), escapes_to_rights(), escapes_to_network(), escapes_to_kernel()}) {
        all.insert(all.end(), some.begin(), some.end());
    }
    return all;
}

}  // namespace plugfs::hostile
