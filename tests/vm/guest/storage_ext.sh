# In the guest of storage_ext_test.
. "$(cat /run/vm/top)/tests/vm/guest/lib.sh"
. "$(cat /run/vm/top)/tests/vm/guest/sticks.sh"

mkdir "$work/k"
for serial in bot-ext2 bot-ext4 uas-ext4 bot-udf; do
    wait_for 60 disk "$serial" || not_ok "$serial: the kernel finds it"
    mount_stick "$serial" rw || not_ok "$serial: the kernel mounts it"
    cp -r "$vm/tree" "$work/k/kernel"
    touch -d @1700000000 "$work/k/kernel"
    # Extents in many pieces, and a folder large enough for an index.
    for i in $(seq 10); do
        seq $((i * 1000)) >>"$work/k/kernel/pieces one"
        sync "$work/k/kernel/pieces one"
        seq $((i * 700)) >>"$work/k/kernel/pieces two"
        sync "$work/k/kernel/pieces two"
    done
    mkdir "$work/k/kernel/many"
    (cd "$work/k/kernel/many" && seq -f 'a name of some length, number %.0f' 200 | xargs -d '\n' touch)
    ln "$work/k/kernel/one/size 513" "$work/k/kernel/second name"
    [ -e "$work/expected" ] || cp -r "$work/k/kernel" "$work/expected"
    umount "$work/k"
done

start_daemon -o crash_limit=0
for serial in bot-ext2 bot-ext4 uas-ext4 bot-udf; do
    check "$serial: it is served" wait_for 60 is_served "$serial"
    drop
    check "$serial: what the kernel wrote reads the same" diff -r "$work/expected" "$(root "$serial")/kernel"
    check "$serial: and its times" test "$(stat -c %Y "$(root "$serial")/kernel/one/size 513")" = "$(stat -c %Y "$(root "$serial")/kernel/second name")"
done
check "bot-udf: it is only read" sh -c "! touch '$(root bot-udf)/new' 2>/dev/null"
for serial in bot-ext2 bot-ext4 uas-ext4; do
    check "$serial: a tree is written" cp -r "$vm/tree" "$(root "$serial")/ours"
    drop
    check "$serial: and reads the same" diff -r "$vm/tree" "$(root "$serial")/ours"
    check "$serial: what the kernel wrote is renamed, half of it removed" \
        sh -c "mv '$(root "$serial")/kernel' '$(root "$serial")/renamed' && rm -r '$(root "$serial")/renamed/two' '$(root "$serial")/renamed/pieces one'"
    check "$serial: and written to" sh -c "echo more >>'$(root "$serial")/renamed/pieces two' && touch '$(root "$serial")/renamed/many/new'"
done

stop_daemon
for serial in bot-ext2 bot-ext4 uas-ext4; do
    check "$serial: the kernel has it again" wait_for 60 disk "$serial"
    check "$serial: e2fsck" judge "$serial" "$(disk "$serial")"
    mount_stick "$serial" ro || not_ok "$serial: the kernel mounts it again"
    check "$serial: the kernel reads what we wrote" diff -r "$vm/tree" "$work/k/ours"
    check "$serial: and what we renamed" diff -r "$work/expected/one" "$work/k/renamed/one"
    check "$serial: and not what we removed" test ! -e "$work/k/renamed/two" -a ! -e "$work/k/renamed/pieces one"
    check "$serial: and what we appended" sh -c "test \"\$(tail -n 1 '$work/k/renamed/pieces two')\" = more && test \$(ls '$work/k/renamed/many' | wc -l) = 201"
    umount "$work/k"
done
