// UsbredirServer: bulk transfers.

#include "virtual/usbredir_server.h"

#include <usbredirparser.h>

#include <algorithm>

namespace plugfs::virtual_usb {

namespace {

constexpr std::size_t waiting_limit = 256;
constexpr std::size_t request_limit = std::size_t{16} << 20U;

std::uint8_t* as_data(std::vector<std::byte>& bytes) {
    return reinterpret_cast<std::uint8_t*>(bytes.data());
}

}  // namespace

// Streams are numbers in the requests; there is nothing to set up.
void UsbredirServer::answer_streams(std::uint64_t id, std::uint32_t endpoints, std::uint32_t count) {
    bool known = true;
    for (unsigned index = 0; index < 32; ++index) {
        if ((endpoints & (1U << index)) != 0) {
            const auto address = static_cast<std::uint8_t>(((index & 0x10U) << 3U) | (index & 0x0fU));
            const auto* item = endpoint(address);
            known = known && item != nullptr && count <= item->stream_limit;
        }
    }
    usb_redir_bulk_streams_status_header status{
        endpoints, count, known ? std::uint8_t{usb_redir_success} : std::uint8_t{usb_redir_inval}};
    usbredirparser_send_bulk_streams_status(parser_, id, &status);
}

void UsbredirServer::send_bulk_status(std::uint64_t id, std::uint8_t address, std::uint32_t stream,
                                      std::uint8_t status) {
    usb_redir_bulk_packet_header header{};
    header.endpoint = address;
    header.status = status;
    header.stream_id = stream;
    usbredirparser_send_bulk_packet(parser_, id, &header, nullptr, 0);
}

void UsbredirServer::on_bulk(std::uint64_t id, const usb_redir_bulk_packet_header& header,
                             std::span<const std::byte> data) {
    const auto* known = endpoint(header.endpoint);
    const std::size_t length = (std::size_t{header.length_high} << 16U) | header.length;
    auto& requests = waiting_[header.endpoint];
    if (known == nullptr || known->type() != usb::TransferType::bulk || length > request_limit ||
        requests.size() >= waiting_limit) {
        send_bulk_status(id, header.endpoint, header.stream_id, usb_redir_inval);
        return;
    }
    if (halted_[header.endpoint]) {
        send_bulk_status(id, header.endpoint, header.stream_id, usb_redir_stall);
        return;
    }
    if (known->in()) {
        requests.push_back({id, header.stream_id, length, {}});
        return;
    }
    count_.bytes_out += data.size();
    const bool taken = header.stream_id == 0
                           ? device_.out(header.endpoint, data)
                           : device_.out_on_stream(header.endpoint, static_cast<std::uint16_t>(header.stream_id), data);
    halted_[header.endpoint] = !taken;
    usb_redir_bulk_packet_header answer = header;
    answer.status = taken ? usb_redir_success : usb_redir_stall;
    usbredirparser_send_bulk_packet(parser_, id, &answer, nullptr, 0);
}

void UsbredirServer::cancel(std::uint64_t id) {
    for (auto& [address, requests] : waiting_) {
        const auto found =
            std::find_if(requests.begin(), requests.end(), [id](const Request& request) { return request.id == id; });
        if (found != requests.end()) {
            send_bulk_status(id, address, found->stream, usb_redir_cancelled);
            requests.erase(found);
            return;
        }
    }
}

void UsbredirServer::complete(std::uint8_t address, std::size_t which, std::uint8_t status) {
    auto& requests = waiting_[address];
    const auto at = requests.begin() + static_cast<std::ptrdiff_t>(which);
    Request request = std::move(*at);
    requests.erase(at);
    usb_redir_bulk_packet_header header{};
    header.endpoint = address;
    header.status = status;
    header.length = static_cast<std::uint16_t>(request.bytes.size());
    header.length_high = static_cast<std::uint16_t>(request.bytes.size() >> 16U);
    header.stream_id = request.stream;
    count_.bytes_in += request.bytes.size();
    usbredirparser_send_bulk_packet(parser_, request.id, &header, as_data(request.bytes),
                                    static_cast<int>(request.bytes.size()));
}

// The transfers of an endpoint without streams go one after the other; with streams, each goes as soon as somebody asks
// for its stream.
void UsbredirServer::pump_bulk(std::uint8_t address) {
    auto& transfers = device_.in(address);
    const auto& requests = waiting_[address];
    std::size_t at = 0;
    while (!requests.empty() && at < transfers.size()) {
        const InTransfer& transfer = transfers[at];
        const auto wanted = std::find_if(requests.begin(), requests.end(), [&](const Request& request) {
            return transfer.stall || request.stream == transfer.stream;
        });
        if (transfer.not_before <= InTransfer::Clock::now() && wanted != requests.end()) {
            move_bulk(address, at, static_cast<std::size_t>(wanted - requests.begin()));
            continue;
        }
        if (transfer.stream == 0) {
            return;
        }
        ++at;
    }
}

void UsbredirServer::move_bulk(std::uint8_t address, std::size_t from, std::size_t to) {
    const std::size_t packet = endpoint(address)->max_packet_size;
    auto& transfers = device_.in(address);
    const auto place = transfers.begin() + static_cast<std::ptrdiff_t>(from);
    InTransfer& transfer = *place;
    Request& request = waiting_[address][to];
    if (transfer.stall) {
        transfers.erase(place);
        halted_[address] = true;
        while (!waiting_[address].empty()) {
            complete(address, 0, usb_redir_stall);
        }
        return;
    }
    const std::uint64_t before = transfer.bytes.size();
    const auto bytes = transfer.bytes.take(request.length - request.bytes.size());
    request.bytes.insert(request.bytes.end(), bytes.begin(), bytes.end());
    const bool full = request.bytes.size() == request.length;
    const bool over = transfer.bytes.size() == 0;
    // The transfer's last packet was short, or an empty one follows it.
    const bool short_end = over && before % packet != 0;
    const bool empty_end = over && before % packet == 0 && transfer.zero_length_packet;
    if (over && (short_end || !transfer.zero_length_packet || !full)) {
        transfers.erase(place);
    }
    if (full || short_end || empty_end) {
        complete(address, to, usb_redir_success);
    }
}

}  // namespace plugfs::virtual_usb
