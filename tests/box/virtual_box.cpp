// A virtual box of files for the tests of writing: `virtual-box ENDPOINT LOG` serves one over usbredir.
//
// Folders and files in memory; see box_protocol.h. It does exactly what it is told and keeps account: each command that
// has changed something becomes a line in LOG ("create 'a'", "remove 'a'", "rename 'a' 'b'", "write 'a' 0 5"). A change
// that is asked for twice is done twice, or refused, and stands in LOG. Commands on its standard input:
//
//   arm STEP   the driver's process is to die when it comes to this step; see kit/crash_points.h

#include "box_protocol.h"
#include "virtual/command_loop.h"
#include "virtual/device_server.h"

#include <plugfs/bytes.h>
#include <plugfs/driver.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <map>
#include <sstream>

using namespace plugfs;
using namespace plugfs::virtual_usb;
using box::Command;

namespace {

struct Object {
    std::uint32_t folder = box::root_folder;
    std::string name;
    bool is_folder = false;
    std::int64_t modified = 0;
    std::vector<std::byte> bytes;
};

class Box : public VirtualDevice {
  public:
    explicit Box(const std::string& log) : log_(log, std::ios::app) {
        description_.product_id = 0x0004;
        description_.product = "Box";
        description_.serial_number = "B1";
        description_.interfaces = {{0, 0, 255, 0, 0, "", {usb::Endpoint{0x81, 3, 8, 6}}}};
    }

    const DeviceDescription& description() const override { return description_; }
    bool out(std::uint8_t /*endpoint*/, std::span<const std::byte> /*bytes*/) override { return false; }
    std::deque<InTransfer>& in(std::uint8_t /*endpoint*/) override { return armed_; }
    void reset() override { armed_.clear(); }
    void halt_cleared(std::uint8_t /*endpoint*/) override {}

    std::optional<std::vector<std::byte>> control(const usb::Setup& setup, bool in, std::span<const std::byte> data,
                                                  std::size_t length) override {
        if (setup.request_type != 0x40) {
            return std::nullopt;
        }
        if (!in && setup.request == box::request_command) {
            answer_ = ByteWriter();
            ByteReader reader(data);
            const int status = carry_out(static_cast<Command>(reader.u8()), reader);
            ByteWriter whole;
            whole.u16le(static_cast<std::uint16_t>(reader.ok() ? status : EINVAL));
            whole.append(answer_.bytes());
            last_answer_ = std::move(whole).take();
            return std::vector<std::byte>();
        }
        if (in && setup.request == box::request_answer) {
            last_answer_.resize(std::min(last_answer_.size(), length));
            return last_answer_;
        }
        return std::nullopt;
    }

    void told(const std::string& line) {
        std::istringstream words(line);
        std::string verb;
        unsigned step = 0;
        if (words >> verb >> step && verb == "arm") {
            armed_.push_back({ByteSource({static_cast<std::byte>(step)})});
        }
    }

  private:
    int carry_out(Command command, ByteReader& reader) {
        if (command == Command::hello) {
            renumber();
            return 0;
        }
        if (command == Command::space) {
            answer_.u64le(box::capacity);
            answer_.u64le(box::capacity - used());
            return 0;
        }
        const std::uint32_t number = reader.u32le();
        const auto found = objects_.find(number);
        const bool is_root = number == box::root_folder;
        if (found == objects_.end() && !(is_root && (command == Command::list || command == Command::create))) {
            return ESTALE;
        }
        switch (command) {
            case Command::list:
                return list(number, reader.u32le());
            case Command::create:
                return create(number, reader);
            case Command::remove:
                return remove(number);
            case Command::rename:
                return rename(number, found->second, reader);
            case Command::look:
                put_entry(number, found->second);
                return 0;
            case Command::set_modified:
                found->second.modified = static_cast<std::int64_t>(reader.u64le());
                put_entry(number, found->second);
                return 0;
            default:
                return found->second.is_folder ? EISDIR : content(command, found->second, reader);
        }
    }

    int content(Command command, Object& file, ByteReader& reader) {
        const std::uint64_t offset = reader.u64le();  // or the size
        if (command == Command::read) {
            const std::size_t from = std::min<std::uint64_t>(offset, file.bytes.size());
            const std::size_t count =
                std::min<std::size_t>({reader.u32le(), box::data_limit, file.bytes.size() - from});
            answer_.append(std::span(file.bytes).subspan(from, count));
            return 0;
        }
        const auto bytes = command == Command::write ? reader.take(reader.remaining()) : std::span<const std::byte>();
        const std::uint64_t end = offset + bytes.size();
        const std::uint64_t grows = end > file.bytes.size() ? end - file.bytes.size() : 0;
        if (grows > box::capacity - used()) {
            return ENOSPC;
        }
        file.bytes.resize(command == Command::write ? std::max<std::uint64_t>(end, file.bytes.size()) : end);
        std::copy(bytes.begin(), bytes.end(), file.bytes.begin() + static_cast<std::ptrdiff_t>(offset));
        file.modified = std::time(nullptr);
        log_ << (command == Command::write ? "write " : "resize ") << file.name << ' ' << offset << ' ' << bytes.size()
             << std::endl;
        return 0;
    }

    int list(std::uint32_t folder, std::uint32_t first) {
        ByteWriter entries;
        std::swap(entries, answer_);
        std::uint32_t next = 0;
        for (auto at = objects_.lower_bound(first); at != objects_.end(); ++at) {
            if (at->second.folder != folder) {
                continue;
            }
            if (answer_.size() + 300 > box::answer_limit) {
                next = at->first;
                break;
            }
            put_entry(at->first, at->second);
        }
        std::swap(entries, answer_);
        answer_.u32le(next);
        answer_.append(entries.bytes());
        return 0;
    }

    int create(std::uint32_t folder, ByteReader& reader) {
        Object object;
        object.folder = folder;
        object.is_folder = reader.u8() == 1;
        object.name = take_name(reader);
        object.modified = std::time(nullptr);
        if (find(folder, object.name) != objects_.end()) {
            return refused("create", object.name, EEXIST);
        }
        log_ << "create " << object.name << std::endl;
        const auto made = objects_.emplace(++last_number_, std::move(object)).first;
        put_entry(made->first, made->second);
        return 0;
    }

    int remove(std::uint32_t number) {
        const auto within = [number](const auto& item) { return item.second.folder == number; };
        if (std::any_of(objects_.begin(), objects_.end(), within)) {
            return refused("remove", objects_.at(number).name, ENOTEMPTY);
        }
        log_ << "remove " << objects_.at(number).name << std::endl;
        objects_.erase(number);
        return 0;
    }

    int rename(std::uint32_t number, Object& object, ByteReader& reader) {
        const std::uint32_t folder = reader.u32le();
        const std::uint32_t replaced = reader.u32le();
        const std::string name = take_name(reader);
        const auto there = find(folder, name);
        if (there != objects_.end() && there->first != replaced && there->first != number) {
            return refused("rename", object.name, EEXIST);
        }
        log_ << "rename " << object.name << ' ' << name << std::endl;
        if (replaced != 0) {
            objects_.erase(replaced);
        }
        object.folder = folder;
        object.name = name;
        put_entry(number, object);
        return 0;
    }

    std::map<std::uint32_t, Object>::iterator find(std::uint32_t folder, const std::string& name) {
        return std::find_if(objects_.begin(), objects_.end(),
                            [&](const auto& item) { return item.second.folder == folder && item.second.name == name; });
    }
    int refused(const char* command, const std::string& name, int status) {
        log_ << "refused " << command << ' ' << name << std::endl;
        return status;
    }
    static std::string take_name(ByteReader& reader) {
        const auto bytes = reader.take(reader.remaining());
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }
    void put_entry(std::uint32_t number, const Object& object) {
        answer_.u32le(number);
        answer_.u8(object.is_folder ? 1 : 0);
        answer_.u64le(object.bytes.size());
        answer_.u64le(static_cast<std::uint64_t>(object.modified));
        answer_.u8(static_cast<std::uint8_t>(object.name.size()));
        answer_.append(std::as_bytes(std::span(object.name)));
    }
    [[nodiscard]] std::uint64_t used() const {
        std::uint64_t bytes = 0;
        for (const auto& [number, object] : objects_) {
            bytes += object.bytes.size();
        }
        return bytes;
    }
    // No number is ever used again.
    void renumber() {
        std::map<std::uint32_t, std::uint32_t> numbers{{box::root_folder, box::root_folder}};
        for (const auto& [number, object] : objects_) {
            numbers[number] = ++last_number_;
        }
        std::map<std::uint32_t, Object> objects;
        for (auto& [number, object] : objects_) {
            object.folder = numbers.at(object.folder);
            objects.emplace(numbers.at(number), std::move(object));
        }
        objects_ = std::move(objects);
    }

    DeviceDescription description_;
    std::ofstream log_;
    std::map<std::uint32_t, Object> objects_;
    std::uint32_t last_number_ = 0;
    std::deque<InTransfer> armed_;
    ByteWriter answer_;
    std::vector<std::byte> last_answer_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fputs("usage: virtual-box unix:PATH|tcp:HOST:PORT LOG <COMMANDS\n", stderr);
        return 2;
    }
    const auto listener = listen_on(argv[1]);
    if (!listener) {
        std::fprintf(stderr, "virtual-box: %s\n", listener.error().text().c_str());
        return 1;
    }
    Box box(argv[2]);
    return command_loop(listener->get(), box, [&box](const std::string& line) { box.told(line); });
}
