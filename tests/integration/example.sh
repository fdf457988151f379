#!/bin/bash
# A driver that is not part of plugfs: built out of the tree against the installation, by pkg-config, as a third party would, and run on a
# virtual device of its own.
. "$(dirname "$0")/lib.sh"
example=$(cd "$(dirname "$0")/../example" && pwd)
device=$(dirname "$stage")/tests/example/virtual-thermometer

# Outside: only what `meson install` has put in place.
mkdir "$work/outside" "$work/drivers" "$work/manifests"
cp "$example/thermometer_driver.cpp" "$work/outside"
pkgconfig=$(dirname "$(find "$stage" -name plugfs.pc)")
build_driver() {
    cd "$work/outside" && flags=$(PKG_CONFIG_PATH="$pkgconfig" pkg-config --cflags --libs plugfs) &&
        ${CXX:-g++} -Wall -Wextra -Werror -O1 -o "$work/drivers/plugfs-thermometer" thermometer_driver.cpp $flags
}
check "the driver builds with the installed headers, archive and plugfs.pc" build_driver
check "it is about a hundred lines ($(grep -cvE '^ *(//.*)?$' "$example/thermometer_driver.cpp") without comments)" \
    test "$(grep -cvE '^ *(//.*)?$' "$example/thermometer_driver.cpp")" -le 120
check "it needs neither FUSE nor libusb headers" sh -c "! grep -E '#include.*(fuse|usb-?1|libusb)' '$example/thermometer_driver.cpp'"
check "run by hand it says who it is" sh -c "'$work/drivers/plugfs-thermometer' | grep -q '^thermometer 1.0'"
cp "$example/thermometer.json" "$work/manifests"
# --drivers is for all drivers, so the others' go there, too.
ln -s "$stage"/libexec/plugfs/* "$work/drivers/"

mkfifo "$work/command"
"$device" "unix:$work/thermometer" <"$work/command" &
pids="$pids $!"
exec 8>"$work/command"
wait_for 10 test -S "$work/thermometer" || not_ok "the virtual thermometer starts"
start_daemon --no-local --drivers "$work/drivers" --manifests "$work/manifests" --attach "unix:$work/thermometer"
check "the thermometer is served" running Thermometer
folder=$mnt/Thermometer
check "temperature" test "$(cat "$folder/temperature")" = 29.9
check "history: a line for each sample" test "$(wc -l <"$folder/history")" = 100
check "history: the first and the last" test "$(sed -n '1p;100p' "$folder/history" | tr -d '\n')" = " +020.0 +029.9"
check "history: a piece out of the middle" test "$(dd if="$folder/history" bs=8 skip=70 count=1 status=none)" = " +027.0"
check "device.json" grep -q thermometer "$folder/device.json"

echo "set -35" >&8
check "a new sample shows up in files that were read before" wait_for 20 grep -qx -- -3.5 "$folder/temperature"
check "and in the history" wait_for 20 test "$(wc -l <"$folder/history")" = 101
check "and among the events" wait_for 20 grep -q '"temperature":-3.5' "$folder/events"

# The device lies. (A new sample makes the driver look; what was read before may still be served.)
lies() { # lies COMMAND WORDS
    echo "$1" >&8
    echo 3 >/proc/sys/vm/drop_caches 2>/dev/null
    wait_for 10 sh -c "! timeout 5 dd if='$folder/history' iflag=direct bs=800 count=1 status=none >/dev/null 2>'$work/err'" &&
        grep -q 'Input/output error' "$work/err" && grep -q "$2" "$mnt/.control/Thermometer/log"
}
check "an answer that is cut: EIO, and the log names it" lies "short 1" "samples: none from number"
check "no answers at all: EIO" lies "stall" "samples\|control"
echo well >&8
check "afterwards it reads" wait_for 10 sh -c "test \$(wc -l <'$folder/history') = 101"
pid=$(cat "$mnt/.control/Thermometer/pid")
stop_daemon
check "it ends in good order" test "$daemon_status" = 0
check "no process is left" sh -c "! kill -0 $pid 2>/dev/null"
exec 8>&-
