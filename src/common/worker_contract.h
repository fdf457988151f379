// What the supervisor and a worker agree on: the descriptors a worker starts with, and the messages they exchange.
//
// Messages are JSON objects with a "type", one a packet on a SOCK_SEQPACKET socket, at most message_limit bytes.
//
//   supervisor to worker
//     start    {"type":"start","version":1,"transport":"usbfs"|"usbredir","uid":..,"gid":..,"umask":..,"log":"info",
//              "one_by_one":false,"ask_again":false,"mapped_limit":1048576,
//              "quirks":{"name":1,..},"options":{"raw_write":1,..},
//              "player":{..}}: the first message; "player" (common/player_json.h) only if the device is one;
//              "mapped_limit": bytes of transfers that may be mapped (usb/backend.h)
//     stop     {"type":"stop"}: close the device in good order and exit with 0
//     eject    {"type":"eject"}: get the device ready to be unplugged; "ejected" or "eject_failed" answers
//   worker to supervisor
//     ready    {"type":"ready","driver":"mtp","version":"1.0"}: the driver has started and the mount answers
//     failed   {"type":"failed","code":5,"stage":"..","detail":".."}: it could not; exit follows
//     failing  {"type":"failing"}: for a long time no request that moves data has succeeded, and many have failed
//     gone     {"type":"gone"}: the device does not answer as a device any more (ENODEV)
//     note     {"type":"note","text":".."}: what a person should know of the device now; empty: nothing any more
//     closing  {"type":"closing"}: an answer to "stop": closing takes longer, and goes on
//     ejected  {"type":"ejected"}: the device can be unplugged; the driver does not use it any more
//     eject_failed {"type":"eject_failed","code":5,"stage":"..","detail":".."}: it goes on as before
//     identity {"type":"identity",...}: what plugfs-probe found; see common/identity.h
#pragma once

namespace plugfs::worker {

inline constexpr int contract_version = 1;

// Descriptors 0, 1 and 2 are /dev/null and, twice, the log pipe.
inline constexpr int fuse_fd = 3;     // /dev/fuse, mounted; absent for the probe
inline constexpr int device_fd = 4;   // usbfs device or usbredir socket
inline constexpr int vault_fd = 5;    // absent for the probe
inline constexpr int control_fd = 6;  // SOCK_SEQPACKET
inline constexpr int spool_fd = 7;    // for plugfs::Spool; absent for the probe
inline constexpr int lasting_fd = 8;  // for Host::lasting_memory(); absent for the probe
inline constexpr int keeper_fd = 9;   // to who can empty the root (supervisor/namespaces.h); absent without namespaces
inline constexpr int first_free_fd = 10;

inline constexpr unsigned message_limit = 16 * 1024;

}  // namespace plugfs::worker
