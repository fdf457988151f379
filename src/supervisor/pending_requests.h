// PendingRequests: the kernel's requests that a worker has taken and not answered, as the supervisor sees them.
//
// They stand in the vault's slots (common/vault.h). After a crash the next worker answers them, but one of them may be
// what the crash came from: each is given three tries, then it is answered with EIO here, and the rest goes on. The
// first time all of them are suspects; from then on they are tried one by one (Session::begin()), so only the guilty
// one is counted.
//
// The slots are the worker's memory: what stands there is believed only as far as it can do no harm. A worker that lies
// can have requests of its own mount answered with EIO, and nothing else.
#pragma once

#include "common/vault.h"

#include <map>
#include <vector>

namespace plugfs {

class PendingRequests {
  public:
    // The mount's descriptor and its vault; both must outlive this.
    PendingRequests(int fuse, const VaultMapping& vault) : fuse_(fuse), vault_(vault) {}

    struct Request {
        std::uint64_t unique = 0;
        std::uint64_t inode = 0;
        std::uint32_t opcode = 0;
        std::size_t slot = 0;  // small ones first, then large ones
    };
    // Those that stand in the slots, by unique; nonsense is left out.
    [[nodiscard]] std::vector<Request> list() const;

    // A worker has crashed (and has been reaped). Answers those that have had their tries. Returns what the successor
    // has to be told: whether any is left, which then are tried one by one.
    bool after_crash();

    // Answers those that may hold the lock of a folder while they wait: what asks for names, or changes them. False:
    // there are none.
    bool answer_names(int error);

    // Answers all of them and what the kernel has queued besides. For a mount that nobody is going to serve any more.
    void answer_all(int error);

  private:
    [[nodiscard]] std::span<std::byte> slot(std::size_t index) const;
    void answer(const Request& request, int error);
    void reply(std::uint64_t unique, int error) const;

    int fuse_;
    const VaultMapping& vault_;
    std::map<std::uint64_t, unsigned> tries_;
};

// "READ", "LOOKUP", ...: for messages.
[[nodiscard]] const char* opcode_name(std::uint32_t opcode);

}  // namespace plugfs
