#include "volume_fuzzing.h"

#include "drivers/storage/open_volume.h"
#include "drivers/storage/text/utf16.h"

#include <cstdlib>
#include <string>

namespace plugfs::fuzz {

using namespace storage;

namespace {

constexpr unsigned operation_limit = 48;
constexpr std::size_t part_limit = 40;  // of a folder
constexpr std::size_t key_limit = 200;

void must(bool holds) {
    if (!holds) {
        std::abort();
    }
}

class Script {
  public:
    Script(Volume& volume, ByteReader& input) : volume_(volume), input_(input) {}

    void run() {
        list(root_key);
        for (unsigned i = 0; i < operation_limit && input_.remaining() > 0; ++i) {
            step(input_.u8());
        }
        const bool was_read_only = !volume_.read_only_because().empty();
        for (const Key key : std::vector(keys_)) {
            read(key, 0);
        }
        (void)volume_.space();
        (void)volume_.settle();
        must(!was_read_only || !volume_.read_only_because().empty());
    }

  private:
    void step(unsigned code) {
        switch (code % 10) {
            case 0:
                return list(key());
            case 1:
                return read(key(), input_.u32le());
            case 2:
                return made(volume_.create(key(), name(), Kind::file));
            case 3:
                return made(volume_.create(key(), name(), Kind::directory));
            case 4:
                return (void)volume_.remove(key());
            case 5: {
                const Key from = key();
                const Key to = key();
                return made(volume_.rename(from, to, name(), std::nullopt));
            }
            case 6: {
                const Key from = key();
                const Key to = key();
                return made(volume_.rename(from, root_key, name(), to));
            }
            case 7: {
                const Key file = key();
                const std::uint64_t offset = input_.u16le() * 8U;
                const std::vector<std::byte> bytes(1 + input_.u16le() % 5000, std::byte{0x55});
                return (void)volume_.write(file, offset, bytes);
            }
            case 8: {
                const Key file = key();
                return (void)volume_.resize(file, input_.u16le() * 16U);
            }
            default: {
                const Key entry = key();
                made(volume_.set_modified(entry, static_cast<std::int64_t>(input_.u64le())));
                return (void)volume_.flush(entry);
            }
        }
    }

    Key key() {
        const unsigned which = input_.u8();
        return which == 255 ? input_.u64le()
                            : (keys_.empty() || which % 4 == 0 ? root_key : keys_[which % keys_.size()]);
    }

    std::string name() {
        static const char* const names[] = {"a",     "README.TXT", "readme.txt",   "ein langer Name mit Ümlaut.text",
                                            "x.y.z", "日本語",     "LONGNA~1.TXT", "bad/name",
                                            ".",     "trailing."};
        const unsigned which = input_.u8();
        std::string out = names[which % std::size(names)];
        return which < 128 ? out : out + std::string(which - 128, 'n') + std::to_string(which);
    }

    void made(const Result<Entry>& entry) {
        if (entry) {
            check(*entry);
            keep(entry->key);
        } else {
            must(entry.error().code > 0);
        }
    }

    static void check(const Entry& entry) {
        must(entry.key != root_key && entry.key < volume_key_limit);
        const auto units = utf8_to_utf16(entry.name);
        must(units && !entry.name.empty() && entry.name.find('/') == std::string::npos);
    }

    void keep(Key key) {
        if (keys_.size() < key_limit) {
            keys_.push_back(key);
        }
    }

    void list(Key folder) {
        std::uint64_t cursor = 0;
        for (std::size_t part = 0; part < part_limit; ++part) {
            const auto listing = volume_.list(folder, cursor);
            if (!listing) {
                return;
            }
            for (const auto& entry : listing->entries) {
                check(entry);
                keep(entry.key);
            }
            must(listing->next == 0 || listing->next > cursor);
            cursor = listing->next;
            if (cursor == 0) {
                return;
            }
        }
    }

    void read(Key file, std::uint64_t offset) {
        std::vector<std::byte> out(3000);
        const auto got = volume_.read(file, offset, out);
        must(!got || *got <= out.size());
    }

    Volume& volume_;
    ByteReader& input_;
    std::vector<Key> keys_;
};

}  // namespace

void patch(std::vector<std::byte>& image, ByteReader& input) {
    const unsigned count = input.u8();
    for (unsigned i = 0; i < count && input.ok(); ++i) {
        const std::size_t offset = input.u16le() | static_cast<std::size_t>(input.u8()) << 16U;
        const auto bytes = input.take(std::min<std::size_t>(input.u8(), input.remaining()));
        const std::size_t at = offset % image.size();
        std::copy_n(bytes.begin(), std::min(bytes.size(), image.size() - at),
                    image.begin() + static_cast<std::ptrdiff_t>(at));
    }
}

void run_script(BlockDevice& device, ByteReader& input, VolumeOptions options) {
    unsigned reports = 0;
    options.now = [] { return std::int64_t{1'800'000'000}; };
    auto volume = open_volume(device, options, [&](LogLevel, const std::string& line) {
        must(!line.empty());
        ++reports;
    });
    if (!volume) {
        must(volume.error().code > 0);
        return;
    }
    Script(**volume, input).run();
    must(reports <= 5);  // damage is told once
}

void populate(BlockDevice& device, VolumeOptions options) {
    options.now = [] { return std::int64_t{1'700'000'000}; };
    auto opened = open_volume(device, options, [](LogLevel, const std::string&) {});
    must(opened.ok());
    Volume& volume = **opened;
    const auto file = [&](Key folder, const std::string& name, std::size_t size) {
        const auto made = volume.create(folder, name, Kind::file);
        must(made.ok() && volume.write(made->key, 0, std::vector<std::byte>(size, std::byte{0x41})).ok());
        return made->key;
    };
    const Key first = file(root_key, "README.TXT", 700);
    file(root_key, "ein langer Name mit Ümlaut.text", 1500);
    must(volume.write(first, 700, std::vector<std::byte>(2000, std::byte{0x42})).ok());  // in two pieces
    const auto folder = volume.create(root_key, "Music", Kind::directory);
    must(folder.ok());
    const auto inner = volume.create(folder->key, "album with a long name", Kind::directory);
    must(inner.ok());
    for (unsigned i = 0; i < 20; ++i) {
        file(inner->key, "track number " + std::to_string(i), 100);
    }
    must(volume.settle().ok());
}

void run_on_one_of(std::span<const std::vector<std::byte>> images, std::span<const std::byte> bytes,
                   const VolumeOptions& options) {
    ByteReader input(bytes);
    auto image = images[input.u8() % images.size()];
    patch(image, input);
    MemoryDevice device(std::move(image));
    run_script(device, input, options);
}

}  // namespace plugfs::fuzz
