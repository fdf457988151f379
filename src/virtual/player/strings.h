// Strings of datasets (PTP 5.3.4), written from the specification for the player, apart from what the driver does.
#pragma once

#include <plugfs/bytes.h>

#include <string>

namespace plugfs::virtual_usb {

// UTF-8 to UTF-16 units, a count before them; bytes that are no UTF-8 become units that are no UTF-16, which is what
// the initiator shall cope with.
void write_string(ByteWriter& out, const std::string& text);
// The other way round; units that are no UTF-16 become '?'.
std::string take_string(ByteReader& reader);
// PTP 5.3.5: in UTC, or a local time without a zone.
std::string date_time(std::int64_t moment, bool local);

}  // namespace plugfs::virtual_usb
