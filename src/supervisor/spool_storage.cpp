#include "supervisor/spool_storage.h"

#include "common/log.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

namespace plugfs {

namespace {

// What the kit does with it (kit/spool_file.h): offsets of terabytes, and giving space back.
bool is_fit(int fd) {
    constexpr off_t far = off_t{8} << 40U;
    const char byte = 0;
    return ::pwrite(fd, &byte, 1, far) == 1 &&
           ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, far, 4096) == 0;
}

}  // namespace

Result<UniqueFd> create_spool(const std::string& state_directory) {
    if (!state_directory.empty()) {
        UniqueFd file(::open(state_directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
        if (file && is_fit(file.get())) {
            return file;
        }
        log::debug("spool: no file in " + state_directory + " (" + std::strerror(errno) + "): in memory");
    }
    UniqueFd memory(::memfd_create("plugfs-spool", MFD_CLOEXEC));
    if (!memory) {
        return fail(errno, "spool", "memfd_create");
    }
    return memory;
}

}  // namespace plugfs
