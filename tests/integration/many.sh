#!/bin/bash
# Thirty players at once; what a worker and the supervisor take; how long `ls` waits while a large file is read.
. "$(dirname "$0")/lib.sh"

"$stage/bin/plugfs-virtual" library --output "$work/tracks" --large big.bin=104857600 || exit 1
attach=
for i in $(seq 30); do
    player "p$i" --root "$work/tracks" --identity "1209:0001,Player $i,S$i"
    attach="$attach --attach unix:$work/p$i"
done
# shellcheck disable=SC2086 # a list of options
start_daemon --no-local $attach
all_run() { test "$(cat "$mnt"/.control/*/state | grep -cx running)" = 30; }
check "thirty players run" wait_for 60 all_run
listed() { for i in $(seq 30); do test "$(find "$mnt/Player $i/storage" -name '*.wav' | wc -l)" = 12 || return 1; done; }
check "all are listed" listed
kib() { awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/status"; }
worst=0
for i in $(seq 30); do
    used=$(kib "$(cat "$mnt/.control/Player $i/pid")" RssAnon)
    [ "$used" -le "$worst" ] || worst=$used
done
echo "# private memory of a worker, the largest of 30: $worst KiB; locked slots, shared: $(kib "$(cat "$mnt/.control/Player 1/pid")" VmLck) KiB"
echo "# private memory of the supervisor: $(kib "$daemon" RssAnon) KiB"
check "a worker's private memory is under 4 MiB" test "$worst" -lt 4096

# `ls` of a folder that was not looked at before, idle and while 100 MiB are read
median_and_worst() { sort -n | awk '{ v[NR] = $1 } END { printf "median %d us, worst %d us", v[int((NR + 1) / 2)], v[NR] }'; }
time_ls() { perl -MTime::HiRes=time -e 'for (@ARGV) { my $t = time; opendir my $d, $_ or die "$_: $!"; my @x = readdir $d; printf "%d\n", (time - $t) * 1e6 }' "$@"; }
folders() { printf '%s\n' "$mnt/Player $1/storage/Internal storage" "$mnt/Player $1/storage/Internal storage/Music/"*; }
mkdir -p "$work/tracks/many"
for i in $(seq 40); do mkdir "$work/tracks/many/$i"; : >"$work/tracks/many/$i/x"; done
wait_for 20 test -d "$mnt/Player 1/storage/Internal storage/many/40"
wait_for 20 test -d "$mnt/Player 2/storage/Internal storage/many/40"
idle=$(time_ls "$mnt/Player 2/storage/Internal storage/many/"* | median_and_worst)
dd if="$mnt/Player 1/storage/Internal storage/big.bin" of=/dev/null bs=1M 2>"$work/dd" &
reader=$!
busy=$(time_ls "$mnt/Player 1/storage/Internal storage/many/"* | median_and_worst)
wait "$reader"
echo "# ls of a new folder, idle: $idle"
echo "# ls of a new folder, while 100 MiB are read: $busy"
check "and the file was read" grep -q '104857600 bytes' "$work/dd"
