#include "drivers/storage/cut_workload.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace plugfs::test {

std::vector<Moment> work(ImageDevice& device, storage::Volume& volume, unsigned seed, unsigned operations) {
    const bool ext = volume.info().type.rfind("ext", 0) == 0;
    ModelRun run(volume, seed, {.file_size = 20'000, .entries = 60, .case_matters = ext});
    std::vector<Moment> moments;
    device.record();
    for (unsigned i = 0; i < operations; ++i) {
        const std::size_t event = device.events().size();
        Tree before = run.flushed();
        run.step();
        moments.push_back({event, std::move(before), run.touched()});
    }
    return moments;
}

namespace {

bool touched(const Moment& moment, const std::string& path) {
    return std::any_of(moment.touched.begin(), moment.touched.end(), [&](const std::string& other) {
        return path == other || (other.back() == '/' && path.rfind(other, 0) == 0);
    });
}

}  // namespace

void check_flushed(storage::Volume& volume, std::span<const Moment> moments) {
    const Tree found = read_tree(volume);
    for (const auto& [path, content] : moments.back().flushed) {
        if (touched(moments.back(), path)) {
            continue;
        }
        const std::string name = path;  // clang 14 captures no structured binding
        CAPTURE(name);
        const auto there = found.find(path);
        REQUIRE(there != found.end());
        CHECK((there->second == content));
    }
}

}  // namespace plugfs::test
