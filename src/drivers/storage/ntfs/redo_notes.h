// RedoNotes: how a change of an NTFS volume takes effect as a whole when the power goes.
//
// What an operation changes in the volume's own structures lies in several places, and no order of writing them is a
// good one at every moment. So all of it is written down first, in a note, then a barrier, then to where it belongs;
// the file's data goes before the barrier, too. The notes lie in the middle of $LogFile, where nobody looks: there are
// two places, used in turns. What is on the medium behind note N's barrier is all of note N - 1. So whoever opens the
// volume next does again what the last two say, and finds the volume as it was after an operation; a note whose file
// data did not all arrive does not count.
//
// Others do not know the notes. They see the mark that the volume was being changed, and, should the power have gone in
// the middle, the last operation half done. Each note says what was in each block before, and is of no use any more
// when there is something else: then others have been at work.
#pragma once

#include "drivers/storage/ntfs/log_file.h"
#include "drivers/storage/ntfs/staged_device.h"

#include <array>
#include <functional>
#include <optional>
#include <set>

namespace plugfs::storage::ntfs {

class RedoNotes {
  public:
    // What was found of them when the volume was opened.
    enum class Found : std::uint8_t {
        nothing,
        done,   // there were notes, and what they say has been done
        stale,  // others have changed what they are about: nothing was done
    };

    // `log_file`: where $LogFile lies. EUCLEAN: it is too small.
    [[nodiscard]] static Result<RedoNotes> open(BlockDevice& device, const std::vector<Range>& log_file);

    // Reads the notes and does what they say. `writable`: false, it only says whether there are any (done: there are).
    [[nodiscard]] Result<Found> recover(bool writable);

    // Whether a note of these blocks and that file data fits.
    [[nodiscard]] bool fits(const StagedDevice::Blocks& blocks, const StagedDevice::Blocks& data) const;
    // Writes a note of `blocks`, which are about to be written to the device, of the operation whose file data has just
    // been written there: `data`. It must fit. The barrier is the caller's.
    [[nodiscard]] Result<void> add(const StagedDevice::Blocks& blocks, const StagedDevice::Blocks& data);
    // Whether one of the last two notes is of the block there: until the next but one, file data that is put there must
    // be in a note as well, or what is found there later would be taken for somebody else's doing.
    [[nodiscard]] bool recent(std::uint64_t offset) const;
    // Whether the last note is of an operation whose file data lies there: as long as it is the last, file data that is
    // put there must be in a note as well, or it would seem that the other did not arrive.
    [[nodiscard]] bool recent_data(std::uint64_t offset) const { return last_data_.count(offset) != 0; }
    // A note of nothing, which is the last one behind a barrier (the caller's).
    [[nodiscard]] Result<void> add_separator() { return add({}, {}); }
    // There are none any more.
    [[nodiscard]] Result<void> erase();

  private:
    struct Block {
        std::uint64_t offset = 0;
        std::uint64_t before = 0;  // checksum
        std::span<const std::byte> content;
    };
    struct Note {
        std::vector<std::byte> bytes;
        std::uint64_t sequence = 0;
        std::uint64_t data_checksum = 0;
        std::vector<Block> blocks;
        std::vector<Range> data;
    };
    static constexpr std::size_t place_count = 2;

    explicit RedoNotes(BlockDevice& device) : device_(&device) {}
    [[nodiscard]] std::size_t note_size(std::size_t blocks, std::size_t ranges) const;
    [[nodiscard]] Result<void> read_place(const std::vector<Range>& place, std::span<std::byte> out);
    [[nodiscard]] Result<std::optional<Note>> read_note(const std::vector<Range>& place);
    [[nodiscard]] bool parse(Note& note) const;
    [[nodiscard]] Result<bool> data_arrived(const Note& note);
    [[nodiscard]] Result<Found> apply(const std::vector<Note>& notes);

    BlockDevice* device_;
    std::array<std::vector<Range>, place_count> places_;
    std::uint64_t place_size_ = 0;
    std::uint64_t sequence_ = 0;  // of the last one
    std::array<bool, place_count> used_ = {true, true};
    std::array<std::vector<std::uint64_t>, place_count> recent_;  // offsets of blocks, sorted
    std::set<std::uint64_t> last_data_;                           // offsets of blocks
};

}  // namespace plugfs::storage::ntfs
