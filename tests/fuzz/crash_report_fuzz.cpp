// Crash reports: a driver's last lines and what it left unanswered, written down by the supervisor. The first byte says
// how many requests there are, sixteen bytes each; the rest is the log.

#include "supervisor/crash_report.h"

#include <cstdlib>
#include <cstring>

using namespace plugfs;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    CrashFacts facts;
    facts.device = "device";
    std::size_t at = 1;
    for (std::size_t left = size > 0 ? data[0] : 0; left > 0 && at + 16 <= size; --left, at += 16) {
        PendingRequests::Request request;
        std::memcpy(&request.inode, data + at, sizeof request.inode);
        std::memcpy(&request.opcode, data + at + 8, sizeof request.opcode);
        facts.requests.push_back(request);
    }
    const std::string log(reinterpret_cast<const char*>(data) + std::min(at, size), size - std::min(at, size));
    facts.log = log;
    facts.how = log.substr(0, 100);
    const auto report = crash_report(facts);
    // Whatever the driver has written, it can be put down as text, and the text read again.
    const std::string text = report.dump(1, ' ', false, nlohmann::json::error_handler_t::replace);
    if (!nlohmann::json::accept(text) || text.size() > (std::size_t{256} << 10U)) {
        std::abort();
    }
    return 0;
}
