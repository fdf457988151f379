#include "drivers/mtp/album_covers.h"

#include "drivers/mtp/datasets.h"

#include <plugfs/attributes.h>

#include <algorithm>
#include <utility>

namespace plugfs::mtp {

namespace {
constexpr std::chrono::milliseconds part_time{20};
constexpr std::size_t album_limit = 20'000;
constexpr std::size_t track_limit = 1'000'000;
constexpr std::size_t array_limit = std::size_t{4} << 20U;
}  // namespace

Result<void> AlbumCovers::list_albums() {
    listed_ = true;
    const auto& formats = info_.image_formats;
    const bool has_albums = std::find(formats.begin(), formats.end(), format::abstract_audio_album) != formats.end() &&
                            info_.supports(operation::get_object_references) &&
                            info_.supports(operation::get_object_prop_value);
    if (!has_albums) {
        return {};
    }
    const auto asked = alone_([this]() -> Result<void> {
        PLUGFS_ASSIGN(const auto dataset,
                      session_.dataset(operation::get_object_handles, {all_storages, format::abstract_audio_album, 0},
                                       array_limit));
        PLUGFS_ASSIGN(albums_, parse_handles("GetObjectHandles", dataset));
        return {};
    });
    if (!asked) {
        host_.log(LogLevel::info, "no covers of albums: " + asked.error().text());
        return asked.error().code == ENODEV ? asked : Result<void>();
    }
    albums_.resize(std::min(albums_.size(), album_limit));
    return {};
}

Result<void> AlbumCovers::look_at(std::uint32_t album) {
    std::uint64_t size = 0;
    std::vector<std::uint32_t> tracks;
    PLUGFS_TRY(alone_([&]() -> Result<void> {
        PLUGFS_ASSIGN(const auto dataset, session_.dataset(operation::get_object_prop_value,
                                                           {album, object_property::representative_sample_size}, 64));
        ByteReader reader(dataset);
        size = reader.u32le();
        return reader.ok() ? Result<void>() : fail(EIO, "RepresentativeSampleSize", "it passes the end");
    }));
    if (size == 0 || size > Attributes::value_limit) {
        return {};
    }
    PLUGFS_TRY(alone_([&]() -> Result<void> {
        PLUGFS_ASSIGN(const auto dataset, session_.dataset(operation::get_object_references, {album}, array_limit));
        PLUGFS_ASSIGN(tracks, parse_handles("GetObjectReferences", dataset));
        return {};
    }));
    // The handles of a session that has ended meanwhile mean nothing.
    for (const std::uint32_t track : tracks) {
        if (listed_ && covers_.size() < track_limit) {
            covers_[track] = {album, size};
            news_.push_back(track);
        }
    }
    return {};
}

Result<void> AlbumCovers::look() {
    if (!listed_) {
        PLUGFS_TRY(list_albums());
    }
    const auto deadline = Deadline::after(part_time);
    while (next_ < albums_.size() && !deadline.expired()) {
        const auto looked = look_at(albums_[next_++]);
        if (!looked && looked.error().code == ENODEV) {
            return looked;
        }
    }
    return {};
}

std::vector<std::uint32_t> AlbumCovers::take_news() {
    return std::exchange(news_, {});
}

void AlbumCovers::forget() {
    listed_ = false;
    albums_.clear();
    next_ = 0;
    covers_.clear();
    news_.clear();
}

std::optional<std::uint64_t> AlbumCovers::size_for(std::uint32_t track) const {
    const auto found = covers_.find(track);
    return found != covers_.end() ? std::optional(found->second.size) : std::nullopt;
}

Result<std::string> AlbumCovers::cover_for(std::uint32_t track) {
    const auto found = covers_.find(track);
    if (found == covers_.end()) {
        return fail(ENODATA, "cover", "there is none");
    }
    const std::uint32_t album = found->second.album;
    std::string picture;
    PLUGFS_TRY(alone_([&]() -> Result<void> {
        // An array of bytes: its count, then they.
        PLUGFS_ASSIGN(const auto dataset, session_.dataset(operation::get_object_prop_value,
                                                           {album, object_property::representative_sample_data},
                                                           Attributes::value_limit + 4));
        ByteReader reader(dataset);
        const auto bytes = reader.take(reader.u32le());
        picture.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return reader.ok() ? Result<void>() : fail(EIO, "RepresentativeSampleData", "it passes the end");
    }));
    return picture;
}

}  // namespace plugfs::mtp
