#!/bin/bash
# Writing through the kit: to a box of files (tests/box) that does exactly what it is told and keeps account, with a driver whose process can
# be made to die at every step of an operation.
. "$(dirname "$0")/lib.sh"
built=$(dirname "$stage")/tests
box=$(cd "$(dirname "$0")/../box" && pwd)
account=$work/account

mkdir "$work/drivers" "$work/manifests"
ln -s "$stage"/libexec/plugfs/* "$built/box/plugfs-box" "$work/drivers/"
cp "$box/box.json" "$work/manifests"
mkfifo "$work/command"
"$built/box/virtual-box" "unix:$work/box" "$account" <"$work/command" &
pids="$pids $!"
exec 8>"$work/command"
wait_for 10 test -S "$work/box" || not_ok "the virtual box starts"
start_daemon --no-local -o crash_limit=0 --drivers "$work/drivers" --manifests "$work/manifests" --attach "unix:$work/box"
check "the box is served" running Box
root=$mnt/Box
restarts() { cat "$mnt/.control/Box/restarts"; }
pid() { cat "$mnt/.control/Box/pid"; }

# What scripts and people do.
mkdir -p "$work/tree/one/two" "$work/tree/empty"
for i in $(seq 40); do head -c $((i * 3000)) /dev/urandom >"$work/tree/one/file $i"; done
head -c 5000000 /dev/urandom >"$work/tree/one/two/large"
: >"$work/tree/nothing"
check "cp -r" cp -r "$work/tree" "$root/tree"
same() { diff -r "$work/tree" "$root/tree"; }
check "it is the same" same
check "the device has it, too" sh -c "echo 3 >/proc/sys/vm/drop_caches; diff -r '$work/tree' '$root/tree'"
check "cp -p keeps the time" sh -c "touch -d '2020-02-02 02:02:02 UTC' '$work/dated' && cp -p '$work/dated' '$root/dated' &&
    test \$(stat -c %Y '$root/dated') = 1580608922"
both() { (cd "$work/tree" && eval "$1") && (cd "$root/tree" && eval "$1"); }
check "append" both "printf more >>'one/file 1'"
check "dd conv=notrunc in the middle" both "head -c 5000 /dev/zero | tr '\0' x | dd of=one/two/large bs=1000 seek=777 conv=notrunc status=none"
check "truncate, shorter" both "truncate -s 4321 'one/file 2'"
check "truncate, longer: zeroes" both "truncate -s 200000 'one/file 3'"
check "a hole is zeroes" both "printf end | dd of='one/file 4' bs=1 seek=300000 conv=notrunc status=none"
check "open with O_TRUNC" both "printf short >'one/file 5'"
check "mv within a folder" both "mv 'one/file 6' one/moved"
check "mv to another folder" both "mv 'one/file 7' empty/moved"
check "mv of a folder" both "mv one/two second"
check "what is in it is found there" both "test -s second/large"
check "an editor's way: a new file over the old one" both "printf new >one/.file8.tmp && mv one/.file8.tmp 'one/file 8'"
check "rm" both "rm 'one/file 9'"
check "rmdir, rm -r" both "mkdir -p a/b/c && printf x >a/b/c/d && rmdir empty 2>/dev/null; rm -r a"
check "afterwards it is the same" same
check "and on the device" sh -c "echo 3 >/proc/sys/vm/drop_caches; diff -r '$work/tree' '$root/tree'"
check "rmdir of what is not empty: ENOTEMPTY" sh -c "! rmdir '$root/tree/one' 2>'$work/err' && grep -q 'not empty' '$work/err'"
check "mkdir of what is there: EEXIST" sh -c "! mkdir '$root/tree/one' 2>'$work/err' && grep -q 'exists' '$work/err'"
check "mv -n does not replace" sh -c "mv -n '$root/tree/one/file 8' '$root/tree/one/file 5'; test \"\$(cat '$root/tree/one/file 5')\" = short"
check "our own files stay: EPERM" sh -c "! rm -f '$root/device.json' 2>'$work/err' && grep -q 'not permitted' '$work/err'"
check "df knows the box" test $(($(stat -f -c '%b * %S' "$root"))) = 268435456
check "full: ENOSPC" sh -c "! head -c 300000000 /dev/zero 2>/dev/null >'$root/full'; rm '$root/full'; printf x >'$root/x' && rm '$root/x'"
check "rm -r of all of it" rm -r "$root/tree" "$root/dated"

# Crash points. Each operation takes effect exactly once, and nobody sees an error. What a step is: kit/crash_points.h.
#   die_at STEPS ACCOUNT-PATTERN PREPARE OPERATION TRUE-AFTERWARDS; "$at" is a folder for each time. The pattern counts in the box's
#   account how often it was done; empty: it may be done again (writes).
events() { grep -c '"event":"armed"' "$root/events"; }
die_at() {
    for step in $1; do
        at=$root/$step
        mkdir "$at" || return 1
        eval "$3" || return 1
        before=$(restarts) seen=$(events)
        : >"$account"
        echo "arm $step" >&8
        wait_for 20 sh -c "test \$(grep -c '\"event\":\"armed\"' '$root/events') -gt $seen" || { echo "step $step: could not be armed"; return 1; }
        (eval "$4") || { echo "step $step: failed with status $?"; cat "$account"; return 1; }
        wait_for 20 sh -c "test \$(cat '$mnt/.control/Box/restarts') = $((before + 1))" || { echo "step $step: restarts $before, then $(restarts)"; return 1; }
        running Box
        eval "$5" || { echo "step $step: wrong afterwards"; ls -lR "$at"; cat "$account"; return 1; }
        echo 3 >/proc/sys/vm/drop_caches
        eval "$5" || { echo "step $step: wrong on the device"; ls -lR "$at"; cat "$account"; return 1; }
        if [ -n "$2" ]; then
            test "$(grep -c "^$2" "$account")" = 1 || { echo "step $step: not exactly once:"; cat "$account"; return 1; }
        fi
        ! grep '^refused' "$account" || return 1
        rm -r "$at"
    done
}
names="1 2 3 20 21 4 5 6 7 8"
content="1 2 3 20 21 4 6 7 8"
check "create, dying at each of the steps $names" \
    die_at "$names" "create new" : ': >$at/new' 'test -f $at/new && test $(ls $at | wc -l) = 1'
check "mkdir" die_at "$names" "create new" : 'mkdir $at/new' 'test -d $at/new && touch $at/new/in && rm $at/new/in'
check "unlink" die_at "$names" "remove old" 'printf x >$at/old; printf y >$at/other' 'rm $at/old' 'test "$(ls $at)" = other'
check "rmdir" die_at "$names" "remove old" 'mkdir $at/old' 'rmdir $at/old' 'test -z "$(ls $at)"'
check "rename" die_at "$names" "rename old new" 'printf x >$at/old' 'mv $at/old $at/new' 'test "$(ls $at)$(cat $at/new)" = newx'
check "rename over a file" die_at "$names" "rename old new" 'printf x >$at/old; printf y >$at/new' 'mv $at/old $at/new' \
    'test "$(ls $at)$(cat $at/new)" = newx'
check "rename to another folder" die_at "$names" "rename old new" 'mkdir $at/a $at/b; printf x >$at/a/old' 'mv $at/a/old $at/b/new' \
    'test "$(cat $at/b/new)$(ls $at/a)" = x'
check "rename of a folder" die_at "$names" "rename old new" 'mkdir $at/old; printf x >$at/old/in' 'mv $at/old $at/new' 'test "$(cat $at/new/in)" = x'
check "write" die_at "$content" "" 'printf 123456789 >$at/file' 'printf abc | dd of=$at/file bs=1 seek=3 conv=notrunc status=none' \
    'test "$(cat $at/file)" = 123abc789'
check "append" die_at "$content" "" 'printf 123 >$at/file' 'printf abc >>$at/file' 'test "$(cat $at/file)" = 123abc'
check "truncate" die_at "$content" "" 'printf 123456789 >$at/file' 'truncate -s 3 $at/file' 'test "$(cat $at/file)" = 123'
check "a new time" die_at "$content" "" 'printf 1 >$at/file' 'touch -d @1580608922 $at/file' 'test $(stat -c %Y $at/file) = 1580608922'
check "open with O_TRUNC" die_at "$content" "" 'printf 123456789 >$at/file' ': >$at/file' 'test ! -s $at/file'
# Dies in fsync: 1 and 2 are the write's.
check "fsync" die_at "3 20 21 4 6 7 8" "" 'printf 123 >$at/file' 'printf abc | dd of=$at/file bs=3 conv=notrunc,fsync status=none' \
    'test "$(cat $at/file)" = abc'

# Killed while it copies, and while it does anything.
killer() {
    while :; do
        sleep 0.1
        wait_for 20 state_is Box running # one that has not come so far can bring nothing forward
        kill -KILL "$(pid)" 2>/dev/null
    done
}
mkdir "$work/many"
for i in $(seq 300); do head -c $((i * 200)) /dev/urandom >"$work/many/$i"; done
before=$(restarts)
killer &
killer=$!
check "cp -r of 300 files, the worker killed every 100 ms" cp -r "$work/many" "$root/many"
check "random operations meanwhile, against a model" sh -c "mkdir '$root/random' && timeout 200 '$built/checker/random-operations' '$root/random' 20000 ${PLUGFS_SEED:-7}"
kill "$killer"
wait "$killer" 2>/dev/null
running Box
check "it was killed ($(($(restarts) - before)) times)" test "$(restarts)" -gt $((before + 20))
check "the copy is exact" sh -c "echo 3 >/proc/sys/vm/drop_caches; diff -r '$work/many' '$root/many'"
mkdir "$root/calm"
check "random operations without kills" timeout 200 "$built/checker/random-operations" "$root/calm" 20000 8
check "nothing was refused by the device" sh -c "! grep '^refused' '$account'"
exec 8>&-
