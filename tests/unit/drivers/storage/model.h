// A model of a volume in memory, and random operations that are done to both: names, contents, errors, listings must
// agree.
#pragma once

#include "drivers/storage/tools.h"

#include <random>
#include <vector>

namespace plugfs::test {

class ModelRun {
  public:
    struct Limits {
        std::size_t file_size = 200'000;
        std::size_t entries = 120;
        bool case_matters = false;  // "A" and "a" are two names
    };
    ModelRun(storage::Volume& volume, unsigned seed, Limits limits) : volume_(volume), random_(seed), limits_(limits) {}

    // One operation; the test fails if the answer is not the model's.
    void step();
    // All that is there.
    [[nodiscard]] Tree tree() const;
    // Compares all of it with the volume, read through another Volume if given (keys are the first one's then).
    void compare(storage::Volume& volume) const;

    // What an operation was about, for tests that cut the power: paths whose state is in between while it runs.
    [[nodiscard]] const std::vector<std::string>& touched() const { return touched_; }
    // Files whose content has been flushed and not touched since, with it.
    [[nodiscard]] const Tree& flushed() const { return flushed_; }

  private:
    struct Item {
        Key key = 0;
        std::string content;  // of a file
        bool folder = false;
    };
    using Items = std::map<std::string, Item>;  // by path, folders with a slash at the end

    [[nodiscard]] std::size_t below(std::size_t limit) { return random_() % limit; }
    [[nodiscard]] std::string any(bool folder);
    [[nodiscard]] Key folder_key(const std::string& path) const;
    [[nodiscard]] std::string new_name();
    [[nodiscard]] std::string existing_twin(const std::string& folder, const std::string& name) const;
    void touch(const std::string& path);

    void create(Kind kind);
    void write();
    void resize();
    void remove();
    void rename();
    void rename_over();
    void flush();
    void read();
    void moved(const std::string& from, const std::string& to, Key key);

    storage::Volume& volume_;
    std::mt19937 random_;
    Limits limits_;
    Items items_;
    Tree flushed_;
    std::vector<std::string> touched_;
};

}  // namespace plugfs::test
