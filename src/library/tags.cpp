#include "library/tags.h"

#include "library/file_stream.h"

#include <taglib/asffile.h>
#include <taglib/attachedpictureframe.h>
#include <taglib/fileref.h>
#include <taglib/flacfile.h>
#include <taglib/id3v2tag.h>
#include <taglib/mp4file.h>
#include <taglib/mpegfile.h>
#include <taglib/oggfile.h>
#include <taglib/tpropertymap.h>
#include <taglib/wavfile.h>
#include <taglib/xiphcomment.h>

#include <algorithm>
#include <cctype>

namespace plugfs::library {

namespace {

constexpr std::size_t text_limit = 1024;  // bytes of one value

// What TagLib calls it, and what it is called here.
struct Name {
    const char* property;
    const char* attribute;
};
constexpr Name names[] = {{"TITLE", "media.title"},       {"ARTIST", "media.artist"},
                          {"ALBUM", "media.album"},       {"ALBUMARTIST", "media.album_artist"},
                          {"GENRE", "media.genre"},       {"COMPOSER", "media.composer"},
                          {"TRACKNUMBER", "media.track"}, {"DISCNUMBER", "media.disc"}};

std::string lower_extension(std::string_view filename) {
    const auto dot = filename.rfind('.');
    std::string extension(dot == std::string_view::npos ? "" : filename.substr(dot + 1));
    std::transform(extension.begin(), extension.end(), extension.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    return extension;
}

// Valid UTF-8 (TagLib's own), in one line, not too long.
std::string clean(const TagLib::String& text) {
    std::string utf8 = text.stripWhiteSpace().to8Bit(true);
    std::replace_if(
        utf8.begin(), utf8.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
    if (utf8.size() > text_limit) {
        std::size_t end = text_limit;
        while (end > 0 && (static_cast<unsigned char>(utf8[end]) & 0xC0U) == 0x80) {
            --end;
        }
        utf8.resize(end);
    }
    return utf8;
}

// "3/12" is 3; what is no number is left out.
std::string number(const std::string& text) {
    const auto end = std::find_if(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) == 0; });
    constexpr std::size_t most_digits = 6;
    const std::string digits(text.begin(), end);
    return digits.size() <= most_digits ? digits : std::string();
}

TagLib::ByteVector picture_of(const TagLib::List<TagLib::FLAC::Picture*>& pictures) {
    TagLib::ByteVector found;
    for (const auto* picture : pictures) {
        if (found.isEmpty() || picture->type() == TagLib::FLAC::Picture::FrontCover) {
            found = picture->data();
        }
    }
    return found;
}

TagLib::ByteVector picture_of(const TagLib::ID3v2::Tag* tag) {
    TagLib::ByteVector found;
    if (tag == nullptr) {
        return found;
    }
    for (const auto* frame : tag->frameList("APIC")) {
        const auto* picture = dynamic_cast<const TagLib::ID3v2::AttachedPictureFrame*>(frame);
        if (picture != nullptr &&
            (found.isEmpty() || picture->type() == TagLib::ID3v2::AttachedPictureFrame::FrontCover)) {
            found = picture->picture();
        }
    }
    return found;
}

TagLib::ByteVector picture_of(TagLib::File* file) {
    if (auto* mpeg = dynamic_cast<TagLib::MPEG::File*>(file)) {
        return picture_of(mpeg->ID3v2Tag(false));
    }
    if (auto* wave = dynamic_cast<TagLib::RIFF::WAV::File*>(file)) {
        return picture_of(wave->ID3v2Tag());
    }
    if (auto* flac = dynamic_cast<TagLib::FLAC::File*>(file)) {
        return picture_of(flac->pictureList());
    }
    if (auto* mp4 = dynamic_cast<TagLib::MP4::File*>(file); mp4 != nullptr && mp4->tag() != nullptr) {
        const auto covers = mp4->tag()->item("covr").toCoverArtList();
        return covers.isEmpty() ? TagLib::ByteVector() : covers.front().data();
    }
    if (auto* asf = dynamic_cast<TagLib::ASF::File*>(file); asf != nullptr && asf->tag() != nullptr) {
        const auto pictures = asf->tag()->attribute("WM/Picture");
        return pictures.isEmpty() ? TagLib::ByteVector() : pictures.front().toPicture().picture();
    }
    if (auto* ogg = dynamic_cast<TagLib::Ogg::File*>(file)) {
        auto* comment = dynamic_cast<TagLib::Ogg::XiphComment*>(ogg->tag());
        return comment != nullptr ? picture_of(comment->pictureList()) : TagLib::ByteVector();
    }
    return {};
}

}  // namespace

bool may_have_tags(std::string_view filename) {
    const std::string extension = lower_extension(filename);
    constexpr std::string_view known[] = {"mp3", "mp2",  "aac", "m4a",  "m4b", "mp4", "ogg",
                                          "oga", "opus", "spx", "flac", "wma", "asf", "wav",
                                          "aif", "aiff", "ape", "mpc",  "wv",  "tta", "3g2"};
    return std::find(std::begin(known), std::end(known), extension) != std::end(known);
}

Result<std::vector<Attribute>> read_tags(const TaggedFile& file) {
    if (!may_have_tags(file.name)) {
        return fail(ENODATA, "tags", "no audio file");
    }
    FileStream stream(file);
    const TagLib::FileRef reference(&stream, true, TagLib::AudioProperties::Fast);
    if (stream.error()) {
        return *stream.error();
    }
    if (reference.isNull() || reference.tag() == nullptr) {
        return fail(ENODATA, "tags", "the content is not what the name says");
    }
    std::vector<Attribute> attributes;
    const auto add = [&attributes](const char* name, std::string value) {
        if (!value.empty()) {
            attributes.push_back({name, std::move(value)});
        }
    };
    const TagLib::PropertyMap properties = reference.file()->properties();
    for (const auto& [property, name] : names) {
        const auto found = properties.find(property);
        if (found != properties.end() && !found->second.isEmpty()) {
            const bool counts = std::string_view(name) == "media.track" || std::string_view(name) == "media.disc";
            const std::string value = clean(found->second.front());
            add(name, counts ? number(value) : value);
        }
    }
    if (const unsigned year = reference.tag()->year(); year > 0 && year < 10000) {
        add("media.year", std::to_string(year));
    }
    if (const auto* audio = reference.audioProperties(); audio != nullptr && audio->lengthInMilliseconds() > 0) {
        add("media.duration_ms", std::to_string(audio->lengthInMilliseconds()));
    }
    if (const auto picture = picture_of(reference.file());
        !picture.isEmpty() && picture.size() <= Attributes::value_limit) {
        attributes.push_back({"media.cover", "", picture.size()});
    }
    return attributes;
}

Result<std::string> read_cover(const TaggedFile& file) {
    FileStream stream(file);
    const TagLib::FileRef reference(&stream, false);
    if (stream.error()) {
        return *stream.error();
    }
    if (reference.isNull()) {
        return fail(ENODATA, "cover", "no audio file");
    }
    const auto picture = picture_of(reference.file());
    if (picture.isEmpty()) {
        return fail(ENODATA, "cover", "there is none");
    }
    if (picture.size() > Attributes::value_limit) {
        return fail(EFBIG, "cover", std::to_string(picture.size()) + " bytes");
    }
    return std::string(picture.data(), picture.size());
}

}  // namespace plugfs::library
