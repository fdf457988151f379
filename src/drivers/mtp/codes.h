// Codes of the Picture Transfer Protocol (ISO 15740, PIMA 15740:2000) and of the Media Transfer Protocol 1.1 built on
// it. Names are the specifications' own.
#pragma once

#include <cstdint>

namespace plugfs::mtp {

// Container types; PTP over USB (USB Still Image Capture Device Definition 1.0, 7.1.1), table "container type".
enum class ContainerType : std::uint16_t { command = 1, data = 2, response = 3, event = 4 };

// Class-specific requests; the same, 5.2.
inline constexpr std::uint8_t request_cancel = 0x64;
inline constexpr std::uint8_t request_get_extended_event_data = 0x65;
inline constexpr std::uint8_t request_device_reset = 0x66;
inline constexpr std::uint8_t request_get_device_status = 0x67;
// The cancellation code in a Cancel request's data.
inline constexpr std::uint16_t cancellation_code = 0x4001;

// Operation codes: PTP 10.1, MTP appendix D.
namespace operation {
inline constexpr std::uint16_t get_device_info = 0x1001;
inline constexpr std::uint16_t open_session = 0x1002;
inline constexpr std::uint16_t close_session = 0x1003;
inline constexpr std::uint16_t get_storage_ids = 0x1004;
inline constexpr std::uint16_t get_storage_info = 0x1005;
inline constexpr std::uint16_t get_num_objects = 0x1006;
inline constexpr std::uint16_t get_object_handles = 0x1007;
inline constexpr std::uint16_t get_object_info = 0x1008;
inline constexpr std::uint16_t get_object = 0x1009;
inline constexpr std::uint16_t get_thumb = 0x100A;
inline constexpr std::uint16_t delete_object = 0x100B;
inline constexpr std::uint16_t send_object_info = 0x100C;
inline constexpr std::uint16_t send_object = 0x100D;
inline constexpr std::uint16_t initiate_capture = 0x100E;
inline constexpr std::uint16_t format_store = 0x100F;
inline constexpr std::uint16_t reset_device = 0x1010;
inline constexpr std::uint16_t self_test = 0x1011;
inline constexpr std::uint16_t set_object_protection = 0x1012;
inline constexpr std::uint16_t power_down = 0x1013;
inline constexpr std::uint16_t get_device_prop_desc = 0x1014;
inline constexpr std::uint16_t get_device_prop_value = 0x1015;
inline constexpr std::uint16_t set_device_prop_value = 0x1016;
inline constexpr std::uint16_t reset_device_prop_value = 0x1017;
inline constexpr std::uint16_t terminate_open_capture = 0x1018;
inline constexpr std::uint16_t move_object = 0x1019;
inline constexpr std::uint16_t copy_object = 0x101A;
inline constexpr std::uint16_t get_partial_object = 0x101B;
inline constexpr std::uint16_t initiate_open_capture = 0x101C;
// Android's extensions (android.com: 1.0)
inline constexpr std::uint16_t get_partial_object_64 = 0x95C1;
inline constexpr std::uint16_t send_partial_object = 0x95C2;
inline constexpr std::uint16_t truncate_object = 0x95C3;
inline constexpr std::uint16_t begin_edit_object = 0x95C4;
inline constexpr std::uint16_t end_edit_object = 0x95C5;
// MTP
inline constexpr std::uint16_t get_object_props_supported = 0x9801;
inline constexpr std::uint16_t get_object_prop_desc = 0x9802;
inline constexpr std::uint16_t get_object_prop_value = 0x9803;
inline constexpr std::uint16_t set_object_prop_value = 0x9804;
inline constexpr std::uint16_t get_object_prop_list = 0x9805;
inline constexpr std::uint16_t set_object_prop_list = 0x9806;
inline constexpr std::uint16_t get_interdependent_prop_desc = 0x9807;
inline constexpr std::uint16_t send_object_prop_list = 0x9808;
inline constexpr std::uint16_t get_object_references = 0x9810;
inline constexpr std::uint16_t set_object_references = 0x9811;
inline constexpr std::uint16_t skip = 0x9820;
}  // namespace operation

// Response codes: PTP 11, MTP appendix F.
namespace response {
inline constexpr std::uint16_t ok = 0x2001;
inline constexpr std::uint16_t general_error = 0x2002;
inline constexpr std::uint16_t session_not_open = 0x2003;
inline constexpr std::uint16_t invalid_transaction_id = 0x2004;
inline constexpr std::uint16_t operation_not_supported = 0x2005;
inline constexpr std::uint16_t parameter_not_supported = 0x2006;
inline constexpr std::uint16_t incomplete_transfer = 0x2007;
inline constexpr std::uint16_t invalid_storage_id = 0x2008;
inline constexpr std::uint16_t invalid_object_handle = 0x2009;
inline constexpr std::uint16_t device_prop_not_supported = 0x200A;
inline constexpr std::uint16_t invalid_object_format_code = 0x200B;
inline constexpr std::uint16_t store_full = 0x200C;
inline constexpr std::uint16_t object_write_protected = 0x200D;
inline constexpr std::uint16_t store_read_only = 0x200E;
inline constexpr std::uint16_t access_denied = 0x200F;
inline constexpr std::uint16_t no_thumbnail_present = 0x2010;
inline constexpr std::uint16_t self_test_failed = 0x2011;
inline constexpr std::uint16_t partial_deletion = 0x2012;
inline constexpr std::uint16_t store_not_available = 0x2013;
inline constexpr std::uint16_t specification_by_format_unsupported = 0x2014;
inline constexpr std::uint16_t no_valid_object_info = 0x2015;
inline constexpr std::uint16_t device_busy = 0x2019;
inline constexpr std::uint16_t invalid_parent_object = 0x201A;
inline constexpr std::uint16_t invalid_device_prop_format = 0x201B;
inline constexpr std::uint16_t invalid_device_prop_value = 0x201C;
inline constexpr std::uint16_t invalid_parameter = 0x201D;
inline constexpr std::uint16_t session_already_open = 0x201E;
inline constexpr std::uint16_t transaction_cancelled = 0x201F;
inline constexpr std::uint16_t specification_of_destination_unsupported = 0x2020;
inline constexpr std::uint16_t invalid_object_prop_code = 0xA801;
inline constexpr std::uint16_t invalid_object_prop_format = 0xA802;
inline constexpr std::uint16_t invalid_object_prop_value = 0xA803;
inline constexpr std::uint16_t invalid_object_reference = 0xA804;
inline constexpr std::uint16_t group_not_supported = 0xA805;
inline constexpr std::uint16_t invalid_dataset = 0xA806;
inline constexpr std::uint16_t specification_by_group_unsupported = 0xA807;
inline constexpr std::uint16_t specification_by_depth_unsupported = 0xA808;
inline constexpr std::uint16_t object_too_large = 0xA809;
inline constexpr std::uint16_t object_prop_not_supported = 0xA80A;
}  // namespace response

// Event codes: PTP 12, MTP appendix G.
namespace event {
inline constexpr std::uint16_t cancel_transaction = 0x4001;
inline constexpr std::uint16_t object_added = 0x4002;
inline constexpr std::uint16_t object_removed = 0x4003;
inline constexpr std::uint16_t store_added = 0x4004;
inline constexpr std::uint16_t store_removed = 0x4005;
inline constexpr std::uint16_t device_prop_changed = 0x4006;
inline constexpr std::uint16_t object_info_changed = 0x4007;
inline constexpr std::uint16_t device_info_changed = 0x4008;
inline constexpr std::uint16_t request_object_transfer = 0x4009;
inline constexpr std::uint16_t store_full = 0x400A;
inline constexpr std::uint16_t device_reset = 0x400B;
inline constexpr std::uint16_t storage_info_changed = 0x400C;
inline constexpr std::uint16_t capture_complete = 0x400D;
inline constexpr std::uint16_t unreported_status = 0x400E;
inline constexpr std::uint16_t object_prop_changed = 0xC801;
inline constexpr std::uint16_t object_prop_desc_changed = 0xC802;
inline constexpr std::uint16_t object_references_changed = 0xC803;
}  // namespace event

// Object formats: MTP appendix A.
namespace format {
inline constexpr std::uint16_t undefined = 0x3000;
inline constexpr std::uint16_t association = 0x3001;  // a folder
inline constexpr std::uint16_t text = 0x3004;
inline constexpr std::uint16_t wav = 0x3008;
inline constexpr std::uint16_t mp3 = 0x3009;
inline constexpr std::uint16_t exif_jpeg = 0x3801;
inline constexpr std::uint16_t png = 0x380B;
inline constexpr std::uint16_t wma = 0xB901;
inline constexpr std::uint16_t ogg = 0xB902;
inline constexpr std::uint16_t aac = 0xB903;
inline constexpr std::uint16_t flac = 0xB906;
inline constexpr std::uint16_t mp4 = 0xB982;
inline constexpr std::uint16_t abstract_audio_album = 0xBA03;
inline constexpr std::uint16_t abstract_audio_video_playlist = 0xBA05;
inline constexpr std::uint16_t m3u_playlist = 0xBA11;
}  // namespace format

// Object properties: MTP appendix B.
namespace object_property {
inline constexpr std::uint16_t storage_id = 0xDC01;
inline constexpr std::uint16_t object_format = 0xDC02;
inline constexpr std::uint16_t protection_status = 0xDC03;
inline constexpr std::uint16_t object_size = 0xDC04;
inline constexpr std::uint16_t object_file_name = 0xDC07;
inline constexpr std::uint16_t date_created = 0xDC08;
inline constexpr std::uint16_t date_modified = 0xDC09;
inline constexpr std::uint16_t parent_object = 0xDC0B;
inline constexpr std::uint16_t hidden = 0xDC0D;
inline constexpr std::uint16_t persistent_unique_object_identifier = 0xDC41;
inline constexpr std::uint16_t name = 0xDC44;
inline constexpr std::uint16_t artist = 0xDC46;
inline constexpr std::uint16_t representative_sample_format = 0xDC81;
inline constexpr std::uint16_t representative_sample_size = 0xDC82;
inline constexpr std::uint16_t representative_sample_data = 0xDC86;
inline constexpr std::uint16_t duration = 0xDC89;
inline constexpr std::uint16_t track = 0xDC8B;
inline constexpr std::uint16_t genre = 0xDC8C;
inline constexpr std::uint16_t composer = 0xDC96;
inline constexpr std::uint16_t original_release_date = 0xDC99;
inline constexpr std::uint16_t album_name = 0xDC9A;
inline constexpr std::uint16_t album_artist = 0xDC9B;
}  // namespace object_property

// Device properties: PTP 13, MTP appendix C.
namespace device_property {
inline constexpr std::uint16_t battery_level = 0x5001;
inline constexpr std::uint16_t date_time = 0x5011;
inline constexpr std::uint16_t synchronization_partner = 0xD401;
inline constexpr std::uint16_t device_friendly_name = 0xD402;
inline constexpr std::uint16_t volume = 0xD403;
inline constexpr std::uint16_t device_icon = 0xD405;
inline constexpr std::uint16_t playback_rate = 0xD410;
inline constexpr std::uint16_t playback_object = 0xD411;
inline constexpr std::uint16_t playback_container_index = 0xD412;
inline constexpr std::uint16_t playback_position = 0xD413;
}  // namespace device_property

// Data types: PTP 5.3; arrays of the integer types have 0x4000 added.
namespace data_type {
inline constexpr std::uint16_t int8 = 0x0001;
inline constexpr std::uint16_t uint8 = 0x0002;
inline constexpr std::uint16_t int16 = 0x0003;
inline constexpr std::uint16_t uint16 = 0x0004;
inline constexpr std::uint16_t int32 = 0x0005;
inline constexpr std::uint16_t uint32 = 0x0006;
inline constexpr std::uint16_t int64 = 0x0007;
inline constexpr std::uint16_t uint64 = 0x0008;
inline constexpr std::uint16_t int128 = 0x0009;
inline constexpr std::uint16_t uint128 = 0x000A;
inline constexpr std::uint16_t array_flag = 0x4000;
inline constexpr std::uint16_t string = 0xFFFF;
}  // namespace data_type

// Parameters that stand for "all" and for "the root".
inline constexpr std::uint32_t all_storages = 0xFFFFFFFF;
inline constexpr std::uint32_t root_parent = 0xFFFFFFFF;  // GetObjectHandles: objects of a storage's root only
inline constexpr std::uint32_t all_properties = 0xFFFFFFFF;
inline constexpr std::uint32_t any_format = 0;
// ObjectCompressedSize of an object of 4 GiB or more.
inline constexpr std::uint32_t size_not_in_32_bits = 0xFFFFFFFF;

}  // namespace plugfs::mtp
