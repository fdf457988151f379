// TagAttributes: the attributes of files on a device that has files and nothing else (a stick, a card, a player that is
// one): what their tags say. A driver gives it a way to its files, and returns it from Driver::attributes().
//
// Each file is read once, also when the process dies and has a successor (TagMemory).
#pragma once

#include "library/tag_memory.h"
#include "library/tags.h"

#include <plugfs/attributes.h>
#include <plugfs/driver.h>

#include <functional>

namespace plugfs::library {

class TagAttributes : public Attributes {
  public:
    struct File {
        TaggedFile file;
        FileIdentity identity;
    };
    struct Access {
        // The file with that key; ESTALE and other errors as in Driver::read().
        std::function<Result<File>(Key)> find;
        // Whether tracks/ is shown.
        std::function<bool()> makes_tracks;
        std::function<void(LogLevel, const std::string&)> log;
    };

    // `memory` must outlive it.
    TagAttributes(TagMemory& memory, Access access) : memory_(memory), access_(std::move(access)) {}

    [[nodiscard]] Result<std::vector<Attribute>> list(Key file) override;
    [[nodiscard]] Result<std::string> get(Key file, const std::string& name) override;
    [[nodiscard]] bool makes_tracks() const override { return access_.makes_tracks(); }

  private:
    TagMemory& memory_;
    Access access_;
};

}  // namespace plugfs::library
