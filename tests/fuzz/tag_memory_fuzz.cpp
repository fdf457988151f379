// The log of tags as a process that has crashed may have left it: anything at all.
#include "library/tag_memory.h"

#include <algorithm>
#include <cstdlib>

using namespace plugfs;
using namespace plugfs::library;

namespace {

class OneFile : public Spool {
  public:
    explicit OneFile(std::span<const std::byte> bytes) : bytes_(bytes.begin(), bytes.end()) {}
    std::vector<Id> files() const override { return there_ ? std::vector<Id>{0} : std::vector<Id>(); }
    Result<Id> create(std::span<const std::byte> note) override {
        there_ = true;
        bytes_.clear();
        note_.assign(note.begin(), note.end());
        return Id{0};
    }
    Result<std::vector<std::byte>> note(Id) const override { return note_; }
    Result<void> set_note(Id, std::span<const std::byte>) override { return {}; }
    Result<std::uint64_t> size(Id) const override { return std::uint64_t{bytes_.size()}; }
    Result<void> write(Id, std::uint64_t offset, std::span<const std::byte> bytes) override {
        if (offset + bytes.size() > bytes_.size()) {
            std::abort();  // it is made longer before
        }
        std::copy(bytes.begin(), bytes.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(offset));
        return {};
    }
    Result<std::size_t> read(Id, std::uint64_t offset, std::span<std::byte> out) const override {
        const std::size_t at = std::min<std::size_t>(offset, bytes_.size());
        const std::size_t count = std::min(out.size(), bytes_.size() - at);
        std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(at), count, out.begin());
        return count;
    }
    Result<void> resize(Id, std::uint64_t size) override {
        if (size > TagMemory::size_limit) {
            std::abort();
        }
        bytes_.resize(size);
        return {};
    }
    void remove(Id) override { there_ = false; }

  private:
    std::vector<std::byte> bytes_;
    std::vector<std::byte> note_{std::byte{'t'}, std::byte{'a'}, std::byte{'g'},
                                 std::byte{'s'}, std::byte{' '}, std::byte{'1'}};
    bool there_ = true;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    OneFile spool(std::as_bytes(std::span(data, size)));
    TagMemory memory(spool);
    const FileIdentity known{1, 1, "a.mp3", 1001, 5};
    const FileIdentity other{2, 2, "b.mp3", 3, std::nullopt};
    const std::vector<Attribute> song = {{"media.title", "x"}, {"media.cover", "", 9}};
    (void)memory.find(known);
    (void)memory.begin(known);
    memory.keep(other, song);
    const auto found = memory.find(other);
    if (!found || found->size() != 2 || found->front().value != "x") {
        std::abort();
    }
    memory.forget(1, 1);
    TagMemory next(spool);
    if (next.find(known) || !next.find(other)) {
        std::abort();
    }
    return 0;
}
