#include "virtual/stick/faults.h"

namespace plugfs::virtual_usb {

const FaultSwitches::List& StickFaults::known() {
    static const List list = {
        // The transport; =N: with every Nth command only.
        {"stall-command", "=N: halt the OUT endpoint where the command comes, until the device is reset"},
        {"stall-data-in", "=N: halt the IN endpoint where data should follow"},
        {"stall-data-out", "=N: halt the OUT endpoint where data come"},
        {"stall-status", "=N: halt the IN endpoint where the status should follow, once"},
        {"stall-status-twice", "=N: halt it again after it has been cleared"},
        {"wrong-tag", "=N: a status with the tag of another command"},
        {"wrong-signature", "=N: a CSW without its signature (UAS: an information unit that does not exist)"},
        {"short-status", "=N: a status that is a byte too short"},
        {"empty-status", "=N: an empty packet before the status (real devices do this)"},
        {"phase-error", "=N: a CSW that says phase error (UAS: a response that says so)"},
        {"wrong-residue", "=N: a residue where all data have moved (real devices do this)"},
        {"huge-residue", "=N: a residue larger than the data"},
        {"short-data", "=N: the second half of the data is missing, and the status says nothing of it"},
        {"long-data", "=N: 512 bytes more than were asked for"},
        {"status-for-data", "=N: the status where data should come"},
        {"hang", "=N: no answer to a command at all"},
        {"no-reset", "Bulk-Only Mass Storage Reset is not supported"},
        {"no-max-lun", "Get Max LUN is not supported"},
        // The unit.
        {"slow", "=MS: wait so long before each answer (100)"},
        {"throttle", "=BYTES: move so many bytes a second (1048576)"},
        {"medium-error", "=BLOCK: that block (0) cannot be read"},
        {"write-error", "=BLOCK: that block (0) cannot be written"},
        {"write-protect", "the medium is write-protected"},
        {"hidden-write-protect", "it is, but MODE SENSE does not say so"},
        {"unit-attention", "=N: a unit attention (reset) instead of every Nth command"},
        {"not-ready", "=TIMES: becoming ready, for so many commands (10)"},
        {"never-ready", "becoming ready for ever"},
        {"to-be-started", "not ready until START STOP UNIT"},
        {"busy", "=TIMES: BUSY for so many commands (10; UAS only)"},
        {"endless-sense", "everything fails with ABORTED COMMAND, for ever, and the sense data say that they go on"},
        {"no-sense", "everything that fails does so without sense data"},
        {"descriptor-sense", "sense data in descriptor format"},
        {"lying-capacity", "=N: N times (2) the blocks that it has; the others are where blocks are that it has"},
        {"odd-block-size", "=BYTES: a block size (0) that is none"},
        {"garbage", "=SEED: answers about itself are random bytes"},
        {"no-synchronize", "SYNCHRONIZE CACHE is not supported"},
        {"no-mode-sense", "neither MODE SENSE(6) nor MODE SENSE(10)"},
        {"no-room", "writes fail: there is no space left"},
        {"power-cut-after", "=N: the power goes when N (1) writes more have come; see `power-cut`"},
    };
    return list;
}

}  // namespace plugfs::virtual_usb
