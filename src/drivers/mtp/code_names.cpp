// Names of operations and meanings of responses, for messages and device.json.

#include "drivers/mtp/session.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace plugfs::mtp {

namespace {

constexpr std::pair<std::uint16_t, const char*> operations[] = {
    {operation::get_device_info, "GetDeviceInfo"},
    {operation::open_session, "OpenSession"},
    {operation::close_session, "CloseSession"},
    {operation::get_storage_ids, "GetStorageIDs"},
    {operation::get_storage_info, "GetStorageInfo"},
    {operation::get_num_objects, "GetNumObjects"},
    {operation::get_object_handles, "GetObjectHandles"},
    {operation::get_object_info, "GetObjectInfo"},
    {operation::get_object, "GetObject"},
    {operation::get_thumb, "GetThumb"},
    {operation::delete_object, "DeleteObject"},
    {operation::send_object_info, "SendObjectInfo"},
    {operation::send_object, "SendObject"},
    {operation::initiate_capture, "InitiateCapture"},
    {operation::format_store, "FormatStore"},
    {operation::reset_device, "ResetDevice"},
    {operation::self_test, "SelfTest"},
    {operation::set_object_protection, "SetObjectProtection"},
    {operation::power_down, "PowerDown"},
    {operation::get_device_prop_desc, "GetDevicePropDesc"},
    {operation::get_device_prop_value, "GetDevicePropValue"},
    {operation::set_device_prop_value, "SetDevicePropValue"},
    {operation::reset_device_prop_value, "ResetDevicePropValue"},
    {operation::terminate_open_capture, "TerminateOpenCapture"},
    {operation::move_object, "MoveObject"},
    {operation::copy_object, "CopyObject"},
    {operation::get_partial_object, "GetPartialObject"},
    {operation::initiate_open_capture, "InitiateOpenCapture"},
    {operation::get_partial_object_64, "GetPartialObject64"},
    {operation::send_partial_object, "SendPartialObject"},
    {operation::truncate_object, "TruncateObject"},
    {operation::begin_edit_object, "BeginEditObject"},
    {operation::end_edit_object, "EndEditObject"},
    {operation::get_object_props_supported, "GetObjectPropsSupported"},
    {operation::get_object_prop_desc, "GetObjectPropDesc"},
    {operation::get_object_prop_value, "GetObjectPropValue"},
    {operation::set_object_prop_value, "SetObjectPropValue"},
    {operation::get_object_prop_list, "GetObjectPropList"},
    {operation::set_object_prop_list, "SetObjectPropList"},
    {operation::get_interdependent_prop_desc, "GetInterdependentPropDesc"},
    {operation::send_object_prop_list, "SendObjectPropList"},
    {operation::get_object_references, "GetObjectReferences"},
    {operation::set_object_references, "SetObjectReferences"},
    {operation::skip, "Skip"},
};

struct Meaning {
    std::uint16_t code;
    int error;
    const char* words;
};
constexpr Meaning meanings[] = {
    {response::general_error, EIO, "General_Error"},
    {response::session_not_open, ECONNRESET, "Session_Not_Open"},
    {response::invalid_transaction_id, EIO, "Invalid_TransactionID"},
    {response::operation_not_supported, ENOTSUP, "Operation_Not_Supported"},
    {response::parameter_not_supported, ENOTSUP, "Parameter_Not_Supported"},
    {response::incomplete_transfer, EIO, "Incomplete_Transfer"},
    {response::invalid_storage_id, ENOENT, "Invalid_StorageID"},
    {response::invalid_object_handle, ENOENT, "Invalid_ObjectHandle"},
    {response::invalid_object_format_code, ENOTSUP, "Invalid_ObjectFormatCode"},
    {response::device_prop_not_supported, ENOTSUP, "DevicePropNotSupported"},
    {response::store_full, ENOSPC, "Store_Full"},
    {response::object_write_protected, EACCES, "Object_WriteProtected"},
    {response::store_read_only, EROFS, "Store_Read-Only"},
    {response::access_denied, EACCES, "Access_Denied"},
    {response::partial_deletion, EIO, "Partial_Deletion"},
    {response::store_not_available, ENOENT, "Store_Not_Available"},
    {response::specification_by_format_unsupported, ENOTSUP, "Specification_By_Format_Unsupported"},
    {response::device_busy, EBUSY, "Device_Busy"},
    {response::invalid_parent_object, ENOENT, "Invalid_ParentObject"},
    {response::invalid_parameter, EINVAL, "Invalid_Parameter"},
    {response::session_already_open, EALREADY, "Session_Already_Open"},
    {response::transaction_cancelled, ECANCELED, "Transaction_Cancelled"},
    {response::group_not_supported, ENOTSUP, "Group_Not_Supported"},
    {response::specification_by_group_unsupported, ENOTSUP, "Specification_By_Group_Unsupported"},
    {response::specification_by_depth_unsupported, ENOTSUP, "Specification_By_Depth_Unsupported"},
    {response::invalid_device_prop_format, EINVAL, "Invalid_DeviceProp_Format"},
    {response::invalid_device_prop_value, EINVAL, "Invalid_DeviceProp_Value"},
    {response::no_thumbnail_present, ENODATA, "No_Thumbnail_Present"},
    {response::invalid_object_prop_format, EINVAL, "Invalid_ObjectProp_Format"},
    {response::invalid_object_prop_value, EINVAL, "Invalid_ObjectProp_Value"},
    {response::invalid_object_reference, ENOENT, "Invalid_ObjectReference"},
    {response::invalid_object_prop_code, ENOTSUP, "Invalid_ObjectPropCode"},
    {response::object_too_large, EFBIG, "Object_Too_Large"},
    {response::object_prop_not_supported, ENOTSUP, "ObjectProp_Not_Supported"},
};

std::string hexadecimal(std::uint16_t number) {
    std::array<char, 8> text{};
    (void)std::snprintf(text.data(), text.size(), "0x%04x", number);
    return text.data();
}

}  // namespace

std::string operation_name(std::uint16_t operation) {
    const auto* found = std::find_if(std::begin(operations), std::end(operations),
                                     [operation](const auto& item) { return item.first == operation; });
    return found == std::end(operations) ? hexadecimal(operation) : found->second;
}

Error response_error(std::uint16_t operation, std::uint16_t response) {
    const auto* found = std::find_if(std::begin(meanings), std::end(meanings),
                                     [response](const auto& item) { return item.code == response; });
    if (found == std::end(meanings)) {
        return fail(EIO, operation_name(operation), "the device answered " + hexadecimal(response));
    }
    return fail(found->error, operation_name(operation), std::string("the device answered ") + found->words);
}

}  // namespace plugfs::mtp
