// ISO 9660 volumes with patches in them, with Rock Ridge and with Joliet, and a script of operations, which are
// answered with EROFS where they would write.

#include "drivers/storage/iso/records.h"
#include "drivers/storage/text/little_endian.h"
#include "volume_fuzzing.h"

#include <array>
#include <string_view>

using namespace plugfs;
using namespace plugfs::fuzz;
using storage::put_le;
using storage::iso::sector_size;

namespace {

constexpr std::size_t root_sector = 19;
constexpr std::size_t joliet_sector = 20;
constexpr std::size_t folder_sector = 21;
constexpr std::size_t data_sector = 22;
constexpr std::size_t more_sector = 23;  // where system use areas go on
constexpr std::size_t sectors = 25;

using namespace std::string_view_literals;

void put(std::span<std::byte> bytes, std::string_view text) {
    std::copy_n(reinterpret_cast<const std::byte*>(text.data()), text.size(), bytes.begin());
}

struct Item {
    std::string_view name;
    std::size_t sector;
    std::uint32_t size;
    std::uint8_t flags;
    std::string_view system_use;
};

// Returns the record's length.
std::size_t put_record(std::span<std::byte> at, const Item& item) {
    const std::size_t before = 33 + item.name.size() + (item.name.size() + 1) % 2;
    const std::size_t length = (before + item.system_use.size() + 1) / 2 * 2;
    put_le<std::uint8_t>(at, 0, static_cast<std::uint8_t>(length));
    put_le<std::uint32_t>(at, 2, static_cast<std::uint32_t>(item.sector));
    put_le<std::uint32_t>(at, 10, item.size);
    put_le<std::uint32_t>(at, 18, 0x0a010b7e);
    put_le<std::uint8_t>(at, 25, item.flags);
    put_le<std::uint8_t>(at, 32, static_cast<std::uint8_t>(item.name.size()));
    put(at.subspan(33), item.name);
    put(at.subspan(before), item.system_use);
    return length;
}

void put_folder(std::span<std::byte> at, std::span<const Item> items) {
    for (const Item& item : items) {
        at = at.subspan(put_record(at, item));
    }
}

std::vector<std::byte> fresh_iso(bool rock_ridge) {
    std::vector<std::byte> image(sectors * sector_size);
    const auto sector = [&image](std::size_t number) { return std::span(image).subspan(number * sector_size); };
    put(sector(16), "\1CD001\1"sv);
    put(sector(17), "\2CD001\1"sv);
    put(sector(18), "\377CD001\1"sv);
    put(sector(17).subspan(88), "%/E"sv);
    for (const std::size_t number : {std::size_t{16}, std::size_t{17}}) {
        put_le<std::uint32_t>(sector(number), 80, sectors);
        put_le<std::uint16_t>(sector(number), 128, sector_size);
        const std::size_t root = number == 16 ? root_sector : joliet_sector;
        (void)put_record(sector(number).subspan(156), {"\0"sv, root, sector_size, 2, ""sv});
    }
    std::string more("CE\34\1", 4);
    more += std::string("\27\0\0\0\0\0\0\0", 8) + std::string(8, '\0') + std::string("\20\0\0\0\0\0\0\0", 8);
    const Item root[] = {
        {"\0"sv, root_sector, sector_size, 2, rock_ridge ? "SP\7\1\276\357\0"sv : ""sv},
        {"\1"sv, root_sector, sector_size, 2, ""sv},
        {"DIR"sv, folder_sector, sector_size, 2, "PX\44\1\355A\0\0\355A\0\0\2\0\0\0\2\0\0\0"sv},
        {"FILE.TXT;1"sv, data_sector, 1000, 0x80, "NM\10\1\0a b"sv},
        {"FILE.TXT;1"sv, data_sector, 500, 0, "NM\10\1\0a b"sv},
        {"LONG.TXT;1"sv, data_sector, 30, 0, more},
        {"MOVED"sv, data_sector, 30, 0, "CL\14\1\25\0\0\0\0\0\0\25"sv},
    };
    put_folder(sector(root_sector), root);
    put(sector(more_sector), "NM\10\1\1so NM\10\1\0 on"sv);
    const Item below[] = {{"\0"sv, folder_sector, sector_size, 2, ""sv},
                          {"\1"sv, root_sector, sector_size, 2, ""sv},
                          {"INNER.;1"sv, data_sector, 2048, 0, "RE\4\1"sv}};
    put_folder(sector(folder_sector), below);
    const Item joliet[] = {{"\0"sv, joliet_sector, sector_size, 2, ""sv},
                           {"\1"sv, joliet_sector, sector_size, 2, ""sv},
                           {"\0a\0 \0b"sv, data_sector, 1000, 0, ""sv},
                           {"\0d"sv, folder_sector, sector_size, 2, ""sv}};
    put_folder(sector(joliet_sector), joliet);
    return image;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::array<std::vector<std::byte>, 2> images = {fresh_iso(true), fresh_iso(false)};
    ByteReader input({reinterpret_cast<const std::byte*>(data), size});
    auto image = images[input.u8() % images.size()];
    patch(image, input);
    MemoryDevice device(std::move(image));
    run_script(device, input);
    return 0;
}
