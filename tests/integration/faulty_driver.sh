#!/bin/bash
# A driver with bugs: requests that crash it, hang it or eat its memory get EIO after three tries, and everybody else goes on. One that does
# not get past its start is left alone, and other devices do not notice.
. "$(dirname "$0")/lib.sh"
built=$(dirname "$stage")/tests

mkdir "$work/drivers" "$work/manifests"
ln -s "$stage"/libexec/plugfs/* "$work/drivers/"
ln -s "$built/integration/test_driver/plugfs-test" "$work/drivers/plugfs-test"
cp "$(dirname "$0")/test_driver/test.json" "$stage/share/plugfs/drivers.d/mtp.json" "$work/manifests"

# device NAME PRODUCT SERIAL: a virtual device for the test driver
device() {
    mkfifo "$work/$1.command"
    "$built/example/virtual-thermometer" "unix:$work/$1" "$2" "$3" <"$work/$1.command" &
    pids="$pids $!"
    exec {keep}>"$work/$1.command"
    wait_for 10 test -S "$work/$1" || not_ok "virtual device $1 starts"
}
device bad "Bad driver" B1
start_daemon --no-local --drivers "$work/drivers" --manifests "$work/manifests" -o crash_limit=0,hang_time=0.5 --attach "unix:$work/bad"
running "Bad driver" || not_ok "the test driver runs"
folder="$mnt/Bad driver"
ls "$folder" >/dev/null
restarts() { cat "$mnt/.control/Bad driver/restarts"; }

# Somebody reads all the time, past the cache, and checks every byte.
dd if="$folder/pattern" iflag=direct bs=1M status=none | sha256sum >"$work/expected"
(
    while [ ! -e "$work/enough" ]; do
        dd if="$folder/pattern" iflag=direct bs=1M status=none 2>>"$work/reader.log" | sha256sum | cmp -s - "$work/expected" || echo "wrong" >>"$work/reader.log"
        echo >>"$work/rounds"
    done
) &
reader=$!
pids="$pids $reader"
for file in crash loop memory; do
    before=$(restarts)
    begin=$(date +%s%N)
    timeout 120 dd if="$folder/$file" of=/dev/null iflag=direct bs=4096 count=1 2>"$work/err"
    status=$?
    took=$((($(date +%s%N) - begin) / 1000000))
    tries=$(($(restarts) - before))
    check "$file: EIO after $tries tries ($took ms)" sh -c "test $status = 1 -a $tries = 3 && grep -q 'Input/output error' '$work/err'"
    wait_for 20 state_is "Bad driver" running
done
crashed_by() { grep -l "$1" "$work"/state/crashes/*"Bad driver.json" 2>/dev/null | wc -l; }
check "a report for each, in the state directory" test "$(ls "$work/state/crashes" | wc -l)" = 9
check "with the signal, where it was, and what was not answered" sh -c "grep -lZ 'crashed: SIGABRT' '$work'/state/crashes/* | xargs -0 grep -lZ 'plugfs-test' | xargs -0 grep -l '\"READ\"' | grep -q ."
# (On a busy machine the one that takes all memory may be killed as hung before it has it.)
check "one that hung is reported, too" test "$(crashed_by hung)" -ge 3
check "last-crash has the last one" grep -q '"driver": "test 1.0"' "$mnt/.control/Bad driver/last-crash"
timeout 10 dd if="$folder/fail" of=/dev/null iflag=direct bs=4096 count=1 2>"$work/err"
check "an error of the driver is just an error" sh -c "grep -q 'Input/output error' '$work/err' && grep -q 'as asked for' '$mnt/.control/Bad driver/log'"
# The kernel holds the folder's lock for a listing that waits, the worker waits for the lock to tell of a name there, and is killed: it cannot
# end before the listing is answered.
check "killed while it tells of a name in a folder that is being listed: EIO" \
    sh -c "timeout 60 ls '$folder/announce' 2>'$work/err'; test \$? = 2 && grep -q 'Input/output error' '$work/err'"
check "and plugfsd has seen that it could not end" grep -q 'killed and cannot end' "$work/daemon.log"
check "another one serves" wait_for 20 state_is "Bad driver" running
touch "$work/enough"
check "the reader beside it ends" wait_for 60 sh -c "! kill -0 $reader"
wait "$reader"
check "it saw no error and no wrong byte ($(wc -l <"$work/rounds") rounds of 64 MiB)" test ! -s "$work/reader.log"

# The driver is replaced under load, also by a newer one.
rm "$work/enough" 2>/dev/null
dd if="$folder/pattern" iflag=direct bs=1M 2>"$work/err" | sha256sum >"$work/copy" &
copy=$!
old=$(cat "$mnt/.control/Bad driver/pid")
before=$(restarts)
echo 1 >"$mnt/.control/Bad driver/restart"
wait "$copy"
check "restart, while a copy runs: the copy is right" cmp "$work/copy" "$work/expected"
check "another process serves" wait_for 10 sh -c "test \"\$(cat '$mnt/.control/Bad driver/pid')\" != $old"
check "it does not count as a crash" test "$(restarts)" = "$before"
stop_daemon
check "it ends in good order" test "$daemon_status" = 0

# Successors that crash at their start: a reader waits for the one that does not.
device flaky "Flaky starter" F1
start_daemon --no-local --drivers "$work/drivers" --manifests "$work/manifests" -o crash_limit=0 --attach "unix:$work/flaky"
running "Flaky starter" || not_ok "the flaky one runs"
dd if="$mnt/Flaky starter/pattern" iflag=direct bs=64k 2>"$work/err" | sha256sum >"$work/copy" &
copy=$!
begin=$(date +%s%N)
kill -KILL "$(cat "$mnt/.control/Flaky starter/pid")"
wait "$copy"
check "two successors abort at their start: the copy is right ($((($(date +%s%N) - begin) / 1000000)) ms)" cmp "$work/copy" "$work/expected"
check "they are counted" wait_for 10 grep -qx 3 "$mnt/.control/Flaky starter/restarts"
stop_daemon

# One that crashes at every start, beside one that does not.
device start "Start crasher" S1
device good "Good driver" G1
start_daemon --no-local --drivers "$work/drivers" --manifests "$work/manifests" -o crash_limit=3/60 --attach "unix:$work/good" \
    --attach "unix:$work/start"
running "Good driver" || not_ok "the good one runs"
check "the other is quarantined" wait_for 30 state_is "Start crasher" quarantined
check "its state says why" grep -q 'signal 6' "$mnt/.control/Start crasher/state"
check "the good one serves" sh -c "dd if='$mnt/Good driver/pattern' iflag=direct bs=1M status=none | sha256sum | cmp - '$work/expected'"
crashes() { grep -c '"event":"crash".*Start crasher' "$mnt/.control/events"; }
before=$(crashes)
echo 1 >"$mnt/.control/Start crasher/restart"
check "restart tries it again" wait_for 20 sh -c "test \$(grep -c '\"event\":\"crash\".*Start crasher' '$mnt/.control/events') -gt $before"
check "a file that is no command cannot be written" sh -c "! echo 1 2>'$work/err' >'$mnt/.control/Good driver/state'"
stop_daemon
