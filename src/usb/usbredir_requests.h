// What we have asked the usbredir peer for and it has not answered yet.
//
// Every request that goes out has an id; the answer carries it back. A request whose owner does not wait any more (its
// deadline passed, its transfer was destroyed) stays in the table as abandoned, so that the answer, when it comes after
// all, is recognised and dropped.
#pragma once

#include <plugfs/result.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

namespace plugfs::usb {

// One request, owned by whoever waits for it; it must leave the table (finished or abandoned) before it is destroyed.
struct Request {
    enum class Kind : std::uint8_t { control, bulk, interrupt, alternate_setting, configuration };

    Kind kind = Kind::control;
    std::uint8_t endpoint = 0;       // with the direction bit; the interface's number for alternate_setting
    std::span<std::byte> in;         // where the answer's data goes
    std::size_t asked = 0;           // bytes to send or to receive
    std::optional<Error> error;      // when finished
    std::size_t moved = 0;           // bytes moved, also beside an error
    std::uint8_t configuration = 0;  // what a configuration answer says
    std::uint64_t id = 0;            // in the table: not 0
    bool finished = true;
    bool cancelling = false;  // a cancellation is on its way

    void finish(std::optional<Error> with) {
        error = std::move(with);
        finished = true;
        id = 0;
    }
};

// A usbredir status (usb-redirection-protocol, "Status code list") as an error; nothing for success. Any number that is
// not in the list is an error, too.
[[nodiscard]] std::optional<Error> error_of_status(std::uint8_t status, std::string_view stage);

class RequestTable {
  public:
    // Gives the request an id and enters it. EIO when the peer owes too many answers already.
    [[nodiscard]] Result<void> add(Request& request);
    // The owner waits no longer. No-op when the request is not in the table.
    void abandon(Request& request);

    // An answer came. Removes its entry; the request if it is of this kind and somebody still waits for it. Otherwise
    // nothing, and `anomaly` says what is wrong, if anything is.
    [[nodiscard]] Request* answered(std::uint64_t id, Request::Kind kind, std::uint8_t endpoint, std::string& anomaly);

    // Finishes all requests with `error` and forgets everything.
    void fail_all(const Error& error);
    // Abandons and finishes all transfers (not control and setting requests), calling `each` with the id before.
    template <class Each>
    void abandon_transfers(const Error& error, const Each& each) {
        for (auto& [id, entry] : entries_) {
            if (entry.request != nullptr &&
                (entry.kind == Request::Kind::bulk || entry.kind == Request::Kind::interrupt)) {
                each(id);
                entry.request->finish(error);
                entry.request = nullptr;
            }
        }
    }

    // The most bytes that one honest bulk answer could bring now; kept up to date.
    [[nodiscard]] const std::size_t& bulk_limit() const { return bulk_limit_; }

  private:
    struct Entry {
        Request* request;  // null: abandoned
        Request::Kind kind;
        std::uint8_t endpoint;
        std::size_t asked;
    };
    void update_limit();

    std::map<std::uint64_t, Entry> entries_;
    std::uint32_t last_id_ = 0;  // 32 bits: a peer may not know longer ids
    std::size_t bulk_limit_ = 0;
};

}  // namespace plugfs::usb
