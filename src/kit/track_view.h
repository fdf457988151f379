// TrackView: how far tracks/ has been built; the work itself is in filesystem_tracks.cpp.
//
//   idle ─ somebody looks into tracks/ ─> building ─ nothing left to look at ─> complete
//
// Building means to list every folder of the device and to ask for the attributes of every file, a little at a time,
// behind all that somebody waits for. What is found is shown at once. Afterwards, and meanwhile, what changes is put
// back into the queues, and looked at again.
#pragma once

#include "kit/track_names.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace plugfs::kit {

class TrackView {
  public:
    using Clock = std::chrono::steady_clock;
    enum class State : std::uint8_t { idle, building, complete };
    // Whoever lists tracks/ waits this long for it to be complete.
    static constexpr std::chrono::seconds patience{3};
    static constexpr std::size_t at_once = 16;             // files that are asked about at the same time
    static constexpr std::size_t queue_limit = 1'000'000;  // files and folders

    struct Track {
        std::uint64_t link = 0;  // its own number
        TrackPlace place;
        std::optional<std::uint64_t> cover_size;
    };

    void begin(std::uint64_t root) {
        state = State::building;
        began = Clock::now();
        folders.push_back(root);
    }
    // To be looked at, by inode; nothing while idle.
    void again(std::uint64_t file) {
        if (state != State::idle && files.size() < queue_limit && queued.insert(file).second) {
            files.push_back(file);
        }
    }
    void look_into(std::uint64_t folder) {
        if (state != State::idle && folders.size() < queue_limit) {
            folders.push_back(folder);
        }
    }
    // Whether a listing can be given out.
    [[nodiscard]] bool presentable() const {
        return state == State::complete || (state == State::building && Clock::now() - began > patience);
    }

    // Names that have appeared while listings wait: the kernel holds the folders' locks for those, and whoever tells it
    // of a name would wait for them. (Folder's inode, name.)
    std::vector<std::pair<std::uint64_t, std::string>> unannounced;
    State state = State::idle;
    Clock::time_point began;
    std::deque<std::uint64_t> folders;
    std::deque<std::uint64_t> files;
    std::unordered_set<std::uint64_t> queued;         // the same
    std::size_t under_way = 0;                        // folders and files that the device is being asked about
    std::unordered_map<std::uint64_t, Track> tracks;  // by inode
};

}  // namespace plugfs::kit
