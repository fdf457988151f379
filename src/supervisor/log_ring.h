// LogRing: the last lines that a device's workers have written, for `.control/<name>/log`.
#pragma once

#include <string>
#include <string_view>

namespace plugfs {

class LogRing {
  public:
    explicit LogRing(std::size_t limit = std::size_t{64} << 10U) : limit_(limit) {}

    void add(std::string_view line) {
        text_ += line;
        text_ += '\n';
        if (text_.size() > limit_) {
            const auto end = text_.find('\n', text_.size() - limit_);
            text_.erase(0, end == std::string::npos ? text_.size() : end + 1);
        }
    }
    [[nodiscard]] const std::string& text() const { return text_; }

  private:
    std::size_t limit_;
    std::string text_;
};

}  // namespace plugfs
