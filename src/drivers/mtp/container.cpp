#include "drivers/mtp/container.h"

#include <algorithm>

namespace plugfs::mtp {

ContainerHeader read_container_header(std::span<const std::byte, container_header_size> bytes) {
    ByteReader reader(bytes);
    ContainerHeader header;
    header.length = reader.u32le();
    header.type = reader.u16le();
    header.code = reader.u16le();
    header.transaction = reader.u32le();
    return header;
}

Parameters read_parameters(std::span<const std::byte> bytes) {
    ByteReader reader(bytes);
    Parameters parameters{};
    for (auto& parameter : parameters) {
        parameter = reader.remaining() >= 4 ? reader.u32le() : 0;
    }
    return parameters;
}

std::vector<std::byte> command_container(std::uint16_t operation, std::uint32_t transaction,
                                         std::span<const std::uint32_t> parameters) {
    ByteWriter container;
    container.u32le(static_cast<std::uint32_t>(container_header_size + (4 * parameters.size())));
    container.u16le(static_cast<std::uint16_t>(ContainerType::command));
    container.u16le(operation);
    container.u32le(transaction);
    for (const std::uint32_t parameter : parameters) {
        container.u32le(parameter);
    }
    return std::move(container).take();
}

std::vector<std::byte> data_header_bytes(std::uint16_t operation, std::uint32_t transaction, std::uint64_t size) {
    ByteWriter header;
    header.u32le(
        static_cast<std::uint32_t>(std::min<std::uint64_t>(size + container_header_size, length_not_in_32_bits)));
    header.u16le(static_cast<std::uint16_t>(ContainerType::data));
    header.u16le(operation);
    header.u32le(transaction);
    return std::move(header).take();
}

Result<std::optional<Event>> read_event(std::span<const std::byte> bytes) {
    if (bytes.size() < container_header_size) {
        return std::optional<Event>();
    }
    const auto header = read_container_header(bytes.first<container_header_size>());
    if (!header.is(ContainerType::event)) {
        return fail(EIO, "event", "container type is " + std::to_string(header.type));
    }
    if (header.length < container_header_size || header.length > largest_message) {
        return fail(EIO, "event", "container length is " + std::to_string(header.length));
    }
    if (bytes.size() < header.length) {
        return std::optional<Event>();
    }
    const auto parameters = bytes.first(header.length).subspan(container_header_size);
    return std::optional<Event>({header.code, read_parameters(parameters)});
}

}  // namespace plugfs::mtp
