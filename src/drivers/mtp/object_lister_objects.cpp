// ObjectLister: what is asked of one object.

#include "drivers/mtp/object_lister.h"
#include "drivers/mtp/property_value.h"

#include <utility>

namespace plugfs::mtp {

namespace {
// The largest file; beyond it the kernel refuses the whole folder.
constexpr std::uint64_t size_limit = INT64_MAX;
}  // namespace

Result<ObjectInfo> ObjectLister::info(std::uint32_t handle) {
    PLUGFS_ASSIGN(const auto dataset, session_.dataset(operation::get_object_info, {handle}, std::size_t{64} << 10U));
    PLUGFS_ASSIGN(auto object, parse_object_info(handle, dataset));
    PLUGFS_TRY(complete_size(object));
    return object;
}

Result<std::shared_ptr<MediaProperties>> ObjectLister::media(std::uint32_t handle) {
    if (!gives_media_) {
        return std::shared_ptr<MediaProperties>();
    }
    const bool lists = lists_media();
    auto found = lists ? media_by_list(handle) : media_by_values(handle);
    // It is only words: what does not give them at once is not asked for more in that way.
    if (!found && found.error().code != ENOENT) {
        (lists ? object_property_list_ : gives_media_) = false;
    }
    return found;
}

Result<std::shared_ptr<MediaProperties>> ObjectLister::media_by_list(std::uint32_t handle) {
    constexpr std::uint32_t no_group = 0;
    constexpr std::uint32_t itself_only = 0;
    PLUGFS_ASSIGN(const auto dataset, session_.dataset(operation::get_object_prop_list,
                                                       {handle, any_format, all_properties, no_group, itself_only}));
    PLUGFS_ASSIGN(auto objects, parse_object_prop_list(dataset));
    if (objects.size() != 1 || objects.front().handle != handle) {
        return fail(EIO, "GetObjectPropList", std::to_string(objects.size()) + " objects, one was asked for");
    }
    return std::move(objects.front().media);
}

Result<std::shared_ptr<MediaProperties>> ObjectLister::media_by_values(std::uint32_t handle) {
    constexpr std::pair<std::uint16_t, std::uint16_t> wanted[] = {{object_property::artist, data_type::string},
                                                                  {object_property::name, data_type::string},
                                                                  {object_property::duration, data_type::uint32}};
    auto media = std::make_shared<MediaProperties>();
    for (const auto& [property, type] : wanted) {
        const auto dataset =
            session_.dataset(operation::get_object_prop_value, {handle, property}, std::size_t{64} << 10U);
        if (!dataset && session_.failure() != Session::Failure::refused) {
            return dataset.error();
        }
        ByteReader reader(dataset ? std::span<const std::byte>(*dataset) : std::span<const std::byte>());
        if (auto text = dataset ? read_value_text(reader, type) : std::nullopt; text && !text->empty()) {
            (*media)[property] = std::move(*text);
        }
    }
    return media;
}

Result<void> ObjectLister::complete_size(ObjectInfo& object) {
    if (object.folder()) {
        object.size = 0;
        return {};
    }
    if (!object.size_known && property_value_) {
        PLUGFS_TRY(ask_size(object));
    }
    if (object.size > size_limit) {
        return fail(EIO, "object " + std::to_string(object.handle), "ObjectSize is " + std::to_string(object.size));
    }
    return {};
}

Result<void> ObjectLister::ask_size(ObjectInfo& object) {
    const auto dataset =
        session_.dataset(operation::get_object_prop_value, {object.handle, object_property::object_size}, 64);
    if (!dataset) {
        // Then 4 GiB less a byte is what there is to read.
        return session_.failure() == Session::Failure::refused ? Result<void>() : Result<void>(dataset.error());
    }
    PLUGFS_ASSIGN(object.size, parse_object_size(*dataset));
    object.size_known = true;
    return {};
}

}  // namespace plugfs::mtp
