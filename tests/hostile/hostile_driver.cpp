// A hostile driver: tries to escape, and misbehaves when told to.
//
//   at-start   what came of each escape (escape.h), tried inside start(): "escaped" or the errno, a tab, its name
//   running    the same, tried after the start
//   <misdeed>  reading it commits it (misdeeds.h)
//
// The device's product string tells it what to aim at: "Hostile|<supervisor's pid>|<another worker's pid>|<folder>".

#include "escape.h"
#include "misdeeds.h"

#include <plugfs/driver.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

using namespace plugfs;
using namespace plugfs::hostile;

namespace {

Target target_from(const std::string& product) {
    std::istringstream text(product);
    std::string word;
    std::string supervisor;
    std::string neighbour;
    Target target;
    std::getline(text, word, '|');
    std::getline(text, supervisor, '|');
    std::getline(text, neighbour, '|');
    std::getline(text, target.folder);
    target.supervisor = static_cast<pid_t>(std::strtol(supervisor.c_str(), nullptr, 10));
    target.neighbour = static_cast<pid_t>(std::strtol(neighbour.c_str(), nullptr, 10));
    return target;
}

std::string try_all(const Target& target) {
    std::string report;
    for (const auto& escape : all_escapes()) {
        const int error = escape.attempt(target);
        report += (error == 0 ? "escaped" : ::strerrorname_np(error)) + ("\t" + escape.name) + "\n";
    }
    return report;
}

class HostileDriver : public Driver {
  public:
    explicit HostileDriver(Host& host) : host_(host), misdeeds_(all_misdeeds()) {}

    Result<void> start() override {
        target_ = target_from(host_.device().identity().product);
        reports_[0] = try_all(target_);
        return {};
    }

    Result<Listing> list(Key /*folder*/, std::uint64_t /*cursor*/) override {
        if (reports_[1].empty()) {
            reports_[1] = try_all(target_);
        }
        Listing listing;
        listing.entries.push_back({.key = 1, .name = "at-start", .size = reports_[0].size()});
        listing.entries.push_back({.key = 2, .name = "running", .size = reports_[1].size()});
        Key key = 3;
        for (const auto& misdeed : misdeeds_) {
            listing.entries.push_back({.key = key++, .name = misdeed.name, .size = 1});
        }
        return listing;
    }

    Result<std::size_t> read(Key file, std::uint64_t offset, std::span<std::byte> out) override {
        if (file > 2) {
            PLUGFS_TRY(misdeeds_.at(file - 3).commit(host_));
            out[0] = std::byte{'\n'};
            return 1;
        }
        const auto bytes = std::as_bytes(std::span(reports_.at(file - 1))).subspan(offset, out.size());
        std::copy(bytes.begin(), bytes.end(), out.begin());
        return bytes.size();
    }

  private:
    Host& host_;
    std::vector<Misdeed> misdeeds_;
    Target target_;
    std::array<std::string, 2> reports_;
};

}  // namespace

int main(int argc, char** argv) {
    return run_driver(argc, argv, {"hostile", "1.0"}, [](Host& host) { return std::make_unique<HostileDriver>(host); });
}
