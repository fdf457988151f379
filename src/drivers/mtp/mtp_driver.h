// The MTP driver: a device's storages and objects as folders and files, for reading.
//
//   storage/<description>/...
//
// Keys: an object's is its handle; a storage's is its id with bit 32 set; "storage" has bit 33.
#pragma once

#include "drivers/mtp/object_lister.h"
#include "drivers/mtp/object_reader.h"

#include <plugfs/driver.h>

#include <memory>
#include <optional>
#include <unordered_map>

namespace plugfs::mtp {

inline constexpr Key storages_key = Key{1} << 33U;
inline Key storage_key(std::uint32_t id) {
    return (Key{1} << 32U) | id;
}
inline bool is_storage(Key key) {
    return (key & (Key{1} << 32U)) != 0;
}

// The still-image interface of a device: class 6/1/1, or a vendor's whose name says "MTP". ENXIO: there is none.
[[nodiscard]] Result<Endpoints> find_endpoints(std::span<const usb::Interface> interfaces);

class MtpDriver : public Driver {
  public:
    explicit MtpDriver(Host& host) : host_(host) {}

    Result<void> start() override;
    Result<Listing> list(Key folder, std::uint64_t cursor) override;
    Result<std::size_t> read(Key file, std::uint64_t offset, std::span<std::byte> out) override;
    Result<Space> space() override;
    void arrived(std::uint8_t endpoint, std::span<const std::byte> packet) override;
    std::chrono::milliseconds tick() override;
    void stop() override;

  private:
    struct Storage {
        std::uint32_t id = 0;
        StorageInfo info;
    };
    // After an error by which the device broke the protocol.
    template <class T>
    Result<T> checked(Result<T> result) {
        if (!result) {
            recover_after(result.error());
        }
        return result;
    }
    void recover_after(const Error& error);
    Result<void> read_storages();
    Result<Listing> list_storages();
    Result<Listing> list_objects(Key folder, std::uint64_t cursor);
    Entry entry_for(const ObjectInfo& object);
    void handle_event(std::uint16_t code, std::uint32_t parameter);
    void object_added(std::uint32_t handle);
    void object_changed(std::uint32_t handle);
    void check_storages();
    void describe();

    Host& host_;
    Endpoints endpoints_;
    std::unique_ptr<Session> session_;
    DeviceInfo info_;
    std::unique_ptr<ObjectLister> lister_;
    std::unique_ptr<ObjectReader> reader_;
    std::vector<Storage> storages_;
    struct Known {
        std::uint32_t storage = 0;
        std::uint64_t size = 0;
    };
    std::unordered_map<std::uint32_t, Known> objects_;  // that were listed
    std::vector<std::byte> partial_event_;
    bool storages_changed_ = false;
};

}  // namespace plugfs::mtp
