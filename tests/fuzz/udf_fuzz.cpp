// UDF volumes with patches in them, of whose descriptors those chosen are made good again, so that what lies behind a
// checksum is reached; and a script of operations, which are answered with EROFS where they would write.
//
// The input: the kind of volume; patches; a count, then for each a block (two bytes) whose tag is made good; a script.

#include "drivers/storage/text/little_endian.h"
#include "drivers/storage/udf/udf_maker.h"
#include "volume_fuzzing.h"

#include <array>

using namespace plugfs;
using namespace plugfs::fuzz;
using storage::get_le;

namespace {

constexpr std::size_t block_size = 512;

void seal(std::vector<std::byte>& image, std::size_t number) {
    const auto block = std::span(image).subspan(number % (image.size() / block_size) * block_size, block_size);
    test::put_udf_tag(block, get_le<std::uint16_t>(block, 0), get_le<std::uint32_t>(block, 12));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::array<std::vector<std::byte>, 3> images = {test::make_udf(0), test::make_udf(1),
                                                                 test::make_udf(2)};
    ByteReader input({reinterpret_cast<const std::byte*>(data), size});
    auto image = images[input.u8() % images.size()];
    patch(image, input);
    const unsigned sealed = input.u8();
    for (unsigned i = 0; i < sealed && input.ok(); ++i) {
        seal(image, input.u16le());
    }
    MemoryDevice device(std::move(image));
    run_script(device, input);
    return 0;
}
