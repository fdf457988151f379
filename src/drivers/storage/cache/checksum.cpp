#include "drivers/storage/cache/checksum.h"

#include <cstring>

namespace plugfs::storage {

namespace {

constexpr std::uint64_t multiplier = 0x9e3779b97f4a7c15;

std::uint64_t mix(std::uint64_t hash, std::uint64_t word) {
    hash = (hash ^ word) * multiplier;
    return hash ^ (hash >> 29U);
}

}  // namespace

std::uint64_t checksum64(std::span<const std::byte> bytes, std::uint64_t seed) {
    // Sums, and sums of sums, which tell what has changed places; in four lanes, so that they need not wait for each
    // other. Each by its own name: as arrays the compiler keeps them in memory, which takes twice as long.
    constexpr std::size_t stride = 4 * sizeof(std::uint64_t);
    std::uint64_t sum0 = seed + 1;
    std::uint64_t sum1 = seed + 2;
    std::uint64_t sum2 = seed + 3;
    std::uint64_t sum3 = seed + 4;
    std::uint64_t weighted0 = 0;
    std::uint64_t weighted1 = 0;
    std::uint64_t weighted2 = 0;
    std::uint64_t weighted3 = 0;
    const std::uint64_t length = bytes.size();
    const std::byte* at = bytes.data();
    for (std::size_t left = bytes.size() / stride; left > 0; --left, at += stride) {
        std::array<std::uint64_t, 4> words;
        std::memcpy(words.data(), at, sizeof words);
        sum0 += words[0];
        sum1 += words[1];
        sum2 += words[2];
        sum3 += words[3];
        weighted0 += sum0;
        weighted1 += sum1;
        weighted2 += sum2;
        weighted3 += sum3;
    }
    bytes = bytes.subspan(bytes.size() / stride * stride);
    std::array<std::uint64_t, 4> rest{};
    if (!bytes.empty()) {
        std::memcpy(rest.data(), bytes.data(), bytes.size());
    }
    std::uint64_t hash = length;
    hash = mix(mix(mix(hash, sum0), weighted0), rest[0]);
    hash = mix(mix(mix(hash, sum1), weighted1), rest[1]);
    hash = mix(mix(mix(hash, sum2), weighted2), rest[2]);
    hash = mix(mix(mix(hash, sum3), weighted3), rest[3]);
    return hash;
}

}  // namespace plugfs::storage
