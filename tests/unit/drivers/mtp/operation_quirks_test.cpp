#include "drivers/mtp/operation_quirks.h"

#include "scripted_responder.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::mtp;
using namespace plugfs::mtp::test;

TEST_CASE("operations that a quirk names are left out, and no others") {
    ScriptedResponder responder;
    InProcessDevice device(responder);
    const std::vector<std::uint16_t> all = {operation::get_object_info,     operation::get_object_prop_list,
                                            operation::begin_edit_object,   operation::end_edit_object,
                                            operation::send_partial_object, operation::truncate_object,
                                            operation::move_object,         operation::get_partial_object_64,
                                            operation::get_partial_object,  operation::set_object_prop_value};
    const auto left = [&](std::map<std::string, std::int64_t> quirks) {
        RecordingHost host(device);
        host.quirks = std::move(quirks);
        DeviceInfo info;
        info.operations_supported = all;
        leave_out_operations(info, host);
        return info;
    };
    CHECK(left({}).operations_supported == all);
    CHECK(left({{"no_edit", 0}, {"edit_from", 1}}).operations_supported == all);
    const auto no_edit = left({{"no_edit", 1}});
    CHECK(no_edit.operations_supported.size() == all.size() - 4);
    CHECK_FALSE(no_edit.supports(operation::begin_edit_object));
    const auto several =
        left({{"no_move", 1}, {"no_object_prop_list", 1}, {"no_partial_64", 1}, {"no_set_property", 1}});
    CHECK(several.operations_supported.size() == all.size() - 4);
    CHECK_FALSE(several.supports(operation::move_object));
    CHECK_FALSE(several.supports(operation::get_partial_object_64));
    CHECK(several.supports(operation::get_partial_object));
}
