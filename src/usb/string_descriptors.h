// Reads a device's string descriptors (USB 2.0, 9.6.7) and turns them into UTF-8.
#pragma once

#include <plugfs/usb.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace plugfs::usb {

// UTF-16LE as UTF-8. A surrogate without its other half becomes U+FFFD, as does an odd byte at the end; trailing NULs,
// with which some devices pad, are dropped.
[[nodiscard]] std::string utf8_from_utf16le(std::span<const std::byte> bytes);

// Reads strings with control transfers. A device without strings, or with a broken one, is no reason to refuse it: what
// cannot be read is empty. After a string that did not come in time no further one is asked for, since each would cost
// as much again.
class StringReader {
  public:
    // `device` must outlive the reader.
    StringReader(Device& device, Deadline deadline) : device_(device), deadline_(deadline) {}

    // The string with this descriptor number, in the device's first language; empty for number 0.
    [[nodiscard]] std::string read(std::uint8_t index);

  private:
    // The body of string descriptor `index`; nothing when the device does not give a valid one.
    std::optional<std::string> read_body(std::uint8_t index, std::uint16_t language);
    Result<std::size_t> request(std::uint8_t index, std::uint16_t language, std::span<std::byte> out);

    Device& device_;
    Deadline deadline_;
    bool given_up_ = false;
    std::optional<std::uint16_t> language_;
};

}  // namespace plugfs::usb
