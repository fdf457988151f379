// The table of unanswered requests; see the header.
#include "usb/usbredir_requests.h"

#include <usbredirproto.h>

#include <algorithm>

namespace plugfs::usb {
namespace {

// More than a driver keeps in flight; a peer that answers nothing gets no more than this.
constexpr std::size_t entry_limit = 4096;
// A peer that sends somewhat more than was asked for gets its request an EOVERFLOW, not the stream's end.
constexpr std::size_t overflow_allowance = std::size_t{64} << 10U;

}  // namespace

std::optional<Error> error_of_status(std::uint8_t status, std::string_view stage) {
    const auto error = [&](int code, std::string detail) { return fail(code, std::string(stage), std::move(detail)); };
    switch (status) {
        case usb_redir_success:
            return std::nullopt;
        case usb_redir_cancelled:
            return error(ECANCELED, "cancelled");
        case usb_redir_inval:
            return error(EIO, "the other side rejects the request as invalid");
        case usb_redir_ioerror:
            return error(EIO, "the other side reports an I/O error");
        case usb_redir_stall:
            return error(EPIPE, "stall");
        case usb_redir_timeout:
            return error(ETIMEDOUT, "the other side's own time limit passed");
        case usb_redir_babble:
            return error(EOVERFLOW, "the device sent more than was asked for");
        default:
            return error(EIO, "unknown status " + std::to_string(status));
    }
}

Result<void> RequestTable::add(Request& request) {
    if (entries_.size() >= entry_limit) {
        return fail(EIO, "usbredir", "the other side owes " + std::to_string(entries_.size()) + " answers");
    }
    do {
        ++last_id_;
    } while (last_id_ == 0 || entries_.contains(last_id_));
    request.id = last_id_;
    request.finished = false;
    request.cancelling = false;
    request.error.reset();
    request.moved = 0;
    entries_.emplace(request.id, Entry{&request, request.kind, request.endpoint, request.asked});
    update_limit();
    return {};
}

void RequestTable::abandon(Request& request) {
    if (const auto found = entries_.find(request.id); found != entries_.end() && found->second.request == &request) {
        found->second.request = nullptr;
    }
}

Request* RequestTable::answered(std::uint64_t id, Request::Kind kind, std::uint8_t endpoint, std::string& anomaly) {
    const auto found = entries_.find(id);
    if (found == entries_.end()) {
        anomaly = "an answer with the unknown id " + std::to_string(id);
        return nullptr;
    }
    const Entry entry = found->second;
    if (entry.kind != kind) {
        anomaly = "an answer of the wrong kind to id " + std::to_string(id);
        return nullptr;
    }
    entries_.erase(found);
    update_limit();
    if (entry.request == nullptr) {
        return nullptr;
    }
    if (entry.endpoint != endpoint) {
        anomaly = "the answer to id " + std::to_string(id) + " names endpoint or interface " +
                  std::to_string(endpoint) + ", not " + std::to_string(entry.endpoint);
        entry.request->finish(fail(EIO, "usbredir", anomaly));
        return nullptr;
    }
    return entry.request;
}

void RequestTable::fail_all(const Error& error) {
    for (auto& [id, entry] : entries_) {
        if (entry.request != nullptr) {
            entry.request->finish(error);
        }
    }
    entries_.clear();
    update_limit();
}

void RequestTable::update_limit() {
    std::size_t most = 0;
    for (const auto& [id, entry] : entries_) {
        if (entry.kind == Request::Kind::bulk && (entry.endpoint & 0x80U) != 0) {
            most = std::max(most, entry.asked);
        }
    }
    bulk_limit_ = most + overflow_allowance;
}

}  // namespace plugfs::usb
