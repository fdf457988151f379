// StickFaults: what a virtual stick does wrong.
#pragma once

#include "virtual/fault_switches.h"

namespace plugfs::virtual_usb {

class StickFaults : public FaultSwitches {
  public:
    StickFaults() : FaultSwitches(known()) {}

    // Names and what they do, for --help.
    static const List& known();
};

}  // namespace plugfs::virtual_usb
