// The records of changes of names in the vault, as a successor reads them: their writer has crashed, or was taken over.

#include "common/checksum.h"
#include "kit/operation_log.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

using namespace plugfs;
using namespace plugfs::kit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static UniqueFd fd;
    static const VaultMapping vault = [] {
        auto made = VaultMapping::create(fd);
        if (!made) {
            std::abort();
        }
        return std::move(*made);
    }();
    const auto record = vault.operation(0);
    const std::size_t length = std::min(size, record.size());
    std::copy_n(reinterpret_cast<const std::byte*>(data), length, record.begin());
    // A wrong checksum is found at once: most of the time it is right, so that what is behind it is tried.
    std::uint32_t body = 0;
    std::memcpy(&body, record.data() + 8, sizeof body);
    if (length >= 16 && body <= record.size() - 16 && body % 8 != 7) {
        const std::uint32_t sum = checksum(record.subspan(16, body));
        std::memcpy(record.data() + 12, &sum, sizeof sum);
    }
    OperationLog log(vault);
    const auto left = log.left();
    if (left && left->size() > 1) {
        std::abort();
    }
    if (left && !left->empty()) {
        // What can be read can be written again, and is the same.
        log.release(left->front().record);
        const auto again = log.prepare(left->front().operation);
        if (!again) {
            std::abort();
        }
        log.acting(*again);
        const auto copy = log.left();
        if (!copy || copy->size() != 1 || !(copy->front().operation == left->front().operation)) {
            std::abort();
        }
        log.release(*again);
    }
    std::fill_n(record.begin(), length, std::byte{0});
    return 0;
}
