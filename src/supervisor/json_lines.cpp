#include "supervisor/json_lines.h"

#include <plugfs/driver.h>  // quoted()

#include <iterator>
#include <vector>

namespace plugfs {

using nlohmann::json;

namespace {

constexpr std::size_t size_limit = std::size_t{1} << 20U;
constexpr std::size_t depth_limit = 64;

// Feeds the parser and counts the lines that it has taken. nlohmann's parser looks at most one character ahead, and a
// value never ends with a line break, so the count is right when a value is reported.
class CountingIterator {
  public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    CountingIterator(const char* at, unsigned* line) : at_(at), line_(line) {}
    reference operator*() const { return *at_; }
    CountingIterator& operator++() {
        // The line of the character before: the one just taken may be the break after the value.
        if (pending_break_) {
            ++*line_;
        }
        pending_break_ = *at_ == '\n';
        ++at_;
        return *this;
    }
    bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
    bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

  private:
    const char* at_;
    unsigned* line_;
    bool pending_break_ = false;
};

// Follows the parser through the text and notes the line of each value under its JSON pointer.
class LineNotes : public json::json_sax_t {
  public:
    LineNotes(const unsigned& line, std::map<std::string, unsigned>& lines) : line_(line), lines_(lines) {}

    std::string error;

    bool null() override { return value(); }
    bool boolean(bool /*value*/) override { return value(); }
    bool number_integer(number_integer_t /*value*/) override { return value(); }
    bool number_unsigned(number_unsigned_t /*value*/) override { return value(); }
    bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return value(); }
    bool string(string_t& /*value*/) override { return value(); }
    bool binary(binary_t& /*value*/) override { return value(); }
    bool start_object(std::size_t /*count*/) override { return open(false); }
    bool end_object() override { return close(); }
    bool start_array(std::size_t /*count*/) override { return open(true); }
    bool end_array() override { return close(); }
    bool key(string_t& name) override {
        levels_.back().key = name;
        return true;
    }
    bool parse_error(std::size_t /*position*/, const std::string& last, const json::exception& /*why*/) override {
        error = "no JSON near " + plugfs::quoted(last);
        return false;
    }

  private:
    struct Level {
        std::string prefix;
        bool array = false;
        std::size_t index = 0;
        std::string key;
    };
    std::string here() {
        if (levels_.empty()) {
            return "";
        }
        Level& level = levels_.back();
        return level.prefix + "/" + (level.array ? std::to_string(level.index++) : level.key);
    }
    bool value() {
        lines_.try_emplace(here(), line_);
        return true;
    }
    bool open(bool array) {
        if (levels_.size() == depth_limit) {
            error = "nested too deep";
            return false;
        }
        std::string prefix = here();
        lines_.try_emplace(prefix, line_);
        levels_.push_back({std::move(prefix), array, 0, {}});
        return true;
    }
    bool close() {
        levels_.pop_back();
        return true;
    }

    const unsigned& line_;
    std::map<std::string, unsigned>& lines_;
    std::vector<Level> levels_;
};

}  // namespace

unsigned LocatedJson::line(std::string pointer) const {
    while (true) {
        if (const auto found = lines.find(pointer); found != lines.end()) {
            return found->second;
        }
        const auto slash = pointer.rfind('/');
        if (slash == std::string::npos) {
            return 1;
        }
        pointer.resize(slash);
    }
}

Result<LocatedJson> parse_located(const std::string& text) {
    if (text.size() > size_limit) {
        return fail(EFBIG, "line 1", "longer than 1 MiB");
    }
    LocatedJson located;
    unsigned line = 1;
    LineNotes notes(line, located.lines);
    const char* begin = text.data();
    if (!json::sax_parse(CountingIterator(begin, &line), CountingIterator(begin + text.size(), &line), &notes)) {
        return fail(EINVAL, "line " + std::to_string(line), notes.error);
    }
    located.value = json::parse(text, nullptr, false);
    return located;
}

}  // namespace plugfs
