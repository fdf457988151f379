// ObjectAttributes: what is known of an object, as attributes: from its properties (MTP appendix B), and for devices
// that have none from the tags in the file.
//
// Properties that came with a listing are in the catalogue; otherwise the device is asked for each, as far as it says
// that it has them for objects of that format.
#pragma once

#include "drivers/mtp/album_covers.h"
#include "drivers/mtp/catalogue.h"
#include "drivers/mtp/session.h"
#include "library/tags.h"

#include <plugfs/attributes.h>
#include <plugfs/driver.h>

#include <functional>
#include <map>
#include <set>

namespace plugfs::mtp {

// A property's value as the attribute has it, and the other way round (EINVAL: it cannot be one).
[[nodiscard]] std::string attribute_text(std::uint16_t property, const std::string& value);
[[nodiscard]] Result<std::string> property_text(std::uint16_t property, const std::string& value);

class ObjectAttributes : public Attributes {
  public:
    // What the driver does for it.
    struct Access {
        // Runs an operation while no other transaction is open, and again after a recovery where that may help.
        std::function<Result<void>(const std::function<Result<void>()>&)> alone;
        // The same with an object, as it is in the session at that moment. ESTALE: it is not there any more.
        std::function<Result<void>(Key, const std::function<Result<void>(const Catalogue::Object&)>&)> with_object;
        std::function<Result<std::size_t>(Key, std::uint64_t, std::span<std::byte>)> read;
    };

    // All must outlive it.
    ObjectAttributes(Session& session, const DeviceInfo& info, Catalogue& catalogue, AlbumCovers& covers, Access access)
        : session_(session), info_(info), catalogue_(catalogue), covers_(covers), access_(std::move(access)) {}

    [[nodiscard]] Result<std::vector<Attribute>> list(Key file) override;
    [[nodiscard]] Result<std::string> get(Key file, const std::string& name) override;
    [[nodiscard]] Result<void> set(Key file, const std::string& name, const std::optional<std::string>& value) override;
    [[nodiscard]] bool makes_tracks() const override { return true; }

  private:
    Result<Catalogue::Object> object_of(Key file);
    Result<const std::set<std::uint16_t>*> supported(std::uint16_t object_format);
    Result<void> ask_properties(Key file, std::uint16_t object_format, MediaProperties& properties);
    [[nodiscard]] library::TaggedFile tagged_file(const Catalogue::Object& object) const;
    Result<std::string> thumbnail(Key file);

    Session& session_;
    const DeviceInfo& info_;
    Catalogue& catalogue_;
    AlbumCovers& covers_;
    Access access_;
    std::map<std::uint16_t, std::set<std::uint16_t>> supported_;  // properties, by format; bounded
};

}  // namespace plugfs::mtp
