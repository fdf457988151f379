// Responder: the MTP protocol of the virtual player, written from the specification (MTP 1.1; PTP; Still Image
// Class 1.0 for USB).
//
//   waiting for a command container -> (data to the initiator, or from it) -> response
//
// Reading is in responder_datasets.cpp, writing in responder_writing.cpp.
#pragma once

#include "drivers/mtp/codes.h"
#include "virtual/player/device_properties.h"
#include "virtual/player/faults.h"
#include "virtual/player/media_shelf.h"
#include "virtual/player/object_store.h"
#include "virtual/virtual_device.h"

#include <plugfs/bytes.h>

#include <array>

namespace plugfs::virtual_usb {

inline constexpr std::uint8_t player_bulk_in = 0x81;
inline constexpr std::uint8_t player_bulk_out = 0x02;
inline constexpr std::uint8_t player_interrupt_in = 0x83;

class Responder : public VirtualDevice {
  public:
    // `store` and `faults` must outlive it.
    Responder(DeviceDescription description, ObjectStore& store, Faults& faults);

    [[nodiscard]] const DeviceDescription& description() const override { return description_; }
    std::optional<std::vector<std::byte>> control(const usb::Setup& setup, bool in, std::span<const std::byte> data,
                                                  std::size_t length) override;
    bool out(std::uint8_t endpoint, std::span<const std::byte> bytes) override;
    std::deque<InTransfer>& in(std::uint8_t endpoint) override;
    void reset() override;
    void halt_cleared(std::uint8_t endpoint) override;

    // Sends an event if a session is open; MTP 4.5.
    void send_event(std::uint16_t code, std::uint32_t parameter);
    [[nodiscard]] DeviceProperties& properties() { return properties_; }
    // Transactions by operation code, since the start.
    [[nodiscard]] const std::map<std::uint16_t, std::uint64_t>& transactions() const { return transactions_; }
    // How often it was told to cancel.
    [[nodiscard]] std::uint64_t cancelled() const { return cancelled_; }
    // Bytes of data sent (for the fault unplug-after).
    [[nodiscard]] std::uint64_t data_sent() const { return data_sent_; }

    // And bytes received (unplug-in-send).
    [[nodiscard]] std::uint64_t data_received() const { return data_received_; }

  private:
    using Parameters = std::array<std::uint32_t, 5>;
    // Data from the initiator.
    struct Incoming {
        std::uint16_t operation = 0;
        std::uint32_t transaction = 0;
        Parameters parameters{};
        std::vector<std::byte> header;
        std::uint64_t expected = 0;
        std::uint64_t received = 0;
        std::vector<std::byte> data;  // of a dataset
        UniqueFd file;                // or where an object's bytes go, at `at`
        std::uint64_t at = 0;
        bool failed = false;
    };
    // An object whose info has been sent.
    struct Sending {
        std::uint32_t handle = 0;
        std::uint64_t size = 0;
        std::int64_t modified = -1;
    };
    [[nodiscard]] static bool takes_data(std::uint16_t operation);
    void expect_data(std::uint16_t operation, std::uint32_t transaction, const Parameters& parameters);
    bool take_data(std::span<const std::byte> bytes);
    void drop_incoming();
    std::uint16_t carry_out(Incoming& whole);
    std::uint16_t send_object_info(const Incoming& whole);
    std::uint16_t send_object(const Incoming& whole);
    std::uint16_t set_object_prop_value(const Incoming& whole);
    std::uint16_t change(std::uint16_t operation, const Parameters& parameters);
    std::uint16_t copy_object(const StoredObject& object, const Parameters& parameters);
    [[nodiscard]] std::uint64_t free_space(std::uint32_t storage) const;

    void execute(std::uint16_t operation, std::uint32_t transaction, const Parameters& parameters);
    std::uint16_t dispatch(std::uint16_t operation, const Parameters& parameters);
    [[nodiscard]] bool supported(std::uint16_t operation) const;

    void send_data(ByteSource bytes);
    void send_dataset(std::vector<std::byte> bytes);
    void queue(ByteSource bytes, bool data);
    void send_response(std::uint16_t code);
    [[nodiscard]] std::vector<std::byte> container(mtp::ContainerType type, std::uint16_t code,
                                                   std::uint64_t payload) const;

    [[nodiscard]] std::vector<std::byte> device_info() const;
    std::uint16_t storage_ids();
    std::uint16_t storage_info(std::uint32_t id);
    std::uint16_t object_handles(const Parameters& parameters, bool count_only);
    std::uint16_t object_info(std::uint32_t handle);
    std::uint16_t object_prop_list(const Parameters& parameters);
    std::uint16_t object_prop_value(std::uint32_t handle, std::uint32_t property);
    std::uint16_t object_props_supported();
    std::uint16_t object_prop_desc(std::uint32_t property);
    std::uint16_t object(std::uint32_t handle, std::uint64_t offset, std::uint64_t length);
    std::uint16_t device_prop(std::uint32_t property, bool description);
    [[nodiscard]] std::string shown_name(const StoredObject& object) const;
    void write_property(ByteWriter& out, const StoredObject& object, std::uint16_t property);
    std::string media_text(const StoredObject& object, std::uint16_t property);
    static void write_sample(ByteWriter& out, const StoredObject& object);
    std::uint16_t thumb(std::uint32_t handle);
    std::uint16_t object_references(std::uint32_t handle);
    std::uint16_t set_object_references(const Incoming& whole);

    DeviceDescription description_;
    ObjectStore& store_;
    Faults& faults_;
    MediaShelf shelf_;
    DeviceProperties properties_;
    std::deque<InTransfer> bulk_;
    std::deque<InTransfer> interrupt_;
    std::vector<std::byte> command_;
    bool session_open_ = false;
    std::uint16_t operation_ = 0;
    std::uint32_t transaction_ = 0;
    Parameters answer_{};
    std::map<std::uint16_t, std::uint64_t> transactions_;
    std::uint64_t cancelled_ = 0;
    std::uint64_t data_sent_ = 0;
    std::uint64_t data_received_ = 0;
    std::optional<Incoming> incoming_;
    std::optional<Sending> sending_;
    std::uint32_t edited_ = 0;  // between BeginEditObject and EndEditObject
};

}  // namespace plugfs::virtual_usb
