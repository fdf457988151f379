#include "common/event_log.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace plugfs {

namespace {

std::string time_stamp() {
    using namespace std::chrono;
    const auto now = system_clock::now();
    const std::time_t seconds_part = system_clock::to_time_t(now);
    const auto milliseconds_part = duration_cast<milliseconds>(now.time_since_epoch()).count() % 1000;
    std::tm utc{};
    ::gmtime_r(&seconds_part, &utc);
    std::array<char, 32> date{};
    std::array<char, 48> text{};
    (void)std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &utc);
    (void)std::snprintf(text.data(), text.size(), "%s.%03dZ", date.data(), static_cast<int>(milliseconds_part));
    return text.data();
}

}  // namespace

EventLog::Reader EventLog::open(std::uint64_t offset) const {
    Reader reader;
    reader.base_ = begin() - offset;  // may wrap around; so does what is added to it
    reader.position_ = begin();
    return reader;
}

std::string_view EventLog::Reader::read(const EventLog& log, std::uint64_t offset, std::size_t size) {
    std::uint64_t from = base_ + offset;
    if (from < log.begin()) {
        // What stood here is gone: go on with the oldest line there is, without a jump in the reader's own offset.
        base_ += log.begin() - from;
        from = log.begin();
    }
    if (from >= log.end_) {
        position_ = std::max(position_, log.end_);
        return {};
    }
    const auto part = std::string_view(log.history_).substr(from - log.begin(), size);
    position_ = from + part.size();
    return part;
}

void EventLog::append(std::string_view json) {
    std::string line = "{\"time\":\"" + time_stamp() + "\",";
    line += json.substr(1);
    line += '\n';
    history_ += line;
    end_ += line.size();
    if (history_.size() > limit_) {
        const auto middle = history_.find('\n', history_.size() / 2);
        history_.erase(0, middle == std::string::npos ? history_.size() : middle + 1);
    }
}

}  // namespace plugfs
