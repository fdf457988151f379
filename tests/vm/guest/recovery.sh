# In the guest of recovery_test.
. "$(cat /run/vm/top)/tests/vm/guest/lib.sh"

begin() { # begin OPTIONS: plugfsd, until the player is served
    start_daemon -o "$1"
    wait_for 60 sh -c "grep -qx running $mnt/.control/*/state" || not_ok "the player runs"
    name=$(ls "$mnt" | head -n 1)
    file=$(ls -d "$mnt/$name"/storage/*)/large.bin
    test -f "$file" || not_ok "its file is there"
}
pid() { cat "$mnt/.control/$name/pid"; }
restarts() { cat "$mnt/.control/$name/restarts"; }
exact() { test "$1" = 0 && cmp "$work/copy" "$vm/player/large.bin"; }
# copy: in the background, past the page cache
copy() {
    rm -f "$work/copy"
    echo 3 >/proc/sys/vm/drop_caches
    dd if="$file" of="$work/copy" iflag=direct bs=256k 2>"$work/copy.log" &
    reader=$!
    wait_for 10 test -s "$work/copy"
}

begin crash_limit=0,grace=20
copy
kills=0
while kill -0 "$reader" 2>/dev/null && [ "$kills" -lt 20 ]; do
    old=$(pid)
    kill -KILL "$old" && kills=$((kills + 1))
    wait_for 20 sh -c "test \"\$(cat '$mnt/.control/$name/pid')\" != $old && grep -qx running '$mnt/.control/$name/state'" || break
done
wait "$reader"
status=$?
check "killed $kills times in the middle of a copy of 100 MiB: it is exact" exact "$status"
check "each was a takeover" test "$(grep -c '"event":"recovered"' "$mnt/.control/events")" = "$kills"

copy
monitor device_del player
check "unplugged in the middle of a copy: it is waited for" wait_for 10 state_is "$name" away
monitor "device_add $(cat $vm/device)"
wait "$reader"
status=$?
check "plugged in again: the copy goes on and is exact" exact "$status"
stop_daemon

# A vault that does not add up, and the plain behaviour.
for way in damaged remount; do
    case $way in
    damaged) begin crash_limit=0 ;;
    remount) begin crash_limit=0,recovery=remount ;;
    esac
    copy
    old=$(pid)
    if [ "$way" = damaged ]; then
        # All of the header (a page) that stands behind the recorded FUSE_INIT and its reply, 1,040 bytes: no number makes sense.
        kill -STOP "$old"
        dd if=/dev/zero bs=1 count=3056 2>/dev/null | tr '\0' '\377' |
            dd of="/proc/$old/fd/5" bs=1 seek=1040 conv=notrunc 2>/dev/null
    fi
    begin_time=$(date +%s%N)
    kill -KILL "$old"
    wait "$reader"
    status=$?
    took=$((($(date +%s%N) - begin_time) / 1000000))
    check "$way: the reader in flight gets an error ($took ms)" test "$status" != 0
    check "$way: the next open succeeds" wait_for 20 sh -c "test \"\$(head -c 1000 '$file' | sha256sum)\" = \"\$(head -c 1000 $vm/player/large.bin | sha256sum)\""
    check "$way: nothing is left in state D" sh -c "! ps -eo stat | grep -q '^D'"
    stop_daemon
done
