#include "reader.h"

#include "common/unique_fd.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace plugfs::faults {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t alignment = 4096;
constexpr std::size_t probe_size = 16384;
constexpr std::size_t piece = 65536;
constexpr std::chrono::milliseconds pause{4};

struct Free {
    void operator()(void* memory) const { std::free(memory); }
};

}  // namespace

ReadResult read_and_compare(const std::string& path, const std::vector<std::byte>& content, std::size_t offset,
                            std::size_t length, std::string* why) {
    const auto because = [why](ReadResult result, const std::string& text) {
        if (why != nullptr) {
            *why = text;
        }
        return result;
    };
    const std::unique_ptr<void, Free> buffer(std::aligned_alloc(alignment, length));
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
    if (!file) {
        return because(ReadResult::error, std::string("open: ") + std::strerror(errno));
    }
    const ssize_t got = ::pread(file.get(), buffer.get(), length, static_cast<off_t>(offset));
    if (got < 0) {
        return because(ReadResult::error, std::string("read: ") + std::strerror(errno));
    }
    const std::size_t expected = std::min(length, content.size() - offset);
    const bool same =
        static_cast<std::size_t>(got) == expected && std::memcmp(buffer.get(), content.data() + offset, expected) == 0;
    return same ? ReadResult::good
                : because(ReadResult::wrong, "read: " + std::to_string(got) + " bytes at " + std::to_string(offset));
}

Probe::Probe(std::string path, const std::vector<std::byte>& content)
    : path_(std::move(path)), content_(content), thread_([this] { run(); }) {}

Probe::~Probe() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void Probe::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return asked_ || ending_; });
        if (ending_) {
            return;
        }
        const std::size_t offset = offset_;
        lock.unlock();
        std::string problem;
        const auto result = read_and_compare(path_, content_, offset, probe_size, &problem);
        lock.lock();
        problem_ = std::move(problem);
        asked_ = false;
        result_ = result;
        changed_.notify_all();
    }
}

void Probe::begin(std::size_t offset) {
    const std::lock_guard lock(mutex_);
    if (!asked_) {
        asked_ = true;
        offset_ = offset / alignment * alignment;
        result_.reset();
        changed_.notify_all();
    }
}

std::optional<ReadResult> Probe::read(std::size_t offset, Clock::time_point until) {
    begin(offset);
    std::unique_lock lock(mutex_);
    if (!changed_.wait_until(lock, until, [this] { return !asked_; })) {
        return std::nullopt;
    }
    return result_;
}

std::string Probe::problem() {
    const std::lock_guard lock(mutex_);
    return problem_;
}

Neighbour::Neighbour(std::string path, const std::vector<std::byte>& content)
    : path_(std::move(path)), content_(content), thread_([this] { run(); }) {}

Neighbour::~Neighbour() {
    ending_ = true;
    thread_.join();
}

void Neighbour::run() {
    std::size_t offset = 0;
    while (!ending_) {
        const auto begin = Clock::now();
        const auto result = read_and_compare(path_, content_, offset, piece, nullptr);
        const long took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin).count();
        slowest_us = std::max<long>(slowest_us, took);
        ++reads;
        errors += result == ReadResult::error ? 1 : 0;
        wrong += result == ReadResult::wrong ? 1 : 0;
        offset = (offset + piece) % content_.size();
        std::this_thread::sleep_for(pause);
    }
}

}  // namespace plugfs::faults
