#!/bin/bash
# A device that answers garbage, stalls, lies or vanishes: an error within the deadline, a log line that names the operation, and no harm to
# the device beside it.
. "$(dirname "$0")/lib.sh"

"$stage/bin/plugfs-virtual" library --output "$work/tracks" --large big.bin=4194304 || exit 1
player good --root "$work/tracks" --identity 1209:0001,Good,G
player bad --root "$work/tracks" --identity 1209:0001,Bad,B
start_daemon --no-local --attach "unix:$work/good" --attach "unix:$work/bad"
running Good && running Bad || not_ok "both start"
good="$mnt/Good/storage/Internal storage"
bad="$mnt/Bad/storage/Internal storage"
neighbour() { timeout 5 cmp "$good/big.bin" "$work/tracks/big.bin"; }
ls -R "$bad" >/dev/null

# Each fault: reading fails with EIO, in time, and names the operation; without the fault everything is as before.
for fault in stall-data stall-response short-data wrong-transaction-id wrong-container-type long-length short-length; do
    tell bad "fault $fault" >/dev/null
    # If the device has to be brought back by a new session, what is open must be found again.
    tell bad "fault new-handles" >/dev/null
    begin=$(date +%s)
    timeout 60 dd if="$bad/big.bin" of=/dev/null bs=64k iflag=direct count=1 2>"$work/err"
    status=$?
    took=$(($(date +%s) - begin))
    check "$fault: EIO ($took s)" sh -c "test $status = 1 && grep -q 'Input/output error' '$work/err'"
    check "$fault: the log names the operation" grep -q 'GetPartialObject64' "$mnt/.control/Bad/log"
    check "$fault: the neighbour is served" neighbour
    tell bad clear >/dev/null
    check "$fault: afterwards it reads" wait_for 20 timeout 10 cmp "$bad/big.bin" "$work/tracks/big.bin"
done
check "the driver did not have to be started again" grep -qx 0 "$mnt/.control/Bad/restarts"

# Every answer is broken, and each costs a new session, after which the folders have to be found again: which breaks, too.
tell bad "fault new-handles" >/dev/null
kill -KILL "$(cat "$mnt/.control/Bad/pid")"
wait_for 20 grep -qx 1 "$mnt/.control/Bad/restarts"
running Bad
tell bad "fault short-length" >/dev/null
timeout 60 dd if="$bad/big.bin" of=/dev/null bs=64k iflag=direct count=1 2>"$work/err"
check "folders that cannot be found again: EIO, not a wait without end" sh -c "test $? = 1 && grep -q 'Input/output error' '$work/err'"
tell bad clear >/dev/null
check "folders that cannot be found again: afterwards it reads" wait_for 20 timeout 10 cmp "$bad/big.bin" "$work/tracks/big.bin"

# These are no errors: real devices do it.
for fault in missing-zlp header-apart no-partial-64 slow=20; do
    player "odd_${fault%%[=-]*}" --root "$work/tracks" --identity "1209:0001,Odd $fault,$fault" --fault "$fault"
    "$stage/sbin/plugfsd" --version >/dev/null
done
stop_daemon
start_daemon --no-local --attach "unix:$work/odd_missing" --attach "unix:$work/odd_header" --attach "unix:$work/odd_no" --attach "unix:$work/odd_slow"
for fault in missing-zlp header-apart no-partial-64 slow=20; do
    check "$fault: starts" running "Odd $fault"
    check "$fault: all files are right" timeout 60 diff -r "$work/tracks" "$mnt/Odd $fault/storage/Internal storage"
done
stop_daemon

player whole --root "$work/tracks" --identity "1209:0001,Whole,W" --fault no-partial --fault no-object-prop-list
player odd --root "$work/tracks" --identity "1209:0001,Names,N" --fault odd-names
player liar --root "$work/tracks" --identity "1209:0001,Liar,L" --fault no-object-prop-list
player locked --root "$work/tracks" --identity "1209:0001,Locked,P" --fault locked
start_daemon --no-local --attach "unix:$work/whole" --attach "unix:$work/odd" --attach "unix:$work/liar" --attach "unix:$work/locked"
running Whole
check "no partial reads: whole objects, read as they arrive" timeout 60 diff -r "$work/tracks" "$mnt/Whole/storage/Internal storage"
running Names
odd_count() { test "$(find "$mnt/Names/storage" -type f | wc -l)" = "$(find "$work/tracks" -type f | wc -l)"; }
check "odd names: every object is there" odd_count
check "odd names: nothing that is no file name" sh -c "! find '$mnt/Names/storage' -type f | LC_ALL=C grep -q 'bad .\{0,1\}\xff'"
running Liar
tell liar "fault lying-count" >/dev/null
check "a count of 4 billion elements: EIO" sh -c "! timeout 30 ls '$mnt/Liar/storage/Internal storage' 2>'$work/err'"
check "and the log names the field's dataset" grep -Eq 'GetObjectHandles|GetStorageIDs' "$mnt/.control/Liar/log"
tell liar clear >/dev/null
check "afterwards it lists" wait_for 10 timeout 10 ls "$mnt/Liar/storage/Internal storage/Music"
running Locked
check "a locked phone shows nothing" sh -c "test -z \"\$(ls '$mnt/Locked/storage')\""
tell locked unlock >/dev/null
check "unlocked: it fills in by itself" wait_for 10 test -d "$mnt/Locked/storage/Internal storage/Music"
