#!/bin/bash
# Sticks with ext2, ext3 and ext4: what copy programs do, the driver killed meanwhile, volumes that are only read, the kernel's ext4 before and
# after, a cable that is pulled. And discs: ISO 9660, UDF.
. "$(dirname "$0")/lib.sh"
built=$(dirname "$stage")/tests
. "$(dirname "$0")/lib/sticks.sh"

for kind in ext2 ext3 ext4; do
    transport=bot
    [ $kind != ext4 ] || transport=uas
    image "$work/image" 300M $kind
    stick one --image "$work/image" --transport $transport --volatile-cache
    serve
    round_trip $kind $kind
    check "$kind: names whose case differs" sh -c "mkdir '$root/case' && echo a >'$root/case/name' && echo b >'$root/case/NAME' && test \$(cat '$root/case/name') = a"
    check "$kind: a file with a hole" sh -c "truncate -s 5G '$root/hole' && echo end >>'$root/hole' && test \$(tail -c 4 '$root/hole') = end && rm '$root/hole'"
    check_with_killer "$kind: cp -r of 500 files" 0.2 cp -r "$work/many" "$root/many"
    : >"$work/progress"
    mkdir "$root/random"
    check_with_killer "$kind: random operations" 0.05 \
        timeout 280 "$built/checker/random-operations" --progress "$work/progress" "$root/random" "${PLUGFS_OPERATIONS:-600}" "${PLUGFS_SEED:-5}"
    rm "$work/progress"
    drop
    check "$kind: the copy is exact" diff -r "$work/many" "$root/many"
    eject
    check "$kind: fsck after that" judge "$work/image" $kind
    done_with
done

# Volumes that are only read, and say why.
image "$work/image" 64M ext4
debugfs -w -R 'symlink here /etc/passwd' "$work/image" >/dev/null 2>&1
debugfs -w -R "write $work/many/9 nine" "$work/image" >/dev/null 2>&1
debugfs -w -R 'feature needs_recovery' "$work/image" >/dev/null 2>&1
cp "$work/image" "$work/before"
stick one --image "$work/image"
serve
wait_for 20 test -d "$root"
check "a journal that has to be replayed: EROFS" refused 'Read-only' touch "$root/new"
check "a journal that has to be replayed: state says why" grep -q 'journal' "$mnt/.control/Stick/state"
check "a journal that has to be replayed: it is read" cmp "$work/many/9" "$root/nine"
check "a link is left out, and the log says so" sh -c "test ! -e '$root/here' -a ! -L '$root/here' && grep -q 'left out' '$mnt/.control/Stick/log'"
check "a journal that has to be replayed: eject" eject
done_with
check "a volume that is only read is not changed" cmp "$work/before" "$work/image"

# This machine's kernel, where it can mount an image: what it has written is read and changed, and the other way round.
mkdir "$work/k"
image "$work/image" 64M ext4
if mount -o loop "$work/image" "$work/k" 2>/dev/null; then
    umount "$work/k"
    for kind in ext2 ext3 ext4; do
        image "$work/image" 200M $kind
        mount -o loop "$work/image" "$work/k"
        cp -r "$work/tree" "$work/k/kernel"
        ln "$work/k/kernel/nothing" "$work/k/other name"
        ln -s kernel "$work/k/link"
        mkdir "$work/k/indexed"
        for i in $(seq 2000); do echo "$i" >"$work/k/indexed/a name of some length, number $i"; done
        # Others write zeroes instead.
        fallocate -l 3M "$work/k/preallocated" 2>/dev/null || head -c 3145728 /dev/zero >"$work/k/preallocated"
        # Too large for the inode: a block of its own.
        setfattr -n user.kept -v "$(seq 200 | tr -d '\n')" "$work/k/kernel/one/two/large"
        umount "$work/k"
        stick one --image "$work/image"
        serve
        wait_for 20 test -d "$root" || not_ok "$kind: it is served"
        check "$kind: what the kernel wrote reads the same" diff -r "$work/tree" "$root/kernel"
        check "$kind: preallocated blocks are zeroes" cmp -n 3145728 "$root/preallocated" /dev/zero
        check "$kind: a tree is written" cp -r "$work/tree" "$root/ours"
        check "$kind: what the kernel wrote is renamed, a part of it removed" \
            sh -c "mv '$root/kernel' '$root/renamed' && rm -r '$root/renamed/one/two' && rm '$root/renamed/nothing' && rm '$root/preallocated'"
        check "$kind: a folder with an index" \
            sh -c "test \$(ls '$root/indexed' | wc -l) = 2000 && rm '$root/indexed/a name of some length, number 7'* && echo new >'$root/indexed/new'"
        check "$kind: eject" eject
        done_with
        check "$kind: fsck before the kernel has it" judge "$work/image" $kind
        mount -o loop "$work/image" "$work/k" || not_ok "$kind: the kernel mounts it again"
        check "$kind: the kernel reads what we wrote" diff -r "$work/tree" "$work/k/ours"
        check "$kind: and what we renamed, and not what we removed" \
            sh -c "cmp '$work/tree/one/a file with a long name, number 9.bin' '$work/k/renamed/one/a file with a long name, number 9.bin' && test ! -e '$work/k/renamed/one/two' -a -e '$work/k/other name' -a ! -e '$work/k/renamed/nothing' -a ! -e '$work/k/preallocated'"
        check "$kind: the folder that had an index" \
            sh -c "test \$(cat '$work/k/indexed/new') = new -a ! -e '$work/k/indexed/a name of some length, number 71' && test \$(cat '$work/k/indexed/a name of some length, number 1999') = 1999"
        check "$kind: the kernel goes on writing" sh -c "cp -r '$work/tree' '$work/k/again' && rm -r '$work/k/ours' && touch '$work/k/indexed/newer'"
        umount "$work/k"
        check "$kind: fsck after the kernel had it" judge "$work/image" $kind
    done
else
    echo "skip - the kernel's ext4: no image can be mounted here"
fi

# A CD image.
genisoimage -quiet -input-charset utf-8 -R -J -V STICK -o "$work/image" "$work/tree" && truncate -s %2M "$work/image"
stick one --image "$work/image"
serve
wait_for 20 test -d "$root"
check "ISO 9660: it is the same" diff -r "$work/tree" "$root"
check "ISO 9660: EROFS" refused 'Read-only' touch "$root/new"
check "ISO 9660: eject" eject
done_with

# A disc that has UDF, too, and a stick that mkudffs has formatted.
genisoimage -quiet -input-charset utf-8 -udf -J -V STICK -o "$work/image" "$work/tree" && truncate -s %2M "$work/image"
stick one --image "$work/image"
serve
wait_for 20 test -d "$root"
check "UDF: device.json says so" grep -q '"UDF"' "$mnt/Stick/device.json"
check "UDF: it is the same" diff -r "$work/tree" "$root"
check "UDF: EROFS" refused 'Read-only' touch "$root/new"
check "UDF: state says why" grep -q 'UDF' "$mnt/.control/Stick/state"
check "UDF: eject" eject
done_with
rm "$work/image"
truncate -s 64M "$work/image"
mkudffs -l STICK "$work/image" >/dev/null
stick one --image "$work/image"
serve
check "UDF: a stick with blocks of 512 bytes, and nothing on it" wait_for 20 test -d "$root"
check "UDF: the log has nothing to say of it" sh -c "! grep -q 'UDF volume' '$mnt/.control/Stick/log'"
check "UDF: eject" eject
done_with

# The power goes in the middle of writing: e2fsck finds nothing worse than what belongs to nobody, and what was fsynced is whole, before it has
# looked and after.
for kind in ext2 ext4; do
    lost=0
    for cut in $(seq "${PLUGFS_CUTS:-8}"); do
        image "$work/image" 64M $kind
        stick one --image "$work/image" --volatile-cache --fault "power-cut-after=$((cut * 31))"
        : >"$work/safe"
        tell one cut-seed "$cut" >/dev/null
        start_daemon --no-local -o grace=0 --attach "unix:$work/one"
        running Stick
        (
            for i in $(seq 200); do
                mkdir -p "$root/d$((i % 5))" && dd if="$work/many/$i" of="$root/d$((i % 5))/$i" conv=fsync status=none || break
                echo "$i" >>"$work/safe"
            done
        ) 2>/dev/null
        wait_for 30 sh -c "! test -e '$mnt/Stick'" || not_ok "$kind, cut $cut: the folder goes"
        done_with
        stick one --image "$work/image"
        start_daemon --no-local --attach "unix:$work/one"
        running Stick && wait_for 10 test -d "$root"
        while read -r i; do
            cmp -s "$work/many/$i" "$root/d$((i % 5))/$i" || not_ok "$kind, cut $cut: $i was fsynced, and is not whole"
        done <"$work/safe"
        done_with
        e2fsck -fy "$work/image" >"$work/fsck" 2>&1
        grep -qiE 'multiply-claimed|illegal|invalid inode|deleted/unused|bad magic|backup' "$work/fsck" && {
            not_ok "$kind, cut $cut: e2fsck finds more than what belongs to nobody"
            sed 's/^/#   /' "$work/fsck"
        }
        judge "$work/image" $kind >/dev/null 2>&1 || not_ok "$kind, cut $cut: e2fsck cannot put it right"
        while read -r i; do
            debugfs -R "dump d$((i % 5))/$i $work/dumped" "$work/image" 2>/dev/null
            cmp -s "$work/many/$i" "$work/dumped" || not_ok "$kind, cut $cut: $i was fsynced, and is not whole after e2fsck"
        done <"$work/safe"
        lost=$((lost + 200 - $(wc -l <"$work/safe")))
    done
    check "$kind: the power was cut in the middle" test "$lost" -gt 0
done
