# For test scripts that run in the guest: what those on real mounts have, and USB. Sourced with the staged installation as first argument.

. "$(cat /run/vm/top)/tests/integration/lib.sh"
vm=/run/vm
mnt=/mnt/devices
mkdir -p "$mnt"

# monitor COMMAND...: to QEMU's monitor (QMP over a virtio port): device_add and device_del are the hand that plugs and unplugs. What it
# answers is in $work/monitor.
modprobe -d "$(cat $vm/kernel)" virtio_console
exec 9<>/dev/vport0p1
cat <&9 >"$work/monitor" &
pids="$pids $!"
monitor_answers=0
monitor() {
    printf '{"execute": "human-monitor-command", "arguments": {"command-line": "%s"}}\n' "$*" >&9
    monitor_answers=$((monitor_answers + 1))
    wait_for 10 sh -c "test \$(grep -Ec '\"(return|error)\":' '$work/monitor') -gt $monitor_answers"
}
printf '{"execute": "qmp_capabilities"}\n' >&9

# usb_present VID PID
usb_present() { grep -qs "^PRODUCT=$1/$2/" /sys/bus/usb/devices/*/uevent; }

# count_usb: from here on, the traffic of all buses is noted; usb_bytes DIRECTION (i, o): bytes moved by bulk transfers since then
count_usb() {
    # usbmon queues what happens from the open on, but only some dozens of events: so it is opened before anything can happen, and nothing
    # does before the reader runs.
    exec 8</sys/kernel/debug/usb/usbmon/0u
    cat <&8 >"$work/usbmon" &
    usbmon=$!
    exec 8<&-
    pids="$pids $usbmon"
    wait_for 10 grep -qx cat "/proc/$usbmon/comm"
}
usb_bytes() {
    # It sleeps when it has read all that there is.
    wait_for 10 grep -q '^State:.S' "/proc/$usbmon/status"
    kill "$usbmon" && wait "$usbmon" 2>/dev/null
    # tag, time, C for a completed transfer, type and direction:bus:device:endpoint, status, length
    awk -v wanted="B$1:" '$3 == "C" && index($4, wanted) == 1 { sum += $6 } END { print sum + 0 }' "$work/usbmon"
}
