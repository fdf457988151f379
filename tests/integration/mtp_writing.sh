#!/bin/bash
# Writing to virtual players of all kinds, checked on the player's own side, too; random operations against a model, with the driver killed
# meanwhile.
. "$(dirname "$0")/lib.sh"
built=$(dirname "$stage")/tests

tracks=$work/player
drop() { echo 3 >/proc/sys/vm/drop_caches 2>/dev/null; }
pid() { cat "$mnt/.control/$device/pid"; }
restarts() { cat "$mnt/.control/$device/restarts"; }
# both COMMAND: done in the folder that is mounted, then in a copy of what the player had
both() { (cd "$root" && eval "$1") && (cd "$work/model" && eval "$1"); }
same() { diff -r "$work/model" "$tracks" && drop && diff -r "$work/model" "$root"; }
refused() { # refused WORDS COMMAND...: it fails, and says so
    words=$1
    shift
    ! "$@" 2>"$work/err" && grep -q "$words" "$work/err"
}
operations() { # operations CODE: how often the player has been asked for one
    tell walkman count | grep -o "\"$1\":[0-9]*" | cut -d: -f2 | grep . || echo 0
}
moved_bytes() { # how many there were over the bus, in both directions
    tell walkman count | grep -o '"bytes_[a-z]*":[0-9]*' | awk -F: '{ sum += $2 } END { print sum + 0 }'
}
killer() {
    seen=
    while :; do
        sleep "0.$((RANDOM % 6 + 3))" # a request that is always killed in the same place would be taken for a bad one
        # One that has not come so far can bring nothing forward; and a request that is killed each time it is tried is a bad one.
        wait_for 20 state_is "$device" running
        wait_for 20 sh -c "test \"\$(cat '$work/progress')\" != '$seen'"
        seen=$(cat "$work/progress")
        kill -KILL "$(pid)" 2>/dev/null
    done
}

# A copy that the player makes, when the driver is killed, and when the player does not make it.
copies_interrupted() {
    tell walkman fault slow-copy=3000 >/dev/null
    asked=$(operations 101a)
    both "mkdir kept"
    for name in large.bin named.bin; do
        cp "$root/large.bin" "$root/kept/$name" &
        copier=$!
        check "$kind: a copy is under way" wait_for 20 sh -c "ls '$tracks/kept/large.bin'"
        kill -KILL "$(pid)"
        tell walkman clear >/dev/null
        [ "$kind" != no-edit ] || tell walkman fault no-edit >/dev/null
        check "$kind: the driver is killed meanwhile: cp succeeds" wait "$copier"
        (cd "$work/model" && cp large.bin "kept/$name")
        check "$kind: and there is one copy, whole ($(($(operations 101a) - asked)) times asked)" same
        both "rm kept/$name"
        tell walkman fault slow-copy=3000 >/dev/null
    done
    tell walkman clear >/dev/null
    tell walkman fault short-copy >/dev/null
    [ "$kind" != no-edit ] || tell walkman fault no-edit >/dev/null
    check "$kind: a player that copies half of it: cp does it" both "cp large.bin kept/half.bin"
    check "$kind: and it is whole, and there is nothing else" same
    asked=$(operations 101a)
    both "cp large.bin kept"
    check "$kind: and the player is not asked again" test "$(operations 101a)" = "$asked"
    tell walkman clear >/dev/null
    [ "$kind" != no-edit ] || tell walkman fault no-edit >/dev/null
    both "rm -r kept"
}

# Changes in place are for large files; for this product, for all.
mkdir "$work/manifests"
sed 's/"quirks": \[/&\n    { "match": { "vendor": "0x1209", "product": "0x0002" }, "set": { "edit_from": 1 }, "reason": "test", "source": "test" },/' \
    "$stage/share/plugfs/drivers.d/mtp.json" >"$work/manifests/mtp.json"
start_daemon --no-local --manifests "$work/manifests" -o crash_limit=0 --attach "unix:$work/walkman"
for kind in ${PLUGFS_KINDS:-complete edit no-edit plain}; do
    device=Walkman
    [ "$kind" != edit ] || device=Editor
    root="$mnt/$device/storage/Internal storage"
    mkdir "$tracks" "$tracks/Music" "$work/model"
    head -c 300000 /dev/urandom >"$tracks/Music/old.bin"
    printf 'a note\n' >"$tracks/note.txt"
    cp -a "$tracks/." "$work/model"
    case $kind in
    complete) player walkman --root "$tracks" --identity 1209:0001,Walkman,A1 ;;
    edit) player walkman --root "$tracks" --identity 1209:0002,Editor,A2 ;;
    no-edit) player walkman --root "$tracks" --identity 1209:0001,Walkman,A1 --fault no-edit ;;
    plain) player walkman --root "$tracks" --identity 1209:0001,Walkman,A1 --fault no-edit --fault no-rename --fault no-move --fault no-copy \
        --fault new-handles ;;
    esac
    wait_for 20 test -d "$root/Music" || not_ok "the player runs ($kind)"
    running "$device" || not_ok "it is running ($kind)"

    check "$kind: a new file" both "head -c 100000 /dev/zero | tr '\0' x >'new file.mp3'"
    check "$kind: an empty one" both ": >empty"
    check "$kind: folders" both "mkdir -p one/two/three"
    check "$kind: over an old one" both "head -c 50000 /dev/zero >Music/old.bin"
    check "$kind: append" both "printf 'more\n' >>note.txt"
    check "$kind: in the middle" both "printf X | dd of='new file.mp3' bs=1 seek=5000 conv=notrunc status=none"
    check "$kind: truncate, shorter and longer" both "truncate -s 3 note.txt; truncate -s 70000 empty"
    both "head -c 3000000 /dev/zero | tr '\0' y >large.bin"
    sent=$(operations 100d)
    check "$kind: large: in the middle, append, truncate" both "printf X | dd of=large.bin bs=1 seek=2000000 conv=notrunc status=none && printf Z >>large.bin && truncate -s 2999990 large.bin && truncate -s 3100000 large.bin"
    case $kind in
    complete | edit) check "$kind: which is done in place" sh -c "test $(operations 100d) = $sent && test $(operations 95c2) -ge 2 && test $(operations 95c3) -ge 2" ;;
    *) check "$kind: by new versions" test "$(operations 100d)" -gt "$sent" ;;
    esac
    before=$(moved_bytes)
    check "$kind: cp into another folder, under another name and its own" both "mkdir copies && cp large.bin copies/other.bin && cp large.bin copies"
    if [ "$kind" = plain ]; then
        check "$kind: which has not been asked of the player" test "$(operations 101a)" = 0
    else
        check "$kind: which the player has done: of 6,200,000 bytes $(($(moved_bytes) - before)) over the bus" \
            sh -c "test $(operations 101a) = 2 && test $(($(moved_bytes) - before)) -lt 100000"
    fi
    check "$kind: cp within a folder" both "cp copies/other.bin copies/third.bin && cp 'new file.mp3' copies/third.bin"
    check "$kind: the copies are as they should be, on the player and here" same
    [ "$kind" = plain ] || copies_interrupted
    both "rm -r copies"
    check "$kind: rename" both "mv note.txt renamed.txt"
    check "$kind: move" both "mv renamed.txt one/two"
    check "$kind: both at once" both "mv one/two/renamed.txt Music/again.txt"
    check "$kind: over another file" both "printf new >tmp && mv tmp Music/again.txt"
    check "$kind: a folder with what is in it" both "cp Music/old.bin one/two/three; mv one Music/moved"
    check "$kind: rm, rmdir" both "rm empty; mkdir gone && rmdir gone; rm -r Music/moved/two"
    check "$kind: all is as it should be, on the player and here" same
    check "$kind: cp -a keeps the time" sh -c "touch -d '2021-03-04 05:06:07' '$work/dated' && cp -a '$work/dated' '$root/dated' && test \$(stat -c %Y '$tracks/dated') = \$(stat -c %Y '$work/dated')"
    rm "$root/dated"
    [ "$kind" = plain ] || check "$kind: rsync -a, and a second time there is nothing to do" \
        sh -c "rsync -a '$work/model/' '$root/copy/' && rsync -ain '$work/model/' '$root/copy/' | grep '^>f' | wc -l | grep -qx 0 && diff -r '$work/model' '$tracks/copy' && rm -r '$root/copy'"

    # What the player does wrong.
    tell walkman fault free=1000 >/dev/null
    check "$kind: no room: ENOSPC, and the old file is whole" refused 'No space' cp "$tracks/new file.mp3" "$root/Music/old.bin"
    tell walkman clear >/dev/null
    case $kind in
    no-edit) tell walkman fault no-edit >/dev/null ;;
    plain) for fault in no-edit no-rename no-move new-handles; do tell walkman fault "$fault" >/dev/null; done ;;
    esac
    if [ "$kind" = no-edit ] || [ "$kind" = plain ]; then
        for fault in short-store send-stall; do
            tell walkman fault "$fault" >/dev/null
            check "$kind: $fault: EIO, and the old file is whole" refused 'Input/output' cp "$tracks/new file.mp3" "$root/Music/old.bin"
            tell walkman clear >/dev/null
            case $kind in
            no-edit) tell walkman fault no-edit >/dev/null ;;
            plain) for again in no-edit no-rename no-move new-handles; do tell walkman fault "$again" >/dev/null; done ;;
            esac
        done
    fi
    check "$kind: nothing has changed by that, and nothing is left of it" same

    # Killed all the time.
    # A plain one lists everything anew in each session, which takes longer.
    if [ "$kind" = plain ]; then operations=${PLUGFS_OPERATIONS:-4000}; else operations=${PLUGFS_OPERATIONS:-10000}; fi
    mkdir "$root/random"
    stay=
    [ "$kind" != plain ] || stay=--folders-stay
    before=$(restarts)
    : >"$work/progress"
    killer &
    killer=$!
    check "$kind: random operations against a model, the driver killed all the time" \
        timeout 400 "$built/checker/random-operations" $stay --progress "$work/progress" "$root/random" "$operations" "${PLUGFS_SEED:-5}"
    kill "$killer"
    wait "$killer" 2>/dev/null
    check "$kind: it was killed ($(($(restarts) - before)) times)" test "$(restarts)" -gt "$before"
    running "$device"
    check "$kind: no transfer is left half done" wait_for 10 sh -c "ls -R '$root' >/dev/null; ! find '$tracks' -name '~plugfs*' | grep ."
    drop
    check "$kind: the player has what is seen here" diff -r "$tracks" "$root"
    kill "$player_walkman"
    wait "$player_walkman" 2>/dev/null
    wait_for 20 test ! -e "$mnt/$device" || not_ok "the player goes"
    rm -rf "$work/walkman" "$work/walkman.control" "$tracks" "$work/model"
done
