// TagAttributes: the attributes of files on a device that has files and nothing else (a stick, a card, a player that is
// one): what their tags say. A driver gives it a way to its files, and returns it from Driver::attributes().
#pragma once

#include "library/tags.h"

#include <plugfs/attributes.h>

#include <functional>

namespace plugfs::library {

class TagAttributes : public Attributes {
  public:
    // The file with that key; ESTALE and other errors as in Driver::read().
    using Find = std::function<Result<TaggedFile>(Key)>;

    // `makes_tracks`: tracks/ is shown.
    TagAttributes(Find find, bool makes_tracks) : find_(std::move(find)), makes_tracks_(makes_tracks) {}

    [[nodiscard]] Result<std::vector<Attribute>> list(Key file) override {
        PLUGFS_ASSIGN(const auto tagged, find_(file));
        return read_tags(tagged);
    }
    [[nodiscard]] Result<std::string> get(Key file, const std::string& name) override {
        if (name != "media.cover") {
            return fail(ENODATA, name);
        }
        PLUGFS_ASSIGN(const auto tagged, find_(file));
        return read_cover(tagged);
    }
    [[nodiscard]] bool makes_tracks() const override { return makes_tracks_; }

  private:
    Find find_;
    bool makes_tracks_;
};

}  // namespace plugfs::library
