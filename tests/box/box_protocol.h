// What the box (tests/box/virtual_box.cpp) understands. It has no class of its own: vendor requests on endpoint 0.
//
// A command goes out as the data of request 1 and is carried out when it arrives, whole or not at all; its answer comes
// as the data of request 2: a status (errno, 16 bits), then what the command gives. Numbers are little-endian. An
// entry: number 32, kind 8 (1: a folder), size 64, time of change 64, length of name 8, name.
#pragma once

#include <cstddef>
#include <cstdint>

namespace plugfs::box {

enum Request : std::uint8_t { request_command = 1, request_answer = 2 };

enum class Command : std::uint8_t {
    hello = 1,     // a new session: all objects get new numbers, the old ones are answered with ESTALE
    list,          // folder 32, first 32: next 32, entries
    read,          // file 32, offset 64, length 32: bytes
    write,         // file 32, offset 64, bytes
    create,        // folder 32, kind 8, name to the end: entry
    remove,        // number 32
    rename,        // number 32, folder 32, number of what is replaced or 0, name to the end: entry
    resize,        // file 32, size 64
    look,          // number 32: entry
    set_modified,  // number 32, seconds 64: entry
    space,         // total 64, free 64
};

inline constexpr std::uint32_t root_folder = 0;
inline constexpr std::size_t data_limit = 32'768;    // bytes of a file in one command or answer
inline constexpr std::size_t answer_limit = 40'000;  // of a whole answer
inline constexpr std::uint64_t capacity = std::uint64_t{256} << 20U;

}  // namespace plugfs::box
