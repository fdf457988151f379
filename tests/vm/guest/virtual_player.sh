# In the guest of virtual_player_test.
. "$(cat /run/vm/top)/tests/vm/guest/lib.sh"

wait_for 30 usb_present 1209 1 || not_ok "the virtual player is on the bus"
sums_of() { (cd "$1" && sha256sum --quiet -c $vm/sums); }
files=$(wc -l <$vm/sums)

# libmtp by its tools: list, then fetch one by its number.
timeout 120 mtp-files >"$work/files" 2>&1
check "mtp-files lists every file ($files)" test "$(grep -c '^ *Filename:' "$work/files")" = "$files"
id=$(grep -B1 'Filename: Big file.bin' "$work/files" | sed -n 's/^File ID: //p')
check "mtp-getfile fetches one" sh -c "timeout 120 mtp-getfile '${id:-0}' '$work/fetched' >'$work/getfile' 2>&1 && cmp '$work/fetched' '$vm/tracks/Big file.bin'"

# Only when the client has ended is the interface free for the next.
unmount() {
    umount "$1"
    wait_for 20 sh -c "! kill -0 $client" || not_ok "the client ends"
    wait "$client"
}

# libmtp through FUSE.
mkdir "$work/jmtpfs" "$work/aft"
jmtpfs -f "$work/jmtpfs" >"$work/jmtpfs.log" 2>&1 &
client=$!
check "jmtpfs mounts it" wait_for 30 test -d "$work/jmtpfs/Internal storage"
check "jmtpfs: sha256 of every file" sums_of "$work/jmtpfs/Internal storage"
# Ours says whose it is, and takes it when it is told to.
start_daemon
check "while jmtpfs has it, plugfsd says so" wait_for 30 sh -c "grep -q 'waiting: another program is using the device: \"jmtpfs\" (process $client of user 0)' '$mnt/.control/Walkman/state'"
check "told to, plugfsd takes it from jmtpfs" sh -c "echo take >'$mnt/.control/Walkman/restart'"
check "and serves it" wait_for 30 state_is Walkman running
check "jmtpfs has lost it" sh -c "! cat '$work/jmtpfs/Internal storage/'* >/dev/null 2>&1"
stop_daemon
unmount "$work/jmtpfs"

# Another implementation altogether. Ours comes as soon as it is free.
aft-mtp-mount -f "$work/aft" >"$work/aft.log" 2>&1 &
client=$!
check "aft-mtp-mount mounts it" wait_for 30 test -d "$work/aft/Internal storage"
check "aft-mtp-mount: sha256 of every file" sums_of "$work/aft/Internal storage"
start_daemon
check "while aft-mtp-mount has it, plugfsd waits" wait_for 30 sh -c "grep -q '^waiting: another program' '$mnt/.control/Walkman/state'"
unmount "$work/aft"
check "when it has ended, it is served" wait_for 30 state_is Walkman running
stop_daemon

# Ours: from the same bus, through libusb.
start_daemon
check "plugfsd takes it over from them" wait_for 30 state_is Walkman running
check "plugfsd: sha256 of every file" sums_of "$mnt/Walkman/storage/Internal storage"
stop_daemon
if [ "$failed" -gt 0 ]; then
    head -n 30 "$work/files" "$work/getfile" "$work/jmtpfs.log" "$work/aft.log" | sed 's/^/# /'
fi
