// Storages: the storages that a device shows at the moment (PTP 8): none on a locked phone, one more when a card is put
// in.
#pragma once

#include "drivers/mtp/datasets.h"
#include "drivers/mtp/session.h"

#include <plugfs/driver.h>

#include <set>
#include <string>
#include <vector>

namespace plugfs::mtp {

class Storages {
  public:
    struct Storage {
        std::uint32_t id = 0;
        StorageInfo info;

        // What its folder is called: the description, else the volume's label.
        [[nodiscard]] std::string name() const;
    };

    // Both must outlive it.
    Storages(Session& session, Host& host) : session_(session), host_(host) {}

    // Asks the device for its storages and what they are. True: others than before, or with other names.
    Result<bool> refresh();
    // Whether the ids are others than refresh() saw; one short transaction.
    Result<bool> changed();

    [[nodiscard]] const std::vector<Storage>& list() const { return storages_; }
    // Some storage is there but cannot be looked at yet, or there is none: worth asking often.
    [[nodiscard]] bool incomplete() const { return storages_.empty() || !refused_.empty(); }
    [[nodiscard]] Space space() const;

  private:
    Result<std::vector<std::uint32_t>> ids();

    Session& session_;
    Host& host_;
    std::vector<std::uint32_t> ids_;
    std::vector<Storage> storages_;
    std::set<std::uint32_t> refused_;  // whose info the device did not give, and that was logged
};

}  // namespace plugfs::mtp
