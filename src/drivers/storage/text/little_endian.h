// Numbers in structures that are changed in place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace plugfs::storage {

// `at` and the bytes of T after it lie within `bytes`.
template <class T>
[[nodiscard]] T get_le(std::span<const std::byte> bytes, std::size_t at) {
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        value = static_cast<T>(value | static_cast<T>(static_cast<T>(bytes[at + i]) << (8 * i)));
    }
    return value;
}

template <class T>
void put_le(std::span<std::byte> bytes, std::size_t at, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        bytes[at + i] = static_cast<std::byte>(value >> (8 * i));
    }
}

}  // namespace plugfs::storage
