// NodeLog: what the kernel knows of the tree, kept in the vault for a successor.
//
// The kernel calls files and folders by inode alone, also those that it learnt of from a worker that is dead. So every
// entry is noted before the kernel is given its inode: which folder it lies in, its name, and what identifies its
// content. A successor reads the notes, and finds the entries again on the device when they are asked for.
//
// Two areas, of which one counts. Notes are appended to it; a note counts when the area's length says so, which is
// stored last, so a worker that dies in the middle leaves no half note. When the area is full, what still counts is
// written to the other one, which then takes over by a single store.
//
// Whoever reads the notes back does not trust them: the writer has crashed.
#pragma once

#include "common/vault.h"
#include "kit/tree.h"

#include <functional>
#include <vector>

namespace plugfs::kit {

class NodeLog : public TreeObserver {
  public:
    explicit NodeLog(const VaultMapping& vault) : vault_(vault) {}

    // What a predecessor has noted and not taken back; each inode once. EPROTO: the notes do not add up, the detail
    // names the field; EOVERFLOW: there were too many entries to note.
    [[nodiscard]] Result<std::vector<NodeNote>> read() const;

    // An entry, or what has changed of it.
    void note(const NodeNote& note) override;
    // The kernel does not know the inode any more.
    void take_back(std::uint64_t inode) override;

    // Gives everything that counts to its argument; called when an area is full.
    std::function<void(const std::function<void(const NodeNote&)>&)> all;

  private:
    bool append(std::uint32_t area, const NodeNote& note, bool taken_back);
    void add(const NodeNote& note, bool taken_back);
    bool move_to_other_area();

    const VaultMapping& vault_;
};

}  // namespace plugfs::kit
