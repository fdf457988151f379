// A logical unit in memory with a volatile cache: what has been written and not synchronized is lost, or not, block by
// block and in any order, when the power goes.
#pragma once

#include "drivers/storage/logical_unit.h"

#include <functional>
#include <map>
#include <random>
#include <utility>
#include <vector>

namespace plugfs::storage::test {

class MemoryUnit : public LogicalUnit {
  public:
    MemoryUnit(std::uint32_t block_size, std::uint64_t block_count)
        : medium_{block_size, block_count, false, false}, bytes(block_size * block_count) {
        identity_.vendor = "plugfs";
        identity_.product = "memory";
    }

    const UnitIdentity& identity() const override { return identity_; }
    Result<Medium> open() override { return medium_; }
    Result<void> check() override { return {}; }
    Result<void> read(std::uint64_t block, std::span<std::byte> out) override {
        settle();
        PLUGFS_TRY(called("read", block, out.size()));
        ++reads;
        std::copy_n(at(block), out.size(), out.begin());
        return {};
    }
    Result<void> write(std::uint64_t block, std::span<const std::byte> data) override {
        settle();
        return write_now(block, data);
    }
    Result<void> synchronize() override {
        settle();
        return synchronize_now();
    }
    // Nothing of it happens before it is waited for, or has been looked at `looks` times.
    void begin_write(std::uint64_t block, std::span<const std::byte> data) override {
        settle();
        begun_ = [this, block, data] { return write_now(block, data); };
        looks_left_ = looks;
    }
    void begin_synchronize() override {
        settle();
        begun_ = [this] { return synchronize_now(); };
        looks_left_ = looks;
    }
    bool finished() override {
        if (begun_ && looks_left_ > 0) {
            --looks_left_;
            return false;
        }
        return true;
    }
    Result<void> finish() override {
        settle();
        return std::exchange(result_, {});
    }
    Result<void> write_now(std::uint64_t block, std::span<const std::byte> data) {
        PLUGFS_TRY(called("write", block, data.size()));
        ++writes;
        for (std::size_t done = 0; done < data.size(); done += medium_.block_size) {
            auto& old = unsafe_[block + (done / medium_.block_size)];
            if (old.empty()) {
                const auto from = at(block + (done / medium_.block_size));
                old.push_back({from, from + medium_.block_size});
            }
            const auto part = data.subspan(done, medium_.block_size);
            old.push_back({part.begin(), part.end()});
        }
        std::copy(data.begin(), data.end(), at(block));
        return {};
    }
    Result<void> synchronize_now() {
        PLUGFS_TRY(called("synchronize", 0, 0));
        ++synchronized;
        unsafe_.clear();
        return {};
    }
    Result<void> unmap(std::uint64_t block, std::uint64_t count) override {
        settle();
        PLUGFS_TRY(called("unmap", block, count * medium_.block_size));
        unmapped.emplace_back(block, count);
        return {};
    }
    Result<void> prevent_removal(bool /*prevent*/) override { return {}; }
    Result<void> eject() override { return {}; }
    std::size_t best_transfer() const override { return std::size_t{64} << 10U; }

    // Each block that is not safe gets one of the contents that it had since it was.
    // What was begun has been done by then, or not.
    void power_cut(std::mt19937& random) {
        if (const auto begun = std::exchange(begun_, nullptr); begun && random() % 2 == 0) {
            const auto call = std::exchange(before, nullptr);
            (void)begun();
            before = call;
        }
        for (const auto& [block, contents] : unsafe_) {
            const auto& chosen = contents[random() % contents.size()];
            std::copy(chosen.begin(), chosen.end(), at(block));
        }
        unsafe_.clear();
    }
    [[nodiscard]] Medium& medium() { return medium_; }
    [[nodiscard]] UnitIdentity& identity() { return identity_; }

    // Before each call: an error, or an exception, in place of it.
    std::function<Result<void>(const char* call)> before;
    unsigned looks = 0;
    unsigned reads = 0;
    unsigned writes = 0;
    unsigned synchronized = 0;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> unmapped;

  private:
    void settle() {
        if (begun_) {
            result_ = std::exchange(begun_, nullptr)();
        }
    }
    [[nodiscard]] std::vector<std::byte>::iterator at(std::uint64_t block) {
        return bytes.begin() + static_cast<std::ptrdiff_t>(block * medium_.block_size);
    }
    Result<void> called(const char* call, std::uint64_t block, std::size_t length) {
        if (length % medium_.block_size != 0 || block > medium_.block_count ||
            length / medium_.block_size > medium_.block_count - block) {
            return fail(EINVAL, call, "not within the medium");
        }
        return before ? before(call) : Result<void>();
    }
    Medium medium_;
    UnitIdentity identity_;
    std::function<Result<void>()> begun_;
    Result<void> result_;
    unsigned looks_left_ = 0;
    std::map<std::uint64_t, std::vector<std::vector<std::byte>>> unsafe_;

  public:
    std::vector<std::byte> bytes;
};

// Memory for a dirty log.
class LogMemory {
  public:
    explicit LogMemory(std::size_t size) : words_(size / sizeof(std::uint64_t) + 8) {}
    [[nodiscard]] std::span<std::byte> bytes() {
        auto all = std::as_writable_bytes(std::span(words_));
        const auto offset = reinterpret_cast<std::uintptr_t>(all.data()) % 64;
        return all.subspan(offset == 0 ? 0 : 64 - offset).first((words_.size() - 8) * sizeof(std::uint64_t));
    }

  private:
    std::vector<std::uint64_t> words_;
};

}  // namespace plugfs::storage::test
