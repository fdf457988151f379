// AlbumCovers: pictures of albums, for the tracks in them.
//
// A device with abstract albums (MTP appendix A, format BA03) has an object for each, which references its tracks
// (GetObjectReferences) and holds the picture (RepresentativeSampleData). They are looked at once, some at a time, when
// somebody asks for a track's attributes, and again after a change.
#pragma once

#include "drivers/mtp/session.h"

#include <plugfs/driver.h>

#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

namespace plugfs::mtp {

struct DeviceInfo;

class AlbumCovers {
  public:
    // Runs an operation while no other transaction is open, and again after a recovery where that may help.
    using Alone = std::function<Result<void>(const std::function<Result<void>()>&)>;

    // All must outlive it.
    AlbumCovers(Session& session, const DeviceInfo& info, Host& host, Alone alone)
        : session_(session), info_(info), host_(host), alone_(std::move(alone)) {}

    // Looks at some more albums, for about 20 ms. An error only when the device has gone.
    Result<void> look();
    // Whether somebody has asked; whether all have been looked at.
    [[nodiscard]] bool begun() const { return listed_; }
    [[nodiscard]] bool complete() const { return listed_ && next_ >= albums_.size(); }
    // Tracks of albums that were seen since the last call; they have been asked about before, perhaps.
    [[nodiscard]] std::vector<std::uint32_t> take_news();
    // Everything is to be looked at again, when somebody asks.
    void forget();

    // By a track's handle. The picture's size in bytes; nothing: none is known.
    [[nodiscard]] std::optional<std::uint64_t> size_for(std::uint32_t track) const;
    [[nodiscard]] Result<std::string> cover_for(std::uint32_t track);

  private:
    Result<void> list_albums();
    Result<void> look_at(std::uint32_t album);

    struct Cover {
        std::uint32_t album = 0;
        std::uint64_t size = 0;
    };
    Session& session_;
    const DeviceInfo& info_;
    Host& host_;
    Alone alone_;
    bool listed_ = false;
    std::vector<std::uint32_t> albums_;
    std::size_t next_ = 0;
    std::unordered_map<std::uint32_t, Cover> covers_;  // by track
    std::vector<std::uint32_t> news_;
};

}  // namespace plugfs::mtp
