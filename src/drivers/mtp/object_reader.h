// ObjectReader: bytes of objects, by the best way that the device has.
//
//   GetPartialObject64   any offset (Android's extension)
//   GetPartialObject     offsets below 4 GiB
//   GetObject            devices with neither: the object is read from its beginning, and reads are served as the data
//   arrives. The
//                        transaction stays open between reads; another operation ends it, and it begins anew when it is
//                        needed again.
//
// What the device lacks is learnt from its list of operations and, where that list was wrong, from its answer. No read
// ever passes the object's end: many devices hang on that.
#pragma once

#include "drivers/mtp/datasets.h"
#include "drivers/mtp/session.h"

#include <plugfs/driver.h>

#include <span>

namespace plugfs::mtp {

class ObjectReader {
  public:
    ObjectReader(Session& session, const DeviceInfo& info, Host& host);

    // Reads [offset, offset + out.size()) of an object of `size` bytes; the range lies within it.
    Result<std::size_t> read(std::uint32_t handle, std::uint64_t size, std::uint64_t offset, std::span<std::byte> out);
    // Ends a GetObject that is open between reads. To be called before any other operation.
    void interrupt();

  private:
    Result<std::size_t> read_64(std::uint32_t handle, std::uint64_t offset, std::span<std::byte> out);
    Result<std::size_t> read_32(std::uint32_t handle, std::uint64_t offset, std::span<std::byte> out);
    Result<std::size_t> read_whole(std::uint32_t handle, std::uint64_t size, std::uint64_t offset,
                                   std::span<std::byte> out);
    Result<void> skip_to(std::uint64_t offset);

    Session& session_;
    Host& host_;
    bool partial_64_;
    bool partial_32_;
    std::uint32_t open_handle_ = 0;  // of the GetObject under way; 0: none
    std::uint64_t position_ = 0;     // of its next byte
};

}  // namespace plugfs::mtp
