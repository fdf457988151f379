// When the driver crashes, its last words: signal, address and backtrace, as lines of the log. The supervisor puts them
// into the crash report.
#pragma once

namespace plugfs::kit {

// For the whole process; call it before the lockdown (the backtrace's library has to be loaded).
void install_crash_handler();

// A stack for the handler, for the calling thread: its own may be what has run out. Each thread once.
void prepare_thread_for_crash();

}  // namespace plugfs::kit
