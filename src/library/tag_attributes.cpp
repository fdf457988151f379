#include "library/tag_attributes.h"

namespace plugfs::library {

Result<std::vector<Attribute>> TagAttributes::list(Key key) {
    PLUGFS_ASSIGN(const auto found, access_.find(key));
    const auto& [file, identity] = found;
    if (!may_have_tags(file.name)) {
        return fail(ENODATA, "tags", "no audio file");
    }
    if (auto known = memory_.find(identity)) {
        return std::move(*known);
    }
    if (!memory_.begin(identity)) {
        access_.log(LogLevel::warning,
                    quoted(file.name) + ": not asked for its tags any more: drivers have died while they read them");
        memory_.keep(identity, {});
        return std::vector<Attribute>();
    }
    auto tags = read_tags(file);
    if (!tags && tags.error().code != ENODATA) {
        memory_.forget(identity.volume, identity.place);
        return tags;
    }
    if (!tags) {
        tags = std::vector<Attribute>();
    }
    memory_.keep(identity, *tags);
    return tags;
}

Result<std::string> TagAttributes::get(Key key, const std::string& name) {
    if (name != "media.cover") {
        return fail(ENODATA, name);
    }
    PLUGFS_ASSIGN(const auto found, access_.find(key));
    return read_cover(found.file);
}

}  // namespace plugfs::library
