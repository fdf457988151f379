// A small library of real, playable, tagged tracks for the demo and the tests.
#pragma once

#include <plugfs/result.h>

#include <filesystem>

namespace plugfs::virtual_usb {

// Writes `tracks` short tracks (WAV, 16 bit, mono, with LIST/INFO and ID3v2.4 tags) as Music/<Artist>/<Album>/<NN
// Title>.wav, a playlist and a cover below `output`, which is created. The same at every call.
Result<void> generate_library(const std::filesystem::path& output, unsigned tracks);

// A file of `size` bytes in which every 8 bytes are their own offset (little-endian), so that a wrong byte shows where
// it came from.
Result<void> generate_pattern(const std::filesystem::path& file, std::uint64_t size);

}  // namespace plugfs::virtual_usb
