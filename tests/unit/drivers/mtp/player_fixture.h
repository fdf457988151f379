// The virtual player's responder with a session on it, over folders of their own: the real part where a script would
// only repeat it.
#pragma once

#include "scripted_responder.h"
#include "temporary_folder.h"
#include "virtual/player/responder.h"

#include <doctest/doctest.h>

#include <memory>

namespace plugfs::mtp::test {

struct PlayerFixture {
    plugfs::test::TemporaryFolder folder;
    std::unique_ptr<virtual_usb::ObjectStore> store;
    virtual_usb::Faults faults;
    std::unique_ptr<virtual_usb::Responder> responder;
    std::unique_ptr<InProcessDevice> device;
    std::uint32_t storage = 0;

    PlayerFixture() {
        auto created = virtual_usb::ObjectStore::create();
        REQUIRE(created);
        store = std::move(*created);
        const auto added = store->add_storage("Internal", folder.path());
        REQUIRE(added);
        storage = *added;
        virtual_usb::DeviceDescription description;
        description.product = "Virtual player";
        responder = std::make_unique<virtual_usb::Responder>(description, *store, faults);
        device = std::make_unique<InProcessDevice>(*responder);
    }
};

}  // namespace plugfs::mtp::test
