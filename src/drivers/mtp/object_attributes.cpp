#include "drivers/mtp/object_attributes.h"

#include "drivers/mtp/outgoing_datasets.h"
#include "drivers/mtp/property_value.h"

#include <algorithm>
#include <iterator>

namespace plugfs::mtp {

namespace {

namespace prop = object_property;

constexpr std::size_t dataset_limit = std::size_t{64} << 10U;
constexpr std::size_t format_limit = 256;
constexpr const char* thumbnail_name = "media.thumbnail";
constexpr const char* cover_name = "media.cover";

struct Name {
    std::uint16_t property;
    std::uint16_t data_type;
    const char* attribute;
};
constexpr Name names[] = {{prop::name, data_type::string, "media.title"},
                          {prop::artist, data_type::string, "media.artist"},
                          {prop::album_name, data_type::string, "media.album"},
                          {prop::album_artist, data_type::string, "media.album_artist"},
                          {prop::genre, data_type::string, "media.genre"},
                          {prop::composer, data_type::string, "media.composer"},
                          {prop::track, data_type::uint16, "media.track"},
                          {prop::original_release_date, data_type::string, "media.year"},
                          {prop::duration, data_type::uint32, "media.duration_ms"}};

bool is_audio(std::uint16_t object_format) {
    return (object_format >= 0x3007 && object_format <= 0x3009) ||  // AIFF, WAV, MP3
           (object_format >= 0xB900 && object_format <= 0xB97F);    // MTP appendix A: audio
}

}  // namespace

std::string attribute_text(std::uint16_t property, const std::string& value) {
    if (property == prop::original_release_date) {
        const bool has_year = value.size() >= 4 && std::all_of(value.begin(), value.begin() + 4,
                                                               [](unsigned char c) { return c >= '0' && c <= '9'; });
        return has_year ? value.substr(0, 4) : std::string();
    }
    const bool counts = property == prop::track || property == prop::duration;
    return counts && value == "0" ? std::string() : value;
}

Result<std::string> property_text(std::uint16_t property, const std::string& value) {
    if (property != prop::original_release_date) {
        return value;
    }
    const std::string date = value + "0101T000000";
    if (value.size() != 4 || !parse_date_time(date)) {
        return fail(EINVAL, "media.year", quoted(value) + " is no year of four digits");
    }
    return date;
}

Result<Catalogue::Object> ObjectAttributes::object_of(Key file) {
    Catalogue::Object found;
    PLUGFS_TRY(access_.with_object(file, [&found](const Catalogue::Object& object) -> Result<void> {
        found = object;
        return {};
    }));
    return found;
}

library::TaggedFile ObjectAttributes::tagged_file(const Catalogue::Object& object) const {
    return {object.name, object.size, [this, key = object.key](std::uint64_t offset, std::span<std::byte> out) {
                return access_.read(key, offset, out);
            }};
}

Result<const std::set<std::uint16_t>*> ObjectAttributes::supported(std::uint16_t object_format) {
    if (const auto known = supported_.find(object_format); known != supported_.end()) {
        return &known->second;
    }
    if (supported_.size() >= format_limit) {
        supported_.clear();
    }
    std::set<std::uint16_t> properties;
    if (info_.supports(operation::get_object_props_supported)) {
        const auto asked = access_.alone([&]() -> Result<void> {
            PLUGFS_ASSIGN(const auto dataset,
                          session_.dataset(operation::get_object_props_supported, {object_format}, dataset_limit));
            ByteReader reader(dataset);
            for (const std::uint16_t property : read_array_16(reader)) {
                properties.insert(property);
            }
            return reader.ok() ? Result<void>() : fail(EIO, "GetObjectPropsSupported", "the array passes the end");
        });
        if (!asked && asked.error().code == ENODEV) {
            return asked.error();
        }
    }
    return &(supported_[object_format] = std::move(properties));
}

Result<void> ObjectAttributes::ask_properties(Key file, std::uint16_t object_format, MediaProperties& properties) {
    PLUGFS_ASSIGN(const auto* offered, supported(object_format));
    for (const auto& name : names) {
        if (offered->count(name.property) == 0) {
            continue;
        }
        const auto asked = access_.with_object(file, [&](const Catalogue::Object& object) -> Result<void> {
            PLUGFS_ASSIGN(const auto dataset, session_.dataset(operation::get_object_prop_value,
                                                               {object.handle, name.property}, dataset_limit));
            ByteReader reader(dataset);
            if (auto text = read_value_text(reader, name.data_type); text && !text->empty()) {
                properties[name.property] = std::move(*text);
            }
            return {};
        });
        if (!asked && (asked.error().code == ENODEV || session_.failure() != Session::Failure::refused)) {
            return asked.error();
        }
    }
    return {};
}

Result<std::vector<Attribute>> ObjectAttributes::list(Key file) {
    PLUGFS_ASSIGN(const auto object, object_of(file));
    auto media = object.media;
    const bool musical = is_audio(object.object_format) || library::may_have_tags(object.name);
    if (media == nullptr && musical && info_.supports(operation::get_object_prop_value)) {
        media = std::make_shared<MediaProperties>();
        PLUGFS_TRY(ask_properties(file, object.object_format, *media));
        catalogue_.set_media(file, media);
    }
    std::vector<Attribute> attributes;
    const auto has = [&](std::uint16_t property) { return media != nullptr && media->count(property) != 0; };
    // The name of other objects is only their file name again.
    const bool tagged = has(prop::artist) || has(prop::album_name) || has(prop::album_artist);
    for (const auto& name : names) {
        if (has(name.property) && (tagged || name.property != prop::name)) {
            auto text = attribute_text(name.property, media->at(name.property));
            if (!text.empty()) {
                attributes.push_back({name.attribute, std::move(text)});
            }
        }
    }
    if (musical && !tagged) {
        auto tags = library::read_tags(tagged_file(object));
        if (!tags && tags.error().code != ENODATA) {
            return tags.error();
        }
        if (tags) {
            attributes = std::move(*tags);
        }
    }
    PLUGFS_TRY(covers_.look());
    if (const auto size = covers_.size_for(object.handle)) {
        std::erase_if(attributes, [](const Attribute& attribute) { return attribute.name == cover_name; });
        attributes.push_back({cover_name, "", *size});
    }
    if (has(prop::representative_sample_size) && info_.supports(operation::get_thumb)) {
        std::uint64_t size = 0;
        for (const char digit : media->at(prop::representative_sample_size)) {
            size = (size * 10) + static_cast<std::uint64_t>(digit - '0');
        }
        if (size > 0 && size <= value_limit) {
            attributes.push_back({thumbnail_name, "", size});
        }
    }
    return attributes;
}

Result<std::string> ObjectAttributes::get(Key file, const std::string& name) {
    if (name == thumbnail_name) {
        return thumbnail(file);
    }
    if (name != cover_name) {
        return fail(ENODATA, name);
    }
    PLUGFS_ASSIGN(const auto object, object_of(file));
    return covers_.size_for(object.handle) ? covers_.cover_for(object.handle)
                                           : library::read_cover(tagged_file(object));
}

// PTP 10.5.10
Result<std::string> ObjectAttributes::thumbnail(Key file) {
    std::string picture;
    PLUGFS_TRY(access_.with_object(file, [&](const Catalogue::Object& object) -> Result<void> {
        PLUGFS_ASSIGN(const auto bytes, session_.dataset(operation::get_thumb, {object.handle}, value_limit));
        picture.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return {};
    }));
    return picture;
}

Result<void> ObjectAttributes::set(Key file, const std::string& name, const std::optional<std::string>& value) {
    const auto* known =
        std::find_if(std::begin(names), std::end(names), [&name](const Name& item) { return item.attribute == name; });
    if (known == std::end(names) || !info_.supports(operation::set_object_prop_value)) {
        return fail(ENOTSUP, name, "the device cannot set it");
    }
    const bool text = known->data_type == data_type::string;
    PLUGFS_ASSIGN(const auto wanted, property_text(known->property, value.value_or("")));
    if (!value && (!text || known->property == prop::original_release_date)) {
        return fail(ENOTSUP, name, "it can be changed, not removed");
    }
    PLUGFS_ASSIGN(const auto bytes, encode_value(known->data_type, value ? wanted : std::string()));
    PLUGFS_TRY(access_.with_object(file, [&](const Catalogue::Object& object) -> Result<void> {
        std::size_t at = 0;
        const auto source = [&](std::span<std::byte> out) -> Result<void> {
            std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), out.size(), out.begin());
            at += out.size();
            return {};
        };
        const auto sent =
            session_.send(operation::set_object_prop_value, {object.handle, known->property}, bytes.size(), source);
        if (!sent && sent.error().code == EACCES) {
            return fail(EPERM, name, sent.error().detail);
        }
        return sent ? Result<void>() : Result<void>(sent.error());
    }));
    PLUGFS_ASSIGN(const auto object, object_of(file));
    auto media = object.media != nullptr ? std::make_shared<MediaProperties>(*object.media)
                                         : std::make_shared<MediaProperties>();
    if (value && !value->empty()) {
        (*media)[known->property] = wanted;
    } else {
        media->erase(known->property);
    }
    catalogue_.set_media(file, std::move(media));
    return {};
}

}  // namespace plugfs::mtp
