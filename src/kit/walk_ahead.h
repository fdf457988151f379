// WalkAhead: which folder will be looked into next, so that it is listed before somebody asks.
//
// One who goes through a tree (find, rsync, cp -r, a media scanner) looks into a folder, then into those in it, depth
// first, in the order in which they were read. Listing takes the device's time, and going through what was listed takes
// ours; done ahead, they go on at the same time.
//
// A walk is recognised when somebody looks into a folder soon after he has looked into the one that it is in. It is
// over when he has not gone on for a while. So few folders are listed ahead that a guess that was wrong costs little.
//
// The device is asked for one of them, and for another one behind that, so that it need not wait until we have seen the
// first; which one comes after those is decided as late as that, when it is known what is in them.
//
// Knows folders by their inode numbers only. Used by the FUSE thread alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <unordered_set>
#include <vector>

namespace plugfs::kit {

class WalkAhead {
  public:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::seconds walk_pause{2};  // between two folders of one walk
    static constexpr std::size_t ahead_limit = 16;        // listed ahead and not asked for yet
    static constexpr std::size_t asked_limit = 2;         // the device is asked for at a time

    // Somebody looks into `folder`, which is in `parent`. True when that is the first that is known of a walk: then
    // come() is to be told what there is in `parent` besides.
    bool looked_into(std::uint64_t folder, std::uint64_t parent, Clock::time_point now);
    // These folders, in the order in which they are read, will be next if the walk goes on, before those that came
    // before.
    void come(const std::vector<std::uint64_t>& folders);
    // Whether come() is to be told what is in the folders that are listed.
    [[nodiscard]] bool walking(Clock::time_point now) const { return now < walking_until_; }
    // The folder to list now; 0: none. It counts as listed ahead until somebody looks into it. `being_listed`: whether
    // the device is still asked for one that was given out before.
    std::uint64_t next(Clock::time_point now, const std::function<bool(std::uint64_t)>& being_listed);
    // It could not be listed, or it has gone.
    void forget(std::uint64_t folder) { ahead_.erase(folder); }

  private:
    struct Look {
        std::uint64_t folder = 0;
        Clock::time_point at;
    };
    std::deque<Look> looks_;             // the last ones
    std::deque<std::uint64_t> to_come_;  // the next one first
    std::unordered_set<std::uint64_t> ahead_;
    Clock::time_point walking_until_;
};

}  // namespace plugfs::kit
