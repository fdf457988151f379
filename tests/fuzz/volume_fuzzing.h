// What the fuzz targets of file systems have in common: an input is a list of patches to a fresh image, and a script of
// operations on the volume that comes of it.
//
//   patches: a count, then for each three bytes of offset, a length, and that many bytes
//   script: a code and its operands for each operation, to the end
#pragma once

#include "memory_device.h"

#include "drivers/storage/volume_options.h"

#include <plugfs/bytes.h>

#include <span>
#include <vector>

namespace plugfs::fuzz {

// Takes the patches from the input and makes them.
void patch(std::vector<std::byte>& image, ByteReader& input);
// Opens the volume and does what the rest of the input says. Ends the process if an answer breaks the contract of
// Volume.
void run_script(storage::BlockDevice& device, ByteReader& input, storage::VolumeOptions options = {});
// Both, on one of these images, which the input's first byte chooses.
void run_on_one_of(std::span<const std::vector<std::byte>> images, std::span<const std::byte> bytes,
                   const storage::VolumeOptions& options = {});
// A few files and folders, as a person would have them.
void populate(storage::BlockDevice& device, storage::VolumeOptions options = {});

}  // namespace plugfs::fuzz
