// Escapes: what a driver that has turned against its user would try. Each is one attempt that either reaches what it
// should not, or is denied.
//
// They do no lasting harm when they succeed (tests/integration/hostile.sh runs them with the sandbox off, too): signals
// are number 0, files are the test's own, calls that would change the machine get arguments that the kernel refuses
// only after it has found the caller entitled.
#pragma once

#include <sys/types.h>

#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

namespace plugfs::hostile {

// What the attempts need to know of the outside.
struct Target {
    pid_t supervisor = 0;
    pid_t neighbour = 0;  // another device's worker
    std::string folder;   // anybody may write there; holds `victim`, `victim-2`, `usb` (a device node) and `mount`
};

struct Escape {
    std::string name;
    // 0: it escaped; otherwise the errno of the denial.
    std::function<int(const Target&)> attempt;
};

// The result of a system call: 0 if it succeeded or failed with one of `entitled`, errors that come after the kernel
// has let the caller through; otherwise errno.
int outcome(long result, std::initializer_list<int> entitled = {});

std::vector<Escape> escapes_to_files();
std::vector<Escape> escapes_to_processes();
std::vector<Escape> escapes_to_rights();
std::vector<Escape> escapes_to_network();
std::vector<Escape> escapes_to_kernel();

// All of them.
std::vector<Escape> all_escapes();

}  // namespace plugfs::hostile
