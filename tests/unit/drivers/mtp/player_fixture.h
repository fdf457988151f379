// The virtual player's responder with a session on it, over folders of their own: the real part where a script would
// only repeat it.
#pragma once

#include "scripted_responder.h"
#include "virtual/player/responder.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace plugfs::mtp::test {

class TemporaryFolder {
  public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "plugfs-test-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = std::filesystem::canonical(name);
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    // Makes a file, and the folders that it lies in.
    void file(const std::string& name, const Bytes& content) const {
        std::filesystem::create_directories((path_ / name).parent_path());
        std::ofstream stream(path_ / name, std::ios::binary);
        stream.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
        REQUIRE(stream.flush().good());
    }

  private:
    std::filesystem::path path_;
};

struct PlayerFixture {
    TemporaryFolder folder;
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
