#include "supervisor/crash_report.h"

#include "common/log.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>

namespace plugfs {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t log_limit = std::size_t{16} << 10U;
constexpr std::size_t request_limit = 64;
constexpr std::size_t report_limit = 32;

std::string time_text(const char* format) {
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    std::array<char, 40> text{};
    (void)std::strftime(text.data(), text.size(), format, &utc);
    return text.data();
}

json last_lines(std::string_view log) {
    if (log.size() > log_limit) {
        log.remove_prefix(log.size() - log_limit);
        log.remove_prefix(std::min(log.find('\n'), log.size() - 1) + 1);
    }
    json lines = json::array();
    while (!log.empty()) {
        const auto end = log.find('\n');
        lines.push_back(std::string(log.substr(0, end)));
        log.remove_prefix(end == std::string_view::npos ? log.size() : end + 1);
    }
    return lines;
}

void remove_old(const fs::path& folder) {
    std::error_code error;
    std::vector<fs::path> reports;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        if (entry.path().extension() == ".json") {
            reports.push_back(entry.path());
        }
    }
    // Their names begin with the time.
    std::sort(reports.begin(), reports.end());
    for (std::size_t i = 0; i + report_limit < reports.size(); ++i) {
        fs::remove(reports[i], error);
    }
}

}  // namespace

json crash_report(const CrashFacts& facts) {
    json requests = json::array();
    for (const auto& request : facts.requests) {
        if (requests.size() == request_limit) {
            break;
        }
        requests.push_back({{"request", opcode_name(request.opcode)}, {"inode", request.inode}});
    }
    return {{"time", time_text("%Y-%m-%dT%H:%M:%SZ")},
            {"device", facts.device},
            {"id", facts.id},
            {"driver", facts.driver},
            {"pid", facts.pid},
            {"how", facts.how},
            {"unanswered", std::move(requests)},
            {"log", last_lines(facts.log)}};
}

void store_crash_report(const std::string& state_directory, const std::string& device, const json& report) {
    if (state_directory.empty()) {
        return;
    }
    static unsigned number = 0;  // several in one second
    const fs::path folder = fs::path(state_directory) / "crashes";
    std::error_code error;
    fs::create_directories(folder, error);
    std::array<char, 16> tail{};
    (void)std::snprintf(tail.data(), tail.size(), "-%04u-", ++number % 10'000);
    const fs::path file = folder / (time_text("%Y%m%dT%H%M%SZ") + tail.data() + device + ".json");
    std::ofstream stream(file, std::ios::trunc);
    stream << report.dump(1, ' ', false, json::error_handler_t::replace) << '\n';
    stream.close();
    if (!stream) {
        log::warning("crash report: cannot write " + plugfs::quoted(file.string()));
    }
    remove_old(folder);
}

}  // namespace plugfs
