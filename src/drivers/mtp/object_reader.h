// ObjectReader: bytes of objects, by the best way that the device has.
//
//   GetPartialObject64   any offset (Android's extension)
//   GetPartialObject     offsets below 4 GiB
//   GetObject            devices with neither, see whole_object.h
//
// What the device lacks is learnt from its list of operations and, where that list was wrong, from its answer. No read
// ever passes the object's end: many devices hang on that.
#pragma once

#include "drivers/mtp/datasets.h"
#include "drivers/mtp/session.h"
#include "drivers/mtp/whole_object.h"

#include <plugfs/driver.h>

#include <span>

namespace plugfs::mtp {

class ObjectReader {
  public:
    // `session` and `host` must outlive it.
    ObjectReader(Session& session, const DeviceInfo& info, Host& host);

    // Reads [offset, offset + out.size()) of an object of `size` bytes; what passes the end is not asked for. Fewer
    // bytes: the object is shorter than `size` by now.
    Result<std::size_t> read(std::uint32_t handle, std::uint64_t size, std::uint64_t offset, std::span<std::byte> out);

    // A GetObject may be open between reads: see WholeObject.
    [[nodiscard]] WholeObject& whole() { return whole_; }

  private:
    [[nodiscard]] bool fills_last_packet(std::uint64_t size, std::uint64_t offset, std::size_t length) const;
    Result<std::size_t> read_range(std::uint32_t handle, std::uint64_t size, std::uint64_t offset,
                                   std::span<std::byte> out);
    Result<std::size_t> read_parts(std::uint16_t operation, std::uint32_t handle, std::uint64_t offset,
                                   std::span<std::byte> out);
    bool lacks(const Error& error, const char* what);

    Session& session_;
    Host& host_;
    WholeObject whole_;
    bool partial_64_;
    bool partial_32_;
};

}  // namespace plugfs::mtp
