#include "drivers/mtp/operation_quirks.h"

#include <algorithm>
#include <array>

namespace plugfs::mtp {

namespace {

struct OperationQuirk {
    const char* name;
    std::array<std::uint16_t, 4> operations;  // 0: none
};
constexpr std::array<OperationQuirk, 6> operation_quirks = {{
    {"no_object_prop_list", {operation::get_object_prop_list}},
    {"no_partial_64", {operation::get_partial_object_64}},
    {"no_edit",
     {operation::begin_edit_object, operation::send_partial_object, operation::truncate_object,
      operation::end_edit_object}},
    {"no_move", {operation::move_object}},
    {"no_copy", {operation::copy_object}},
    {"no_set_property", {operation::set_object_prop_value}},
}};

}  // namespace

void leave_out_operations(DeviceInfo& info, const Host& host) {
    for (const auto& quirk : operation_quirks) {
        if (host.quirk(quirk.name) != 0) {
            std::erase_if(info.operations_supported, [&quirk](std::uint16_t operation) {
                return std::find(quirk.operations.begin(), quirk.operations.end(), operation) != quirk.operations.end();
            });
        }
    }
}

}  // namespace plugfs::mtp
