# In the guest of mtp_test: plugfsd on QEMU's player.
. "$(cat /run/vm/top)/tests/vm/guest/lib.sh"

start_daemon
entry() { ls "$mnt" | head -n 1; }
wait_for 30 sh -c "ls '$mnt' | grep -q ." || not_ok "the player's folder appears"
name=$(entry)
wait_for 30 state_is "$name" running || not_ok "the player runs"
storage=$(ls -d "$mnt/$name"/storage/*)
check "the player is mounted as $name, its storage as ${storage##*/}" test -d "$storage/Music"
check "its driver is mtp, its process unprivileged" sh -c "grep -q '^mtp ' '$mnt/.control/$name/driver' && grep -q 'Uid:.21470' /proc/\$(cat '$mnt/.control/$name/pid')/status"

# A walk, and all of the content.
tree() { (cd "$1" && find . | sort); }
tree "$vm/player" >"$work/expected"
tree "$storage" >"$work/found"
check "every file and folder is there ($(wc -l <"$work/expected"))" diff "$work/expected" "$work/found"
check "sha256 of every file equals the host's ($(wc -l <$vm/sums) files)" sh -c "cd '$storage' && sha256sum --quiet -c $vm/sums"
check "a file of 5 GiB has its size" test "$(stat -c %s "$storage/huge.bin")" = 5368709120
check "and its beginning can be read" bash -c "head -c 1048576 '$storage/huge.bin' | cmp - <(head -c 1048576 /dev/zero)"

# What QEMU's player does not say of its music, the files do.
album="$mnt/$name/tracks/Anna Sine/First Harmonics"
check "tracks/ is made of the files' own tags" sh -c "find '$mnt/$name/tracks/Anna Sine' -name '*.wav' | wc -l | grep -qx 8"
check "a track is the file itself" test "$(stat -c '%i %h' "$album/02 Octave.wav")" = "$(stat -c %i "$storage/Library/Music/Anna Sine/First Harmonics/02 Octave.wav") 2"
check "with all its bytes" cmp "$album/02 Octave.wav" "$vm/player/Library/Music/Anna Sine/First Harmonics/02 Octave.wav"
check "and attributes" sh -c "getfattr --only-values -n user.media.title '$album/02 Octave.wav' 2>/dev/null | grep -qx Octave"

# Parts of a large file.
parts() {
    for part in "1 0" "4096 1" "1 104857599" "100000 52428799" "65536 104792064" "1048576 12345678" "7 104857590"; do
        set -- $part
        dd if="$storage/large.bin" iflag=skip_bytes,count_bytes skip="$2" count="$1" bs=64k status=none | sha256sum
        dd if="$vm/player/large.bin" iflag=skip_bytes,count_bytes skip="$2" count="$1" bs=64k status=none | sha256sum
    done | uniq -c | awk '$1 != 2 { bad = 1 } END { exit bad }'
}
echo 3 >/proc/sys/vm/drop_caches
check "parts of a file, at odd places" parts

echo 3 >/proc/sys/vm/drop_caches
count_usb
dd if="$storage/large.bin" of="$work/part" bs=1M skip=50 count=1 status=none
bytes=$(usb_bytes i)
dd if="$vm/player/large.bin" bs=1M skip=50 count=1 status=none | cmp - "$work/part" || not_ok "1 MiB at 50 MiB is right"
check "1 MiB at 50 MiB of 100 MiB: $bytes bytes over USB, less than 4 MiB" test "$bytes" -ge 1048576 -a "$bytes" -lt 4194304
check "past the end there is nothing" sh -c "test -z \"\$(tail -c +104857601 '$storage/large.bin' | head -c 1)\""

# The plug is pulled while a file is being read.
(dd if="$storage/large.bin" of=/dev/null bs=4k; echo $? >"$work/reader") 2>"$work/reader.log" &
reader=$!
monitor device_del player
check "unplugged: the folder goes" wait_for 20 sh -c "! test -e '$mnt/$name'"
check "nobody hangs" wait_for 20 test -s "$work/reader"
monitor "device_add $(cat $vm/device),bus=x.0,port=1"
check "plugged in again: it is back" wait_for 30 state_is "$name" running
storage=$(ls -d "$mnt/$name"/storage/*)
check "and reads as before" sh -c "cd '$storage' && sha256sum --quiet -c $vm/sums"
check "attach, detach, attach are in the events" sh -c "grep -o '\"event\":\"[a-z]*\"' '$mnt/.control/events' | grep -c 'attach\|detach' | grep -qx 3"

# What happens on the device. Behind EHCI: QEMU's player does not wake its xHCI when it has an event.
monitor device_del player
wait_for 20 sh -c "! test -e '$mnt/$name'"
monitor "device_add $(cat $vm/device),bus=e.0"
# (Where it is plugged in is in its serial number, so it is another player.)
wait_for 30 sh -c "ls '$mnt' | grep -q ." && name=$(entry)
check "plugged in behind another controller: it is there" wait_for 30 state_is "$name" running
storage=$(ls -d "$mnt/$name"/storage/*)
ls "$storage/Music" >/dev/null
# (Moved there whole: QEMU does not look at an object's size a second time.)
echo new >"$vm/new" && mv "$vm/new" "$vm/player/Music/new on the device.txt"
check "a file made on the device shows up without being asked for" wait_for 10 grep -qx new "$storage/Music/new on the device.txt"
rm "$vm/player/Music/new on the device.txt"
check "and goes when it is removed" wait_for 10 sh -c "! test -e '$storage/Music/new on the device.txt'"
check "the device's events say so" sh -c "grep -q '\"event\":\"added\"' '$mnt/$name/events' && grep -q '\"event\":\"removed\"' '$mnt/$name/events'"
stop_daemon
check "plugfsd ended well" test "$daemon_status" = 0
[ "$failed" -eq 0 ] || sed 's/^/# monitor: /' "$work/monitor"
