# In the guest of writing_test. What the player has is seen on the host's side, too: in $vm/player.
. "$(cat /run/vm/top)/tests/vm/guest/lib.sh"

start_daemon -o crash_limit=0,grace=3
wait_for 60 sh -c "grep -qx running $mnt/.control/*/state" || not_ok "the player runs"
name=$(ls "$mnt" | head -n 1)
root=$(ls -d "$mnt/$name"/storage/*)
pid() { cat "$mnt/.control/$name/pid"; }
drop() { echo 3 >/proc/sys/vm/drop_caches; }
# here_and_there COMMAND: in the folder that is mounted and in the player's own; true when both say so
here_and_there() { (cd "$root" && eval "$1") && (cd "$vm/player" && eval "$1"); }

check "a folder" sh -c "mkdir '$root/New' && test -d '$vm/player/New'"
check "a file" sh -c "cp '$vm/new.bin' '$root/New/copy.bin' && cmp '$vm/new.bin' '$vm/player/New/copy.bin'"
check "which reads back" sh -c "echo 3 >/proc/sys/vm/drop_caches; cmp '$vm/new.bin' '$root/New/copy.bin'"
check "an empty one" sh -c ": >'$root/New/empty' && test -f '$vm/player/New/empty'"
check "over an old one" sh -c "cp '$vm/new.bin' '$root/old.bin' && cmp '$vm/new.bin' '$vm/player/old.bin'"
check "nothing else is left there" sh -c "! ls -A '$vm/player' | grep plugfs"
check "append" sh -c "printf 'more\n' >>'$root/Music/note.txt' && printf 'a note\nmore\n' | cmp - '$vm/player/Music/note.txt'"
check "in the middle" sh -c "printf X | dd of='$root/Music/note.txt' bs=1 seek=2 conv=notrunc status=none && printf 'a Xote\nmore\n' | cmp - '$vm/player/Music/note.txt'"
check "truncate" sh -c "truncate -s 6 '$root/Music/note.txt' && printf 'a Xote' | cmp - '$vm/player/Music/note.txt'"
check "rename" here_and_there "if [ \"\$PWD\" = '$root' ]; then mv Music/note.txt Music/renamed.txt; fi; grep -q 'a Xote' Music/renamed.txt && ! test -e Music/note.txt"
check "move" here_and_there "if [ \"\$PWD\" = '$root' ]; then mv Music/renamed.txt New; fi; grep -q 'a Xote' New/renamed.txt && ! test -e Music/renamed.txt"
check "an editor's way: a new file over the old one" \
    here_and_there "if [ \"\$PWD\" = '$root' ]; then printf edited >New/.tmp && mv New/.tmp New/renamed.txt; fi; grep -qx edited New/renamed.txt && ! test -e New/.tmp"
check "a folder moves with what is in it" \
    here_and_there "if [ \"\$PWD\" = '$root' ]; then mv New Music/Album; fi; cmp Music/Album/New/copy.bin '$vm/new.bin' && ! test -e New"
check "rm" here_and_there "if [ \"\$PWD\" = '$root' ]; then rm Music/Album/New/copy.bin; fi; ! test -e Music/Album/New/copy.bin"
check "rm -r" here_and_there "if [ \"\$PWD\" = '$root' ]; then rm -r Music; fi; ! test -e Music"
check "rmdir of what is not empty" sh -c "mkdir '$root/full' && printf x >'$root/full/x' && ! rmdir '$root/full' 2>/dev/null && rm -r '$root/full'"

# A tree there and back, and again with changes.
check "rsync -a of 300 files" rsync -a "$vm/tree/" "$root/tree/"
check "they are there" diff -rq "$vm/tree" "$vm/player/tree"
drop
check "and back" sh -c "rsync -a '$root/tree/' '$work/back/' && diff -rq '$vm/tree' '$work/back'"
cp -r "$vm/tree" "$work/changed"
for file in "$work"/changed/one/*1.mp3; do head -c 5001 /dev/urandom >"$file"; done
rm -r "$work/changed/two"
mkdir "$work/changed/six" && cp "$vm/new.bin" "$work/changed/six"
check "rsync -a --delete with changes" rsync -a --size-only --delete "$work/changed/" "$root/tree/"
check "they are there, too" diff -rq "$work/changed" "$vm/player/tree"

# The driver dies in the middle of sending.
old=$(sha256sum <"$vm/player/old.bin")
kill_while_sending() { # kill_while_sending TIMES: the worker, whenever a transfer is under way
    for _ in $(seq "$1"); do
        until ls -A "$vm/player" | grep -q '^~plugfs'; do [ ! -e "$work/sent" ] || return; done
        kill -KILL "$(pid)"
        wait_for 20 sh -c "grep -qx running '$mnt/.control/$name/state'"
    done
}
head -c 200000000 /dev/urandom >"$work/large.bin"
restarts=$(cat "$mnt/.control/$name/restarts")
kill_while_sending 2 &
killer=$!
check "killed while it sends a new version: cp does not notice" cp "$work/large.bin" "$root/old.bin"
touch "$work/sent"
wait "$killer" 2>/dev/null
check "it was killed ($(($(cat "$mnt/.control/$name/restarts") - restarts)) times)" test "$(cat "$mnt/.control/$name/restarts")" -gt "$restarts"
check "the new version is whole" cmp "$work/large.bin" "$vm/player/old.bin"
check "nothing is left of the others" wait_for 20 sh -c "ls '$root' >/dev/null; ! ls -A '$vm/player' | grep '^~plugfs'"

# The plug is pulled in the middle of sending. On a fast machine it comes out when the new version is already safe under its temporary
# name and the old one has gone (this device cannot rename): then the new version is what comes back.
cp "$vm/new.bin" "$root/old.bin"
(cp "$work/large.bin" "$root/old.bin"; echo $? >"$work/copied") 2>"$work/copy.log" &
copier=$!
until ls -A "$vm/player" | grep -q '^~plugfs' || [ -e "$work/copied" ]; do :; done
monitor device_del player
check "unplugged while a new version is sent: the writer gets an error" wait_for 30 sh -c "test \"\$(cat '$work/copied' 2>/dev/null)\" != 0 -a -s '$work/copied'"
wait "$copier"
kept=$vm/new.bin
if ! cmp -s "$vm/new.bin" "$vm/player/old.bin"; then kept=$work/large.bin; fi
a_version_is_whole() { for file in "$vm/player"/old.bin "$vm/player"/~plugfs*; do ! cmp -s "$kept" "$file" || return 0; done; return 1; }
check "a version is whole: $(basename "$kept")" a_version_is_whole
wait_for 20 sh -c "! test -e '$mnt/$name'"
monitor "device_add $(cat $vm/device)"
wait_for 60 sh -c "grep -qx running $mnt/.control/*/state" || not_ok "the player runs again"
name=$(ls "$mnt" | head -n 1)
root=$(ls -d "$mnt/$name"/storage/*)
check "plugged in again: that version reads" wait_for 30 cmp "$kept" "$root/old.bin"
check "what was sent of the other goes" wait_for 20 sh -c "ls '$root' >/dev/null; ! ls -A '$vm/player' | grep '^~plugfs'"
check "and it can be written" sh -c "cp '$work/large.bin' '$root/old.bin' && cmp '$work/large.bin' '$vm/player/old.bin'"
stop_daemon
