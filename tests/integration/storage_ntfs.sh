#!/bin/bash
# Sticks with NTFS: another program of the storage driver takes over; what copy programs do, ntfs-3g and its tools before and after, the driver
# killed meanwhile, volumes that are only read, a cable that is pulled.
. "$(dirname "$0")/lib.sh"
built=$(dirname "$stage")/tests
. "$(dirname "$0")/lib/sticks.sh"

if [ ! -x "$stage/libexec/plugfs/plugfs-storage-ntfs" ] || ! command -v mkntfs >/dev/null; then
    echo "skip - plugfs-storage-ntfs is not built, or mkntfs is not installed"
    exit 0
fi
check "plugfs-storage is without libntfs-3g" sh -c "ldd '$stage/libexec/plugfs/plugfs-storage' | grep -q libext2fs && ! ldd '$stage/libexec/plugfs/plugfs-storage' | grep -q ntfs"
volume_is_there() { wait_for 20 test -d "$root" || not_ok "$1: the volume has its label as its name"; }

copies() {
    for transport in bot uas; do
        image "$work/image" 300M ntfs
        stick one --image "$work/image" --transport $transport --volatile-cache
        : >"$work/daemon.log"
        serve
        volume_is_there "$transport"
        check "$transport: driver says which program serves it" grep -q 'plugfs-storage-ntfs' "$mnt/.control/Stick/driver"
        check "$transport: no crash is counted" test "$(restarts)" = 0
        check "$transport: nothing in the log alarms" sh -c "! grep -E 'warning|error' '$work/daemon.log'"
        check "$transport: cp -r" cp -r "$work/tree" "$root/tree"
        drop
        check "$transport: it is the same" diff -r "$work/tree" "$root/tree"
        check "$transport: rsync -a, and a second time there is nothing to do" \
            sh -c "rsync -a '$work/tree/' '$root/copy/' && test -z \"\$(rsync -ain '$work/tree/' '$root/copy/' | grep '^>f')\""
        check "$transport: a name in another case is the same one" sh -c "mkdir '$root/case' && echo a >'$root/case/name' && ! mkdir '$root/case/NAME'"
        check "$transport: a name that Windows does not have: EINVAL" refused 'Invalid argument' touch "$root/a:b"
        check "$transport: a file with a hole, beyond 4 GiB" \
            sh -c "truncate -s 5G '$root/hole' && echo end >>'$root/hole' && test \$(tail -c 4 '$root/hole') = end && rm '$root/hole'"
        check "$transport: append, truncate" \
            sh -c "head -c 100000 '$work/tree/one/two/large' >'$root/part' && tail -c +100001 '$work/tree/one/two/large' >>'$root/part' && cmp '$root/part' '$work/tree/one/two/large' && truncate -s 70000 '$root/part' && cmp -n 70000 '$root/part' '$work/tree/one/two/large' && test \$(stat -c %s '$root/part') = 70000"
        check "$transport: a rename over an existing file" \
            sh -c "echo old >'$root/target' && mv -f '$root/part' '$root/target' && cmp -n 70000 '$root/target' '$work/tree/one/two/large' && test ! -e '$root/part'"
        check "$transport: mv, rm -r" sh -c "mv '$root/copy' '$root/moved' && rm -r '$root/moved' '$root/case' && test ! -e '$root/copy'"
        check "$transport: df" sh -c "test \$(df --output=size -B 1M '$root' | tail -n 1) -gt 250"
        check "$transport: eject" eject
        check "$transport: it is whole" judge "$work/image" ntfs
        check "$transport: restart" sh -c "echo 1 >'$mnt/.control/Stick/restart'"
        running Stick
        check "$transport: it was loaded again" wait_for 20 test -d "$root/tree"
        drop
        check "$transport: all is there" diff -r "$work/tree" "$root/tree"
        eject
        done_with
    done
}

killed() {
    image "$work/image" 300M ntfs
    stick one --image "$work/image" --volatile-cache
    serve
    volume_is_there killed
    before=$(restarts)
    # On a loaded machine not before a file more has been copied: what is killed each time it is tried is a bad request.
    : >"$work/progress"
    killer &
    killer=$!
    check "cp -r of 500 files, the driver killed every 200 ms" \
        sh -c "stdbuf -oL cp -rv '$work/many' '$root/many' >'$work/progress'"
    : >"$work/progress"
    mkdir "$root/random"
    check "random operations, the driver killed every 200 ms" \
        timeout 280 "$built/checker/random-operations" --progress "$work/progress" "$root/random" "${PLUGFS_OPERATIONS:-1500}" "${PLUGFS_SEED:-5}"
    rm "$work/progress"
    kill "$killer"
    wait "$killer" 2>/dev/null
    running Stick
    check "it was killed ($(($(restarts) - before)) times)" test "$(restarts)" -gt "$before"
    drop
    check "the copy is exact" diff -r "$work/many" "$root/many"
    eject
    check "it is whole after that" judge "$work/image" ntfs
    done_with
}

many() {
    image "$work/image" 200M ntfs
    stick one --image "$work/image"
    serve
    volume_is_there many
    mkdir "$root/many"
    check "10,000 entries in a folder" \
        sh -c "cd '$root/many' && seq 10000 | sed 's/.*/a name of some length, number &/' | xargs -d '\n' touch && test \$(ls | wc -l) = 10000"
    drop
    check "10,000 entries are listed again" sh -c "test \$(ls '$root/many' | wc -l) = 10000"
    eject
    check "10,000 entries: it is whole" judge "$work/image" ntfs
    done_with
}

# What ntfs-3g writes, and what it reads of ours.
reference() {
    mkdir "$work/k"
    image "$work/image" 200M ntfs
    if ! ntfs-3g "$work/image" "$work/k" 2>/dev/null; then
        echo "skip - ntfs-3g cannot mount an image here"
        return
    fi
    cp -r "$work/tree" "$work/k/theirs"
    ln "$work/k/theirs/nothing" "$work/k/other name"
    ln -s theirs "$work/k/link"
    mkdir "$work/k/indexed" "$work/k/compressed"
    for i in $(seq 2000); do echo "$i" >"$work/k/indexed/a name of some length, number $i"; done
    setfattr -h -v 0x00080000 -n system.ntfs_attrib "$work/k/compressed" 2>/dev/null
    seq 200000 >"$work/k/compressed/numbers"
    seq 200000 >"$work/numbers"
    umount "$work/k"
    stick one --image "$work/image"
    serve
    volume_is_there reference
    check "what ntfs-3g wrote reads the same" diff -r "$work/tree" "$root/theirs"
    check "a compressed file reads the same" cmp "$work/numbers" "$root/compressed/numbers"
    check "the volume's own files are hidden" sh -c "test -z \"\$(ls -A '$root' | grep '^\\$')\""
    check "a tree is written" cp -r "$work/tree" "$root/ours"
    check "what ntfs-3g wrote is renamed, a part of it removed" \
        sh -c "mv '$root/theirs' '$root/renamed' && rm -r '$root/renamed/one/two' && rm '$root/renamed/nothing'"
    check "a folder with an index" \
        sh -c "test \$(ls '$root/indexed' | wc -l) = 2000 && rm '$root/indexed/a name of some length, number 7'* && echo new >'$root/indexed/new'"
    check "eject" eject
    done_with
    check "it is whole before ntfs-3g has it" judge "$work/image" ntfs
    ntfs-3g "$work/image" "$work/k" || not_ok "ntfs-3g mounts it again"
    check "ntfs-3g reads what we wrote" diff -r "$work/tree" "$work/k/ours"
    check "and what we renamed, and not what we removed" \
        sh -c "cmp '$work/tree/one/a file with a long name, number 9.bin' '$work/k/renamed/one/a file with a long name, number 9.bin' && test ! -e '$work/k/renamed/one/two' -a -e '$work/k/other name' -a ! -e '$work/k/renamed/nothing'"
    check "ntfs-3g goes on writing" sh -c "cp -r '$work/tree' '$work/k/again' && rm -r '$work/k/ours' && touch '$work/k/indexed/newer'"
    umount "$work/k"
    check "it is whole after ntfs-3g had it" judge "$work/image" ntfs
}

# Volumes that are only read, and say why.
only_read() { # only_read WHAT WORDS
    cp "$work/image" "$work/before"
    stick one --image "$work/image"
    serve
    volume_is_there "$1"
    check "$1: EROFS" refused 'Read-only' touch "$root/new"
    check "$1: state says why" grep -q "$2" "$mnt/.control/Stick/state"
    check "$1: it is read" cmp "$work/many/9" "$root/nine"
    check "$1: eject" eject
    done_with
    check "$1: it is not changed" cmp "$work/before" "$work/image"
}
protected() {
    image "$work/image" 64M ntfs
    ntfscp -q -f "$work/image" "$work/many/9" nine
    cp "$work/image" "$work/clean"
    # The flags of the volume, in the third record of the MFT (here at cluster 4): behind the version 3.1.
    perl -e 'open(F, "+<", shift) or die; seek F, 4 * 4096 + 3 * 1024, 0; read F, $_, 1024; /\x03\x01\x00\x00\x00\x00\x00\x00/ or die; seek F, 4 * 4096 + 3 * 1024 + $-[0] + 2, 0; print F "\x01"; seek F, 0, 0; read F, $b, 512;
        my $m = unpack("Q<", substr($b, 56, 8)); seek F, $m * 4096 + 3 * 1024 + $-[0] + 2, 0; print F "\x01"' "$work/image" || not_ok "the mark is set"
    only_read "marked as being changed" 'not closed properly'
    cp "$work/clean" "$work/image"
    { printf 'hibr' && head -c 8188 /dev/zero; } >"$work/hiberfil"
    ntfscp -q -f "$work/image" "$work/hiberfil" hiberfil.sys
    only_read "Windows is asleep" 'asleep'
    # Without the program that serves it.
    cp "$work/clean" "$work/image"
    cp -r "$stage/libexec/plugfs" "$work/drivers" && rm "$work/drivers/plugfs-storage-ntfs"
    stick one --image "$work/image"
    serve --drivers "$work/drivers"
    check "not installed: state says what is missing" wait_for 10 grep -q 'needs plugfs-storage-ntfs' "$mnt/.control/Stick/state"
    check "not installed: it is there as an image" cmp "$work/image" "$mnt/Stick/disk.img"
    done_with
}

# A medium that is put in later; with another one the program stays.
later() {
    image "$work/image" 64M ntfs
    image "$work/fat" 64M fat
    stick one --image "$work/fat"
    serve
    volume_is_there "a card reader"
    echo kept >"$root/file"
    check "a card reader begins without NTFS" sh -c "! grep -q ntfs '$mnt/.control/Stick/driver'"
    tell one remove 0 >/dev/null
    wait_for 20 sh -c "! test -d '$root'"
    tell one insert 0 "$work/image" >/dev/null
    check "NTFS is put in: the other program takes over" wait_for 20 grep -q ntfs "$mnt/.control/Stick/driver"
    running Stick
    check "NTFS is put in: it is served" wait_for 20 test -d "$root"
    check "NTFS is put in: it is written to" sh -c "echo new >'$root/new' && cat '$root/new'"
    check "NTFS is put in: no crash is counted" test "$(restarts)" = 0
    done_with
}

# The power goes in the middle of writing: who opens it again finds it whole, and what was fsynced.
cuts() {
    cuts=${PLUGFS_CUTS:-12}
    lost=0
    for cut in $(seq "${PLUGFS_FIRST_CUT:-1}" "${PLUGFS_LAST_CUT:-$cuts}"); do
        image "$work/image" 64M ntfs
        stick one --image "$work/image" --volatile-cache --fault "power-cut-after=$((cut * 2000 / cuts))"
        : >"$work/safe"
        tell one cut-seed "$cut" >/dev/null
        start_daemon --no-local -o grace=0 --attach "unix:$work/one"
        running Stick
        wait_for 10 test -d "$root"
        (
            for i in $(seq 200); do
                mkdir -p "$root/d$((i % 5))" && dd if="$work/many/$i" of="$root/d$((i % 5))/$i" conv=fsync status=none || break
                echo "$i" >>"$work/safe"
            done
        ) 2>/dev/null
        wait_for 30 sh -c "! test -e '$mnt/Stick'" || not_ok "cut $cut: the folder goes"
        done_with
        stick one --image "$work/image"
        serve
        volume_is_there "cut $cut"
        refused 'Read-only' touch "$root/new" && not_ok "cut $cut: it can be written to again"
        while read -r i; do
            cmp -s "$work/many/$i" "$root/d$((i % 5))/$i" || not_ok "cut $cut: $i was fsynced, and is not whole"
        done <"$work/safe"
        eject
        done_with
        judge "$work/image" ntfs >"$work/found" 2>&1 || {
            not_ok "cut $cut: it is not whole"
            head -n 20 "$work/found" | sed 's/^/#   /'
        }
        lost=$((lost + 200 - $(wc -l <"$work/safe")))
    done
    check "the power was cut in the middle ($lost files were not written in $cuts runs)" test "$lost" -gt 0
}

# Some of them, if they are named.
shift
for section in "${@:-copies killed many reference protected later cuts}"; do
    for each in $section; do $each; done
done
