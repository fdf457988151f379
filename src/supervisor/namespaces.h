// The namespaces of a worker, and their keeper.
//
// A worker's process is made in three steps (launch.cpp):
//
//   stager     forked by the supervisor; enters the namespaces, starts the other two as its siblings, and ends
//   keeper     the first process of the process namespace; empties the root for the worker when it asks, and waits
//   worker     executes the driver
//
// The driver cannot be the first process itself: that one ignores signals that it has no handler for, so that a crash
// would not end it. And it cannot find an empty root at its start, because its program and libraries must be loaded;
// nor may it have the right to empty it. So the keeper does it, when the driver's libraries are there and nothing of
// the device has been read: the worker sends one byte and gets an errno back. Afterwards the keeper has no right left
// but to read, write and end; it ends with the worker, and the worker with it.
//
// Everything here runs between fork() and exec(): only async-signal-safe calls, no allocation.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace plugfs::namespaces {

// CLONE_NEW* bits.
using Set = std::uint32_t;

// Moves the calling process into new ones, as many of `wanted` as the kernel permits; processes that it makes
// afterwards are in the process namespace. Not as root: inside a user namespace in which it keeps its own number.
// Returns those that it is in.
[[nodiscard]] Set enter(Set wanted, uid_t user, gid_t group);

// The keeper's life. `channel`: its end of the socket pair; the only descriptor that it keeps. `user`: who it becomes
// when its work is done; ignored unless root.
[[noreturn]] void keep(int channel, bool root, uid_t user);

}  // namespace plugfs::namespaces
