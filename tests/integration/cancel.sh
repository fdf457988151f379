#!/bin/bash
# Whoever is interrupted is free at once, and the device is told; who else waits is not disturbed.
. "$(dirname "$0")/lib.sh"

"$stage/bin/plugfs-virtual" library --output "$work/tracks" --large big.bin=20000000 --large other.bin=1000000 >/dev/null || exit 1
start_daemon --no-local -o crash_limit=0 --attach "unix:$work/walkman"
root="$mnt/Walkman/storage/Internal storage"
drop() { echo 3 >/proc/sys/vm/drop_caches 2>/dev/null; }
milliseconds() { echo $(($(date +%s%N) / 1000000)); }
cancels() { tell walkman count | sed 's/.*"cancelled":\([0-9]*\).*/\1/'; }
cancelled_since() { test "$(cancels)" -gt "$1"; }

# interrupted SIGNAL COMMAND...: what a reader of a file that takes an hour sees; prints how long it took to end. Through the page cache it
# must not catch the signal (as dd does): the kernel lets nobody go who does.
interrupted() {
    signal=$1
    shift
    drop
    before=$(cancels)
    # Job control, so that the reader gets the signal as from a terminal.
    set -m
    "$@" >"$work/out" 2>"$work/err" &
    reader=$!
    set +m
    sleep 0.7
    began=$(milliseconds)
    kill -"$signal" "$reader"
    wait "$reader" 2>/dev/null
    status=$?
    took=$(($(milliseconds) - began))
    echo "ended with $status after $took ms"
    test "$status" -gt 0 && test "$took" -lt 5000 && wait_for 20 cancelled_since "$before"
}
# other_is_quick: another file is read without waiting for what nobody wants any more
other_is_quick() {
    began=$(milliseconds)
    dd if="$root/other.bin" iflag=direct bs=64k count=1 status=none | cmp -n 65536 - "$work/tracks/other.bin" || return 1
    echo "$(($(milliseconds) - began)) ms"
    test $(($(milliseconds) - began)) -lt 20000
}

# A megabyte takes 50 s: nobody waits for that.
for kind in "" no-partial; do
    name=${kind:-partial}
    player walkman --root "$work/tracks" --identity 1209:0001,Walkman,A1 ${kind:+--fault "$kind"}
    running Walkman || not_ok "the player runs ($name)"
    ls -lR "$root" >/dev/null
    restarts=$(cat "$mnt/.control/Walkman/restarts")
    tell walkman fault throttle=20000 >/dev/null
    check "$name: Ctrl-C ends a direct read at once, and the device is told" interrupted INT dd if="$root/big.bin" bs=1M iflag=direct
    check "$name: Ctrl-C ends a read through the page cache at once, and the device is told" interrupted INT cat "$root/big.bin"
    check "$name: so does SIGKILL" interrupted KILL cat "$root/big.bin"
    tell walkman clear >/dev/null
    check "$name: the next reader is served" other_is_quick
    check "$name: the file reads as before" timeout 60 cmp "$root/big.bin" "$work/tracks/big.bin"
    check "$name: nothing was restarted for it" test "$(cat "$mnt/.control/Walkman/restarts")" = "$restarts"
    check "$name: nor was the session begun anew" sh -c "! grep -q 'new session' '$mnt/.control/Walkman/log'"

    # Two want the same bytes; one goes.
    drop
    tell walkman fault throttle=400000 >/dev/null
    dd if="$root/other.bin" of="$work/stays" iflag=direct bs=256k count=2 2>"$work/err.stays" &
    stays=$!
    dd if="$root/other.bin" of="$work/out" iflag=direct bs=256k count=2 2>/dev/null &
    goes=$!
    sleep 0.5
    kill -KILL "$goes"
    wait "$goes" 2>/dev/null
    check "$name: another reader of the same bytes gets them" \
        sh -c "timeout 60 tail --pid=$stays -f /dev/null; cmp -n 524288 '$work/stays' '$work/tracks/other.bin' && test \$(stat -c %s '$work/stays') = 524288"
    wait "$stays" 2>/dev/null
    tell walkman clear >/dev/null
    kill "$player_walkman"
    wait "$player_walkman" 2>/dev/null
    wait_for 20 test ! -e "$mnt/Walkman" || not_ok "the player goes"
    rm -f "$work/walkman" "$work/walkman.control"
done
