// Crash reports: what is known of a driver's end, as a file of JSON in the state directory; the newest 32 are kept.
#pragma once

#include "supervisor/pending_requests.h"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace plugfs {

struct CrashFacts {
    std::string device;  // the folder's name
    std::string id;
    std::string driver;  // with its version
    int pid = 0;
    std::string how;       // "signal 11 (Segmentation fault)", ...
    std::string_view log;  // of the device; the last lines go into the report, the backtrace among them
    std::vector<PendingRequests::Request> requests;  // that were not answered
};

// One object, at most about 32 KiB as text.
[[nodiscard]] nlohmann::json crash_report(const CrashFacts& facts);

// Writes it to `<state directory>/crashes/<time>-<device>.json` and removes the oldest ones beyond the limit. Failure
// is logged, and no more: a crash must not depend on the disk. Nothing without a state directory.
void store_crash_report(const std::string& state_directory, const std::string& device, const nlohmann::json& report);

}  // namespace plugfs
