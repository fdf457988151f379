// The player's own properties, and its music beyond files, as the protocol has them.
#include "initiator.h"
#include "virtual/player/library.h"

#include <fstream>

using namespace plugfs;
using namespace plugfs::virtual_usb;
using namespace plugfs::virtual_usb::test;
namespace op = plugfs::mtp::operation;
namespace rc = plugfs::mtp::response;
namespace prop = plugfs::mtp::object_property;
namespace device = plugfs::mtp::device_property;

namespace {

Bytes numbers(std::initializer_list<std::uint32_t> values) {
    ByteWriter out;
    for (const std::uint32_t value : values) {
        out.u32le(value);
    }
    return {out.bytes().begin(), out.bytes().end()};
}

std::vector<std::uint32_t> array(const Reply& reply) {
    REQUIRE(reply.data);
    ByteReader reader(*reply.data);
    std::vector<std::uint32_t> values(reader.u32le());
    for (auto& value : values) {
        value = reader.u32le();
    }
    CHECK(reader.ok());
    CHECK(reader.remaining() == 0);
    return values;
}

}  // namespace

TEST_CASE("values can be set as their descriptions say") {
    DeviceProperties properties("Walkman");
    const auto volume = properties.dataset(device::volume, true);
    REQUIRE(volume);
    ByteReader reader(*volume);
    CHECK(reader.u16le() == device::volume);
    CHECK(reader.u16le() == mtp::data_type::int32);
    CHECK(reader.u8() == 1);
    CHECK(reader.u32le() == 20);
    CHECK(reader.u32le() == 20);
    CHECK(reader.u8() == 1);  // a range
    CHECK(reader.u32le() == 0);
    CHECK(reader.u32le() == 100);
    CHECK(reader.u32le() == 5);
    CHECK(reader.remaining() == 0);
    CHECK(properties.set(device::volume, numbers({35})) == rc::ok);
    CHECK(*properties.dataset(device::volume, false) == numbers({35}));
    CHECK(properties.set(device::volume, numbers({36})) == rc::invalid_device_prop_value);
    CHECK(properties.set(device::volume, numbers({35, 35})) == rc::invalid_device_prop_format);
    CHECK(properties.set(device::volume, Bytes(1)) == rc::invalid_device_prop_format);
    CHECK(properties.set(device::battery_level, Bytes(1)) == rc::access_denied);
    CHECK(properties.set(device::device_friendly_name, Bytes(1, std::byte{200})) == rc::invalid_device_prop_format);
    CHECK(properties.set(0x5099, Bytes(1)) == rc::device_prop_not_supported);
    CHECK(properties.set(0x10000U | device::volume, numbers({35})) == rc::device_prop_not_supported);
    CHECK_FALSE(properties.dataset(0x10000U | device::volume, true));
    CHECK(properties.set_text(device::battery_level, "79"));
    CHECK_FALSE(properties.set_text(device::battery_level, "101"));
    CHECK_FALSE(properties.set_text(0x5099, "1"));
}

TEST_CASE("albums and playlists reference tracks, by any handles that are there") {
    Initiator it;
    REQUIRE(generate_library(it.folder.path(), 2));
    const std::string album = "Music/Anna Sine/First Harmonics/";
    std::ofstream(it.folder.path() / "Playlists/One.pla") << album << "02 Octave.wav\nnothing.wav\n";
    it.open();
    const auto lists =
        array(it.ask(op::get_object_handles, {it.storage, mtp::format::abstract_audio_video_playlist, 0}));
    REQUIRE(lists.size() == 1);
    const auto tracks = array(it.ask(op::get_object_references, {lists[0]}));
    REQUIRE(tracks.size() == 1);
    CHECK(it.store->find(tracks[0])->name == "02 Octave.wav");
    CHECK(array(it.ask(op::get_object_references, {tracks[0]})).empty());
    CHECK(it.ask(op::get_object_references, {0x12345}).code == rc::invalid_object_handle);
    CHECK(it.ask(op::get_thumb, {tracks[0]}).code == rc::no_thumbnail_present);
    CHECK(it.ask(op::get_thumb, {0x12345}).code == rc::invalid_object_handle);
    // Without content, whatever stands in the file.
    const auto size = it.ask(op::get_object_prop_value, {lists[0], prop::object_size});
    CHECK(size.data == Bytes(8));
}
