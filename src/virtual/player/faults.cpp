#include "virtual/player/faults.h"

namespace plugfs::virtual_usb {

const FaultSwitches::List& Faults::known() {
    static const List list = {
        {"stall-data", "halt the IN endpoint where data should follow"},
        {"stall-response", "halt the IN endpoint where the response should follow"},
        {"short-data", "end the data halfway through, with a short packet"},
        {"missing-zlp", "no empty packet after data that fills its last one"},
        {"wrong-transaction-id", "answer with the number of another transaction"},
        {"wrong-container-type", "a container type that does not exist"},
        {"long-length", "a container length larger than the data"},
        {"short-length", "a container length smaller than the data"},
        {"lying-count", "datasets with a count of 4,294,967,295 elements"},
        {"garbage", "datasets of random bytes"},
        {"header-apart", "the data's header in a transfer of its own"},
        {"no-object-prop-list", "GetObjectPropList is not supported"},
        {"no-properties", "none of the operations for properties of objects"},
        {"no-references", "neither GetObjectReferences nor SetObjectReferences"},
        {"no-format-filter", "GetObjectHandles gives objects of all formats or none"},
        {"no-partial-64", "GetPartialObject64 is not supported"},
        {"no-partial", "neither GetPartialObject nor GetPartialObject64"},
        {"slow", "=MS: wait so long before each answer (100)"},
        {"throttle", "=BYTES: move so many bytes a second (1048576)"},
        {"hang", "no answer at all"},
        {"read-past-end-hang", "hang when a read passes an object's end"},
        {"full-packet-end-hang", "hang when a partial read reaches an object's end and fills its last packet"},
        {"locked", "no storage until told `unlock`"},
        {"new-handles", "every session gives objects new handles, which the specification allows"},
        {"odd-names", "names that are no UTF-16, have a slash, or occur twice"},
        {"read-only", "nothing can be written"},
        {"no-edit", "none of Android's operations that change a part of an object"},
        {"no-rename", "SetObjectPropValue is not supported"},
        {"no-move", "MoveObject is not supported"},
        {"no-copy", "CopyObject is not supported"},
        {"refuse-copy", "CopyObject is refused"},
        {"short-copy", "CopyObject copies half of the object, and the answer is OK"},
        {"renamed-copy", "CopyObject gives the copy another name"},
        {"no-such-copy", "CopyObject does nothing, answers OK, and says that the copy is the original"},
        {"copy-moves", "CopyObject moves the object, and the answer is OK"},
        {"slow-copy", "=MS: wait so long before the answer to CopyObject (100)"},
        {"refuse-empty", "objects of 0 bytes are refused"},
        {"short-store", "half of each object that is sent is lost, and the answer is OK"},
        {"send-stall", "halt the OUT endpoint in the middle of an object"},
        {"drop-dates", "dates of objects are the device's own"},
        {"local-dates", "dates of objects are local times, without a zone"},
        {"free", "=BYTES: no more space than this"},
        {"own-events", "events for what the initiator itself has changed, too"},
        {"unplug-after", "=BYTES: close the connection after so many bytes of data (1048576)"},
    };
    return list;
}

}  // namespace plugfs::virtual_usb
