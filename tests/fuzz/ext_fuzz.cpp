// ext2 and ext4 volumes with patches in them, open for writing, and a script of operations. They have no checksums,
// which would keep most patches from being looked at.

#include "drivers/storage/ext/device_channel.h"
#include "volume_fuzzing.h"

#include <array>
#include <cstdlib>

using namespace plugfs;
using namespace plugfs::fuzz;

namespace {

struct Shape {
    unsigned log_block_size;  // 0: 1024 bytes
    unsigned blocks;
    bool extents;
};

constexpr Shape shapes[] = {{0, 400, false}, {0, 400, true}, {2, 160, true}};

void must(errcode_t code) {
    if (code != 0) {
        std::abort();
    }
}

// As mke2fs does it, with one group and no journal.
std::vector<std::byte> fresh_ext(const Shape& shape) {
    MemoryDevice device(std::vector<std::byte>(std::size_t{shape.blocks} << (10 + shape.log_block_size)));
    storage::ext::DeviceChannel channel{&device, {}};
    ext2_super_block wanted{};
    wanted.s_rev_level = EXT2_DYNAMIC_REV;
    wanted.s_log_block_size = shape.log_block_size;
    wanted.s_log_cluster_size = shape.log_block_size;
    wanted.s_blocks_count = shape.blocks;
    wanted.s_inodes_count = 64;
    wanted.s_inode_size = 256;
    wanted.s_feature_incompat = EXT2_FEATURE_INCOMPAT_FILETYPE;
    wanted.s_feature_incompat |= shape.extents ? EXT3_FEATURE_INCOMPAT_EXTENTS : 0;
    ext2_filsys fs = nullptr;
    must(storage::ext::with_manager(channel, [&](io_manager manager) {
        return ext2fs_initialize("fuzz", EXT2_FLAG_64BITS | EXT2_FLAG_RW, &wanted, manager, &fs);
    }));
    must(ext2fs_allocate_tables(fs));
    for (ext2_ino_t number = 1; number < EXT2_FIRST_INODE(fs->super); ++number) {
        ext2fs_inode_alloc_stats2(fs, number, 1, 0);
    }
    must(ext2fs_mkdir(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, nullptr));
    fs->super->s_state |= EXT2_VALID_FS;
    must(ext2fs_close_free(&fs));
    populate(device);
    return std::move(device.image());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::array<std::vector<std::byte>, 3> images = {fresh_ext(shapes[0]), fresh_ext(shapes[1]),
                                                                 fresh_ext(shapes[2])};
    run_on_one_of(images, std::as_bytes(std::span(data, size)));
    return 0;
}
