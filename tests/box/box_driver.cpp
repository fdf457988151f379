// The driver of the box (virtual_box.cpp): one that writes, with the crash points of kit/crash_points.h, built against
// a kit that has them, too.

#include "box_protocol.h"
#include "kit/crash_points.h"

#include <plugfs/bytes.h>
#include <plugfs/driver.h>

#include <algorithm>
#include <cerrno>

using namespace plugfs;
using box::Command;

namespace {

class BoxDriver : public Driver, public Writer {
  public:
    explicit BoxDriver(Host& host) : host_(host) {}

    Result<void> start() override {
        PLUGFS_TRY(host_.device().claim(0));
        PLUGFS_TRY(command(Command::hello, {}));
        return host_.device().listen(0x81, 8);
    }
    void arrived(std::uint8_t /*endpoint*/, std::span<const std::byte> packet) override {
        if (packet.size() == 1) {
            kit::crash_points::armed = std::to_integer<unsigned>(packet[0]);
            host_.event(R"({"event":"armed","step":)" + std::to_string(kit::crash_points::armed) + "}");
        }
    }
    std::size_t read_size() const override { return box::data_limit; }
    Writer* writer() override { return this; }

    Result<Space> space() override {
        PLUGFS_ASSIGN(const auto answer, command(Command::space, {}));
        ByteReader reader(answer);
        Space space{reader.u64le(), reader.u64le()};
        return reader.ok() ? Result<Space>(space) : short_answer();
    }

    Result<Listing> list(Key folder, std::uint64_t cursor) override {
        ByteWriter arguments;
        arguments.u32le(static_cast<std::uint32_t>(folder));
        arguments.u32le(static_cast<std::uint32_t>(cursor));
        PLUGFS_ASSIGN(const auto answer, command(Command::list, arguments));
        ByteReader reader(answer);
        Listing listing;
        listing.next = reader.u32le();
        while (reader.remaining() > 0) {
            PLUGFS_ASSIGN(auto entry, take_entry(reader));
            listing.entries.push_back(std::move(entry));
        }
        return listing;
    }

    Result<std::size_t> read(Key file, std::uint64_t offset, std::span<std::byte> out) override {
        ByteWriter arguments;
        arguments.u32le(static_cast<std::uint32_t>(file));
        arguments.u64le(offset);
        arguments.u32le(static_cast<std::uint32_t>(out.size()));
        PLUGFS_ASSIGN(const auto answer, command(Command::read, arguments));
        const std::size_t count = std::min(answer.size(), out.size());
        std::copy_n(answer.begin(), count, out.begin());
        return count;
    }

    Result<Entry> create(Key folder, const std::string& name, Kind kind) override {
        ByteWriter arguments;
        arguments.u32le(static_cast<std::uint32_t>(folder));
        arguments.u8(kind == Kind::directory ? 1 : 0);
        arguments.append(std::as_bytes(std::span(name)));
        return entry_from(Command::create, arguments);
    }
    Result<void> remove(Key entry) override {
        ByteWriter arguments;
        arguments.u32le(static_cast<std::uint32_t>(entry));
        PLUGFS_TRY(command(Command::remove, arguments));
        return {};
    }
    Result<Entry> rename(Key entry, Key folder, const std::string& name, std::optional<Key> replaced) override {
        ByteWriter arguments;
        arguments.u32le(static_cast<std::uint32_t>(entry));
        arguments.u32le(static_cast<std::uint32_t>(folder));
        arguments.u32le(static_cast<std::uint32_t>(replaced.value_or(0)));
        arguments.append(std::as_bytes(std::span(name)));
        return entry_from(Command::rename, arguments);
    }
    Result<void> write(Key file, std::uint64_t offset, std::span<const std::byte> bytes) override {
        for (std::size_t done = 0; done < bytes.size();) {
            const std::size_t count = std::min(bytes.size() - done, box::data_limit);
            ByteWriter arguments;
            arguments.u32le(static_cast<std::uint32_t>(file));
            arguments.u64le(offset + done);
            arguments.append(bytes.subspan(done, count));
            PLUGFS_TRY(command(Command::write, arguments));
            done += count;
        }
        return {};
    }
    Result<void> resize(Key file, std::uint64_t size) override {
        ByteWriter arguments;
        arguments.u32le(static_cast<std::uint32_t>(file));
        arguments.u64le(size);
        PLUGFS_TRY(command(Command::resize, arguments));
        return {};
    }
    Result<Entry> flush(Key file) override {
        ByteWriter arguments;
        arguments.u32le(static_cast<std::uint32_t>(file));
        return entry_from(Command::look, arguments);
    }
    Result<Entry> set_modified(Key entry, std::int64_t seconds) override {
        ByteWriter arguments;
        arguments.u32le(static_cast<std::uint32_t>(entry));
        arguments.u64le(static_cast<std::uint64_t>(seconds));
        return entry_from(Command::set_modified, arguments);
    }

  private:
    // What follows the status in the answer.
    Result<std::vector<std::byte>> command(Command command, const ByteWriter& arguments) {
        const auto deadline = Deadline::after(std::chrono::seconds(5));
        ByteWriter whole;
        whole.u8(static_cast<std::uint8_t>(command));
        whole.append(arguments.bytes());
        const bool changes = command != Command::hello && command != Command::space && command != Command::list &&
                             command != Command::read;
        if (changes) {
            PLUGFS_CRASH_POINT(20);
        }
        PLUGFS_TRY(host_.device().control_out({.request_type = 0x40, .request = box::request_command}, whole.bytes(),
                                              deadline));
        if (changes) {
            PLUGFS_CRASH_POINT(21);
        }
        std::vector<std::byte> answer(box::answer_limit + 2);
        PLUGFS_ASSIGN(const auto length, host_.device().control_in(
                                             {.request_type = 0x40, .request = box::request_answer}, answer, deadline));
        answer.resize(length);
        ByteReader reader(answer);
        const int status = reader.u16le();
        if (!reader.ok()) {
            return short_answer();
        }
        if (status != 0) {
            return fail(status, "box", "command " + std::to_string(static_cast<unsigned>(command)));
        }
        answer.erase(answer.begin(), answer.begin() + 2);
        return answer;
    }
    Result<Entry> entry_from(Command number, const ByteWriter& arguments) {
        PLUGFS_ASSIGN(const auto answer, command(number, arguments));
        ByteReader reader(answer);
        return take_entry(reader);
    }
    static Result<Entry> take_entry(ByteReader& reader) {
        Entry entry;
        entry.key = reader.u32le();
        entry.kind = reader.u8() == 1 ? Kind::directory : Kind::file;
        entry.size = reader.u64le();
        entry.modified = static_cast<std::int64_t>(reader.u64le());
        const auto name = reader.take(reader.u8());
        entry.name.assign(reinterpret_cast<const char*>(name.data()), name.size());
        return reader.ok() ? Result<Entry>(std::move(entry)) : short_answer();
    }
    static Error short_answer() { return fail(EIO, "box", "the answer is too short"); }

    Host& host_;
};

}  // namespace

int main(int argc, char** argv) {
    return run_driver(argc, argv, {"box", "1.0"}, [](Host& host) { return std::make_unique<BoxDriver>(host); });
}
