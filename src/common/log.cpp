#include "common/log.h"

#include <syslog.h>
#include <unistd.h>

#include <array>

namespace plugfs {

namespace {

constexpr std::size_t line_limit = 1000;
constexpr std::array<std::string_view, 4> level_words = {"debug", "info", "warning", "error"};

std::string program_name = "plugfs";
LogLevel least_level = LogLevel::info;
bool system_log = false;

void append_hex(std::string& out, unsigned char byte) {
    constexpr std::string_view digits = "0123456789abcdef";
    out += "\\x";
    out += digits[byte >> 4U];
    out += digits[byte & 15U];
}

}  // namespace

std::string quoted(std::string_view text, std::size_t limit) {
    std::string out = "\"";
    for (const char c : text.substr(0, limit)) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte >= 0x20 && byte < 0x7f) {
            out += c;
        } else {
            append_hex(out, byte);
        }
    }
    out += '"';
    if (text.size() > limit) {
        out += "...";
    }
    return out;
}

namespace log {

void set_up(std::string_view program, LogLevel least) {
    program_name = program;
    least_level = least;
}

void use_system_log() {
    system_log = true;
}

std::string visible(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
        const bool second_block = byte == 0xc2 && next >= 0x80 && next < 0xa0;
        if (byte < 0x20 || byte == 0x7f || second_block) {
            append_hex(out, byte);
        } else {
            out += text[i];
        }
    }
    return out;
}

void write(LogLevel level, std::string_view line) {
    if (level < least_level) {
        return;
    }
    std::string text = program_name + ": ";
    if (level != LogLevel::info) {
        text += level_words[static_cast<std::size_t>(level)];
        text += ": ";
    }
    text += visible(line.substr(0, line_limit));
    if (system_log) {
        constexpr std::array priorities = {LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR};
        ::syslog(LOG_DAEMON | priorities[static_cast<std::size_t>(level)], "%s", text.c_str());
        return;
    }
    text += '\n';
    // A log that cannot be written is nothing to stop for.
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

bool parse_level(std::string_view word, LogLevel& level) {
    for (std::size_t i = 0; i < level_words.size(); ++i) {
        if (level_words[i] == word) {
            level = static_cast<LogLevel>(i);
            return true;
        }
    }
    return false;
}

}  // namespace log
}  // namespace plugfs
