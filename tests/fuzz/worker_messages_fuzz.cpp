// Messages from a worker, as the supervisor receives and reads them. The first byte of the input says how long the
// first message is, in units of eight bytes; the rest is the second.

#include "common/channel.h"
#include "common/identity.h"
#include "supervisor/sandbox.h"

#include <sys/socket.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>

using namespace plugfs;

namespace {

void read_as_supervisor(const nlohmann::json& message) {
    const auto type = message["type"].get<std::string>();
    if (type == "identity") {
        if (const auto identity = identity_from_json(message)) {
            // What was taken is the same when it is sent again, and gives a file name.
            const auto again = identity_from_json(identity_to_json(*identity));
            const auto id = stable_id(*identity, "1-1");
            if (!again || !(*again == *identity) || id.empty() || id.find('/') != std::string::npos) {
                std::abort();
            }
        }
    }
    for (const auto& [field, value] : message.items()) {
        const auto layers = layers_from_json(value);
        if (layers.size() > layer::all.size()) {
            std::abort();
        }
        (void)layers_text(layers);
        (void)missing_layers(layers);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto ends = Channel::create_pair();
    if (!ends || size < 2) {
        return 0;
    }
    Channel channel(std::move(ends->first));
    const std::size_t first = std::min<std::size_t>(data[0] * std::size_t{8}, size - 1);
    (void)!::send(ends->second.get(), data + 1, first, MSG_NOSIGNAL);
    (void)!::send(ends->second.get(), data + 1 + first, size - 1 - first, MSG_NOSIGNAL);
    ends->second.reset();
    // Every message is one or is refused; then the other side has closed.
    for (int i = 0; i < 4; ++i) {
        const auto message = channel.receive();
        if (!message) {
            return 0;
        }
        if (*message) {
            read_as_supervisor(**message);
        }
    }
    std::abort();
}
