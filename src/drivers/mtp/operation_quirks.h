// Operations that a device lists and that are better not used: what cannot be learnt by trying, because trying costs a
// long wait or gives wrong answers. Which devices they are stands in mtp.json ("quirks"):
//
//   no_object_prop_list   GetObjectPropList: folders are listed object by object
//   no_partial_64         Android's GetPartialObject64: files are read by GetPartialObject, or in one piece
//   no_edit               Android's operations that change a part of an object: new versions are sent
//   no_move               MoveObject: what moves is copied, then deleted
//   no_set_property       SetObjectPropValue: no renaming in place, no attributes to set
#pragma once

#include "drivers/mtp/datasets.h"

#include <plugfs/driver.h>

namespace plugfs::mtp {

// Takes the operations out of `info` that the device's quirks say not to use.
void leave_out_operations(DeviceInfo& info, const Host& host);

}  // namespace plugfs::mtp
