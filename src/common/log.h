// Log lines on standard error: "plugfsd: warning: text". A worker's standard error is a pipe that the supervisor reads.
#pragma once

#include <plugfs/driver.h>  // LogLevel, quoted()

#include <string>
#include <string_view>

namespace plugfs::log {

// The word in front of each line, and the least level that is printed. Set once, at start, before there are threads.
void set_up(std::string_view program, LogLevel least);

// From now on to the system log instead.
void use_system_log();

// One line with one write(2), so that lines of several threads do not mix. Control characters in `line` are made
// visible; a line is cut at 1,000 bytes.
void write(LogLevel level, std::string_view line);

inline void debug(std::string_view line) {
    write(LogLevel::debug, line);
}
inline void info(std::string_view line) {
    write(LogLevel::info, line);
}
inline void warning(std::string_view line) {
    write(LogLevel::warning, line);
}
inline void error(std::string_view line) {
    write(LogLevel::error, line);
}

// `text` from outside, fit for a terminal: control characters, those of UTF-8's second block (C1) too, are made
// visible.
[[nodiscard]] std::string visible(std::string_view text);

// "info" to LogLevel::info; false when there is no such level.
bool parse_level(std::string_view word, LogLevel& level);

}  // namespace plugfs::log
