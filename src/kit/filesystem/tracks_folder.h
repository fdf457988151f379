// TracksFolder: tracks/, every track of the device by artist, album and title: second names (hard links) of the files
// that the driver lists, and a cover for each album. How far it has been built is in kit/track_view.h.
//
// All that the device has to be asked for goes behind what somebody waits for.
#pragma once

#include "kit/filesystem/attribute_requests.h"
#include "kit/filesystem/core.h"
#include "kit/filesystem/folders.h"
#include "kit/track_view.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace plugfs::kit {

// Its name in the device's folder.
inline constexpr std::string_view tracks_name = "tracks";

class TracksFolder {
  public:
    // All must outlive this.
    TracksFolder(FilesystemCore& core, Folders& folders, AttributeRequests& attributes)
        : core_(core), folders_(folders), attributes_(attributes) {}

    // Null when the device has none.
    [[nodiscard]] Node* top();
    // Whether a listing of it can be given out.
    [[nodiscard]] bool presentable() const { return view_.presentable(); }
    // Somebody looks into it: it is built from now on.
    void want();
    // After a takeover: the kernel knows it as a predecessor has built it.
    void look_again();
    // These may belong to it, or not any more; go_on() looks at them.
    void look_into(std::uint64_t folder) { view_.look_into(folder); }
    void look_at(std::uint64_t file) { view_.again(file); }
    void go_on();
    // What time alone brings about.
    void look_at_clock();
    // Called before a link goes because its target does.
    void link_goes(const Node& link);

    // An album's cover, which is an attribute of one of its tracks; until closed().
    void read_cover(fuse_req_t request, const Node& cover, std::size_t size, std::uint64_t offset);
    void closed(std::uint64_t cover) { covers_.erase(cover); }

  private:
    // tracks_folder.cpp: looking for tracks
    void ask_about_files();
    void look_for_tracks(std::uint64_t folder);
    void looked_for_tracks(std::uint64_t folder, bool failed);
    void step_done();
    void fetch_cover(std::uint64_t cover, WaitingRequests::Id id, std::size_t size, std::uint64_t offset);
    void answer_cover(WaitingRequests::Id id, std::size_t size, std::uint64_t offset, const Error* error,
                      const std::string& content);

    // tracks_folder_places.cpp: what is shown
    void place(std::uint64_t inode, const std::vector<Attribute>& attributes);
    // False: it is where it belongs.
    bool take_from_old_place(std::uint64_t inode, const std::optional<TrackPlace>& wanted);
    Node& own_folder(Node& parent, const std::string& name);
    void announce(const Node& folder, const Node& node);
    void announce_postponed();
    void choose_cover(Node& album);
    void set_cover(Node& album, Node* cover, std::uint64_t source);
    [[nodiscard]] std::optional<std::uint64_t> cover_size(std::uint64_t track) const;
    void tidy_album(std::uint64_t inode);
    void tidy();

    FilesystemCore& core_;
    Folders& folders_;
    AttributeRequests& attributes_;
    TrackView view_;
    std::unordered_map<std::uint64_t, std::string> covers_;  // the content of those that are open
};

}  // namespace plugfs::kit
