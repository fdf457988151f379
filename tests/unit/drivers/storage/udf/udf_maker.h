// UDF images in memory, of what others do not write here: a metadata partition, extents of every form, in many pieces.
// The fuzz target begins with them, too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace plugfs::test {

// Makes the tag of a descriptor, which its checksum and CRC go over.
void put_udf_tag(std::span<std::byte> descriptor, std::uint16_t id, std::uint32_t location);

class UdfMaker {
  public:
    // Blocks of 512 bytes. `metadata`: entries lie in a metadata partition, whose file is in three pieces.
    explicit UdfMaker(bool metadata);

    struct File {
        std::uint8_t type = 5;  // 4: a folder
        bool within = false;    // the content lies in the entry
        bool extended = false;  // an extended file entry
        bool chained = false;   // each extent but the first is described in a block of its own
        unsigned pieces = 1;    // into which the content is cut
    };
    // Adds a file's entry; returns its block, of at most 29.
    std::uint32_t add(const File& file, std::string_view content);
    // An identifier, for a folder's content. `flags`: 2 a folder, 4 deleted, 8 the folder above.
    [[nodiscard]] std::string identifier(std::string_view name, std::uint32_t entry, std::uint8_t flags = 0) const;
    // With the file set, the volume is complete.
    void finish(std::uint32_t root);

    [[nodiscard]] std::vector<std::byte>& image() { return image_; }
    // Where an entry lies in the image, bytes.
    [[nodiscard]] std::size_t place(std::uint32_t entry) const;
    // The tag of the block there is made, or made good after a change.
    void seal(std::size_t at, std::uint16_t id, std::uint32_t location);
    // The same for an entry.
    void seal_entry(std::uint32_t entry, bool extended = false);

  private:
    [[nodiscard]] std::span<std::byte> block(std::size_t at);
    std::uint32_t put_data(std::string_view bytes);
    std::size_t put_extent(std::span<std::byte> to, std::uint32_t length, std::uint32_t at) const;
    void put_volume();
    void put_metadata_files();

    bool metadata_;
    std::vector<std::byte> image_;
    std::uint32_t next_entry_ = 1;
    std::uint32_t next_data_ = 40;
};

// Folders and files of every kind that it makes; `flavour`: 0 to 2.
std::vector<std::byte> make_udf(unsigned flavour);

}  // namespace plugfs::test
