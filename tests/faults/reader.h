// Readers: threads that read a player's file past the page cache and compare every byte. A read cannot be given up once
// the kernel has sent it, so it has a thread of its own, and others wait for that with a deadline.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace plugfs::faults {

enum class ReadResult { good, error, wrong };

// Opens, reads `length` bytes at `offset`, compares. `why`, if it is not good, says what went wrong; may be null.
[[nodiscard]] ReadResult read_and_compare(const std::string& path, const std::vector<std::byte>& content,
                                          std::size_t offset, std::size_t length, std::string* why);

// Reads once when it is asked to.
class Probe {
  public:
    // `content` must outlive it.
    Probe(std::string path, const std::vector<std::byte>& content);
    // A read that hangs must have been ended by then.
    ~Probe();
    Probe(const Probe&) = delete;
    Probe& operator=(const Probe&) = delete;

    // Begins to read, if nothing is being read; does not wait.
    void begin(std::size_t offset);
    // Nothing: the read has not returned by `until`; it goes on, and the next call waits for it.
    std::optional<ReadResult> read(std::size_t offset, std::chrono::steady_clock::time_point until);
    // What went wrong last.
    [[nodiscard]] std::string problem();

  private:
    void run();

    std::string path_;
    const std::vector<std::byte>& content_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool asked_ = false;
    bool ending_ = false;
    std::size_t offset_ = 0;
    std::optional<ReadResult> result_;
    std::string problem_;
    std::thread thread_;
};

// Reads all the time, and keeps account.
class Neighbour {
  public:
    Neighbour(std::string path, const std::vector<std::byte>& content);
    ~Neighbour();
    Neighbour(const Neighbour&) = delete;
    Neighbour& operator=(const Neighbour&) = delete;

    std::atomic<unsigned long> reads = 0;
    std::atomic<unsigned long> errors = 0;
    std::atomic<unsigned long> wrong = 0;
    std::atomic<long> slowest_us = 0;

  private:
    void run();

    std::string path_;
    const std::vector<std::byte>& content_;
    std::atomic<bool> ending_ = false;
    std::thread thread_;
};

}  // namespace plugfs::faults
