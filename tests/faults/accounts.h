// Accounts: what followed the injected faults, by kind.
#pragma once

#include "injector.h"

#include <array>
#include <vector>

namespace plugfs::faults {

// What followed the faults of one kind.
struct Account {
    unsigned long injected = 0;
    unsigned long missed = 0;    // there was no opportunity
    unsigned long nothing = 0;   // the next read was right, by the same process
    unsigned long errors = 0;    // a read failed, and then one succeeded
    unsigned long wrong = 0;     // a read gave wrong bytes: the driver itself is corrupt
    unsigned long replaced = 0;  // another process serves
    unsigned long late = 0;      // not back within the deadline
    unsigned long by_hand = 0;   // it answered, and always wrongly, until somebody wrote to `restart`
    std::vector<float> back_ms;  // of those with errors, or replaced

    void add(const Account& other);
};
using Accounts = std::array<Account, fault_count>;

// A row for each kind, with the times back to service, and one for all. To standard output.
void print_table(Accounts& accounts);

}  // namespace plugfs::faults
