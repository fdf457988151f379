// The notes of the tree in the vault, as a successor reads them: their writer has crashed, or was taken over.

#include "kit/node_log.h"

#include <algorithm>
#include <cstdlib>

using namespace plugfs;
using namespace plugfs::kit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static UniqueFd fd;
    static const VaultMapping vault = [] {
        auto made = VaultMapping::create(fd);
        if (!made) {
            std::abort();
        }
        return std::move(*made);
    }();
    const auto area = vault.node_area(0);
    const std::size_t length = std::min(size, area.size());
    std::copy_n(reinterpret_cast<const std::byte*>(data), length, area.begin());
    vault.header().node_area_used[0] = length;
    auto notes = NodeLog(vault).read();
    if (!notes) {
        return 0;
    }
    // What is read can be restored, and each entry has its way up to the root.
    Tree tree;
    const std::size_t most = notes->size();
    const std::size_t count = tree.restore(std::move(*notes));
    if (count > most || tree.size() != count + 1) {
        std::abort();
    }
    tree.each_note([&tree](const NodeNote& note) {
        if (Tree::path(*tree.find(note.inode)).empty()) {
            std::abort();
        }
    });
    return 0;
}
