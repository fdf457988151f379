// Faults: what a virtual player does wrong.
#pragma once

#include "virtual/fault_switches.h"

namespace plugfs::virtual_usb {

class Faults : public FaultSwitches {
  public:
    Faults() : FaultSwitches(known()) {}

    // Names and what they do, for --help.
    static const List& known();
};

}  // namespace plugfs::virtual_usb
