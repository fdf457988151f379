#include "kit/walk_ahead.h"

#include <algorithm>

namespace plugfs::kit {

namespace {
constexpr std::size_t look_limit = 64;
constexpr std::size_t to_come_limit = 4096;
}  // namespace

bool WalkAhead::looked_into(std::uint64_t folder, std::uint64_t parent, Clock::time_point now) {
    const bool walked = walking(now);
    if (!walked) {
        to_come_.clear();
        ahead_.clear();
    }
    std::erase_if(looks_, [now](const Look& look) { return look.at + walk_pause < now; });
    const bool goes_down =
        std::any_of(looks_.begin(), looks_.end(), [parent](const Look& look) { return look.folder == parent; });
    if (looks_.size() == look_limit) {
        looks_.pop_front();
    }
    std::erase_if(looks_, [folder](const Look& look) { return look.folder == folder; });
    looks_.push_back({folder, now});
    const bool foreseen = ahead_.erase(folder) != 0;
    if (foreseen || goes_down) {
        walking_until_ = now + walk_pause;
    }
    std::erase(to_come_, folder);
    return goes_down && !walked;
}

void WalkAhead::come(const std::vector<std::uint64_t>& folders) {
    to_come_.insert(to_come_.begin(), folders.begin(), folders.end());
    if (to_come_.size() > to_come_limit) {
        to_come_.resize(to_come_limit);
    }
}

std::uint64_t WalkAhead::next(Clock::time_point now, const std::function<bool(std::uint64_t)>& being_listed) {
    if (!walking(now) || to_come_.empty() || ahead_.size() >= ahead_limit) {
        return 0;
    }
    if (static_cast<std::size_t>(std::count_if(ahead_.begin(), ahead_.end(), being_listed)) >= asked_limit) {
        return 0;
    }
    const std::uint64_t folder = to_come_.front();
    to_come_.pop_front();
    ahead_.insert(folder);
    return folder;
}

}  // namespace plugfs::kit
