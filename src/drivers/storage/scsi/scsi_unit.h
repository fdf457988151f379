// ScsiUnit: a logical unit that speaks SCSI block commands (SBC-3), over whichever transport.
//
//   closed ──open()──► open ──► lost: the medium is gone, was changed, or was ejected: ENOMEDIUM until open()
//
// What a device reports as unit attention is looked at once and then left behind: after a reset that the transport has
// made itself, a "medium may have changed" is believed only if the capacity is another.
#pragma once

#include "drivers/storage/logical_unit.h"
#include "drivers/storage/scsi/answers.h"
#include "drivers/storage/scsi/patience.h"

#include <memory>

namespace plugfs::storage {

class ScsiUnit final : public LogicalUnit {
  public:
    // Asks who it is. Null: there is no block device with this number (its INQUIRY says so).
    static Result<std::unique_ptr<ScsiUnit>> create(std::shared_ptr<ScsiTransport> transport, std::uint8_t number);
    // Waits for what was begun.
    ~ScsiUnit() override { settle(); }
    ScsiUnit(const ScsiUnit&) = delete;
    ScsiUnit& operator=(const ScsiUnit&) = delete;

    [[nodiscard]] const UnitIdentity& identity() const override { return inquiry_.identity; }
    [[nodiscard]] Result<Medium> open() override;
    [[nodiscard]] Result<void> check() override;
    [[nodiscard]] Result<void> read(std::uint64_t block, std::span<std::byte> out) override;
    [[nodiscard]] Result<void> write(std::uint64_t block, std::span<const std::byte> bytes) override;
    void expect(std::uint64_t block, std::uint64_t count) override { expected_ = {block, count}; }
    [[nodiscard]] Result<void> synchronize() override;
    void begin_write(std::uint64_t block, std::span<const std::byte> bytes) override;
    void begin_synchronize() override;
    [[nodiscard]] bool finished() override { return begun_.empty() || transport_->ended(); }
    [[nodiscard]] Result<void> finish() override;
    [[nodiscard]] Result<void> unmap(std::uint64_t block, std::uint64_t count) override;
    [[nodiscard]] Result<void> prevent_removal(bool prevent) override;
    [[nodiscard]] Result<void> eject() override;
    [[nodiscard]] Result<void> load() override;
    [[nodiscard]] std::size_t best_transfer() const override;

  private:
    enum class State : std::uint8_t { closed, open, lost };
    struct Blocks {
        std::uint64_t first = 0;
        std::uint64_t count = 0;
    };

    ScsiUnit(std::shared_ptr<ScsiTransport> transport, std::uint8_t number)
        : transport_(std::move(transport)), number_(number) {}
    // All commands, in order, each until it has been executed or Patience is over. Returns the last one's data length.
    // `first` is what became of them when they were executed for the first time; null: they have not been yet.
    Result<std::size_t> execute(std::span<const ScsiCommand> commands, const ScsiBatch* first = nullptr);
    Result<std::size_t> execute(const ScsiCommand& command) { return execute(std::span(&command, 1)); }
    // What can be done about a verdict; an error when nothing can.
    Result<void> act(Verdict verdict, Patience& patience);
    Result<void> look_at_change(const Error& error);
    // Executes a command that a device need not know: false, it does not. Only ENODEV and ENOMEDIUM are errors.
    Result<bool> execute_optional(const ScsiCommand& command, std::size_t& length);

    Result<void> ask_vital_pages();
    Result<Medium> ask_capacity();
    Result<bool> ask_write_protected();
    [[nodiscard]] Result<std::vector<ScsiCommand>> commands_to_write(std::uint64_t block,
                                                                     std::span<const std::byte> bytes) const;
    void begin(std::vector<ScsiCommand> commands);
    // What was begun has ended when this returns: before anything else is asked.
    void settle();
    void begin_ahead(const Blocks& blocks);
    [[nodiscard]] bool is_ahead(std::uint64_t block, std::size_t bytes) const;
    Result<void> take_ahead(std::span<std::byte> out, const Blocks& next);
    void drop_ahead();
    void note_end_of(std::span<const ScsiCommand> commands, const ScsiBatch* batch);
    [[nodiscard]] Result<void> check_range(const char* stage, std::uint64_t block, std::uint64_t count) const;
    [[nodiscard]] Error lost(const char* stage) const;

    std::shared_ptr<ScsiTransport> transport_;
    std::uint8_t number_;
    InquiryAnswer inquiry_;
    BlockLimits limits_;
    bool offers_unmap_ = false;
    State state_ = State::closed;
    Medium medium_;
    Blocks expected_;
    std::vector<ScsiCommand> begun_;  // posted
    Blocks ahead_;                    // what these read, and nobody has asked for yet; none: they are no such thing
    Deadline ahead_until_ = Deadline::after({});
    Result<void> begun_result_;      // of what was begun last, for finish()
    bool looking_ = false;           // at a change, in look_at_change()
    std::uint64_t resets_seen_ = 0;  // ScsiTransport::resets() at the last command that was executed
};

}  // namespace plugfs::storage
