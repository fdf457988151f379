// A driver for tests of the kit and the supervisor: it misbehaves when it is told to. For any device; it never asks it
// anything.
//
//   pattern   64 MiB, byte n is n * 31 + (n >> 16): readers can tell every byte
//   crash     reading it ends the process
//   loop      reading it never returns
//   memory    reading it takes all the memory that there is
//   fail      reading it fails with EIO
//   announce  a folder: listing it reports an entry that has appeared in it, and never ends
//
// On a device with the product string "Start crasher" it does not get past its start; on one named "Flaky starter" the
// second and the third process do not, and the others do.

#include <plugfs/driver.h>

#include <cstdlib>
#include <cstring>
#include <vector>

using namespace plugfs;

namespace {

enum : Key { pattern_key = 1, crash_key, loop_key, memory_key, fail_key, announce_key, appeared_key };
constexpr std::uint64_t pattern_size = std::uint64_t{64} << 20U;
constexpr std::uint64_t small_size = 4096;

class TestDriver : public Driver {
  public:
    explicit TestDriver(Host& host) : host_(host) {}

    Result<void> start() override {
        if (host_.device().identity().product == "Start crasher") {
            std::abort();
        }
        if (host_.device().identity().product == "Flaky starter") {
            PLUGFS_TRY(count_start());
        }
        return {};
    }

    Result<Listing> list(Key folder, std::uint64_t cursor) override {
        if (folder == announce_key && cursor == 0) {
            return Listing{{}, 1};
        }
        if (folder == announce_key) {
            host_.added(announce_key, {.key = appeared_key, .name = "appeared", .size = small_size});
            while (true) {
                turns_ = turns_ + 1;
            }
        }
        return Listing{{{.key = pattern_key, .name = "pattern", .size = pattern_size},
                        {.key = crash_key, .name = "crash", .size = small_size},
                        {.key = loop_key, .name = "loop", .size = small_size},
                        {.key = memory_key, .name = "memory", .size = small_size},
                        {.key = fail_key, .name = "fail", .size = small_size},
                        {.key = announce_key, .name = "announce", .kind = Kind::directory}},
                       0};
    }

    Result<std::size_t> read(Key file, std::uint64_t offset, std::span<std::byte> out) override {
        switch (file) {
            case crash_key:
                std::abort();
            case loop_key:
                while (true) {
                    turns_ = turns_ + 1;
                }
            case memory_key:
                while (true) {
                    hoard_.emplace_back(std::size_t{16} << 20U, char{1});
                }
            case fail_key:
                return fail(EIO, "test driver", "as asked for");
            default:
                for (std::size_t i = 0; i < out.size(); ++i) {
                    const std::uint64_t at = offset + i;
                    out[i] = static_cast<std::byte>((at * 31) + (at >> 16U));
                }
                return out.size();
        }
    }

  private:
    // The number of processes so far is in the spool, which outlives them.
    Result<void> count_start() {
        auto& spool = host_.spool();
        if (spool.files().empty()) {
            PLUGFS_TRY(spool.create({}));
        }
        const auto id = spool.files().front();
        PLUGFS_ASSIGN(auto note, spool.note(id));
        note.push_back(std::byte{1});
        PLUGFS_TRY(spool.set_note(id, note));
        if (note.size() == 2 || note.size() == 3) {
            std::abort();
        }
        return {};
    }

    Host& host_;
    volatile std::uint64_t turns_ = 0;
    std::vector<std::vector<char>> hoard_;
};

}  // namespace

int main(int argc, char** argv) {
    return run_driver(argc, argv, {"test", "1.0"}, [](Host& host) { return std::make_unique<TestDriver>(host); });
}
