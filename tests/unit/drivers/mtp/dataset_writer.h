// Datasets as a device would send them, for tests: PTP 5.5, MTP 5 and appendices B and E.
#pragma once

#include "drivers/mtp/datasets.h"

#include <plugfs/bytes.h>

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace plugfs::mtp::test {

// A string with its count and its terminating null; an empty one is the count 0 alone (PTP 5.3.4).
void put_string(ByteWriter& out, std::u16string_view text);
void put_array(ByteWriter& out, std::initializer_list<std::uint16_t> numbers);

// DeviceInfo of a player, offering these operations.
std::vector<std::byte> device_info(std::initializer_list<std::uint16_t> operations);
std::vector<std::byte> storage_info(std::u16string_view description, std::u16string_view label);

// An object, as ObjectInfo and as an ObjectPropList describe it.
struct Described {
    std::uint32_t handle = 0;
    std::uint32_t storage = 0x00010001;
    std::uint16_t format = format::mp3;
    std::uint64_t size = 0;
    std::uint32_t parent = 0;
    std::u16string name;
    std::u16string modified = u"20240229T120000Z";
};
std::vector<std::byte> object_info(const Described& object);
// The elements of an ObjectPropList.
std::vector<std::byte> object_prop_list(std::span<const Described> objects);

// An ObjectPropList of any elements.
class PropListWriter {
  public:
    // Begins an element; its value is to be put into what is returned.
    ByteWriter& element(std::uint32_t handle, std::uint16_t property, std::uint16_t type);
    // With the true count, or another.
    [[nodiscard]] std::vector<std::byte> list() const { return list(count_); }
    [[nodiscard]] std::vector<std::byte> list(std::uint32_t count) const;

  private:
    ByteWriter elements_;
    std::uint32_t count_ = 0;
};

}  // namespace plugfs::mtp::test
