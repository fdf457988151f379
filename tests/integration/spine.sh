#!/bin/bash
# The whole way: a virtual player, its tracks read through the file system, hotplug, events, and a clean end.
. "$(dirname "$0")/lib.sh"

"$stage/bin/plugfs-virtual" library --output "$work/tracks" --large big.bin=33554435 || exit 1
: >"$work/tracks/empty"
player walkman --root "$work/tracks" --identity 1209:0001,Walkman,A1 --fault read-only
start_daemon --no-local --attach "unix:$work/walkman"
check "the player's driver runs" running Walkman
root="$mnt/Walkman/storage/Internal storage"

same_tree() { (cd "$work/tracks" && find . -type f -exec sha256sum {} + | sort -k2) >"$work/a"
    (cd "$root" && find . -type f -exec sha256sum {} + | sort -k2) >"$work/b"; cmp "$work/a" "$work/b"; }
check "every file reads back bit for bit" same_tree
check "cp -r, and again from the kernel's cache" sh -c "cp -r '$root/Music' '$work/copy' && diff -r '$work/tracks/Music' '$work/copy'"
check "a copied track is recognised" sh -c "file '$work/copy/Anna Sine/First Harmonics/01 Fundamental.wav' | grep -q 'WAVE audio'"
part() { cmp <(dd if="$1" bs=4096 skip=3333 count=7 iflag=fullblock status=none) <(dd if="$work/tracks/big.bin" bs=4096 skip=3333 count=7 status=none); }
check "a part from the middle" part "$root/big.bin"
check "sizes and times" test "$(stat -c '%s %Y' "$root/big.bin")" = "$(stat -c '%s %Y' "$work/tracks/big.bin")"
check "df shows the storage" sh -c "df --output=size '$mnt/Walkman' | tail -1 | grep -q '[1-9]'"
check "device.json is JSON and names the model" sh -c "perl -MJSON::PP -e 'local \$/; my \$j = decode_json(<>); die unless \$j->{model} eq \"Walkman\"' '$mnt/Walkman/device.json'"
check "writing is refused with EROFS" sh -c "! touch '$root/new' 2>'$work/err' && grep -q 'Read-only' '$work/err'"
check "a name that is not there" sh -c "! stat '$root/nothing' 2>'$work/err' && grep -q 'No such file' '$work/err'"
check ".by-id leads to it" test "$(readlink "$mnt/.by-id/1209:0001-A1")" = ../Walkman
check "driver, pid, restarts" sh -c "grep -q '^mtp ' '$mnt/.control/Walkman/driver' && kill -0 \$(cat '$mnt/.control/Walkman/pid') && grep -qx 0 '$mnt/.control/Walkman/restarts'"

# Changes on the device
count=$(ls "$root/Music" | wc -l)
mkdir "$work/tracks/Music/New" && echo hello >"$work/tracks/Music/New/file.txt"
check "a folder made on the device shows up" wait_for 20 test -d "$root/Music/New"
check "and its file" wait_for 20 grep -qx hello "$root/Music/New/file.txt"
echo "hello again" >"$work/tracks/Music/New/file.txt"
check "a changed file has its new content" wait_for 20 grep -qx "hello again" "$root/Music/New/file.txt"
rm -r "$work/tracks/Music/New"
check "what is removed goes" wait_for 20 sh -c "! test -e '$root/Music/New' && test \$(ls '$root/Music' | wc -l) = $count"
check "the device's events say so" grep -q '"event":"removed"' "$mnt/Walkman/events"
mkdir "$work/card" && echo card >"$work/card/on-card"
tell walkman "storage-add SD card=$work/card" >/dev/null
check "a storage added while mounted" wait_for 20 grep -qx card "$mnt/Walkman/storage/SD card/on-card"
tell walkman "storage-remove SD card" >/dev/null
check "and removed" wait_for 20 sh -c "! test -e '$mnt/Walkman/storage/SD card'"

# Hotplug
tail -f -n +1 "$mnt/.control/events" >"$work/tail" 2>&1 &
pids="$pids $!"
poller='my ($file) = @ARGV; open my $f, "<", $file or die; local $/; my $old = <$f>; my $p = IO::Poll->new; $p->mask($f => POLLIN);
    die "poll returned early" if $p->poll(0.1); print "waiting\n"; $p->poll(20) or die "nothing came"; seek $f, 0, 1; my $new = <$f>; print $new'
perl -MIO::Poll -e '$| = 1;'"$poller" "$mnt/.control/events" >"$work/poll" 2>&1 &
poll_pid=$!
wait_for 20 grep -q waiting "$work/poll"
tell walkman unplug >/dev/null
check "unplugged: the folder goes" wait_for 10 sh -c "! test -e '$mnt/Walkman'"
check "poll on .control/events wakes up" wait "$poll_pid"
tell walkman plug >/dev/null
check "plugged in again: it comes back" running Walkman
check "tail -f on .control/events saw it" wait_for 20 sh -c "grep -q '\"event\":\"detach\"' '$work/tail' && test \$(grep -c '\"event\":\"ready\"' '$work/tail') = 2"
check "and reads again" cmp "$root/Playlists/Everything.m3u8" "$work/tracks/Playlists/Everything.m3u8"
check "unplugged while a file is open: ENODEV or ENOTCONN, at once" sh -c "
    exec 3<'$root/big.bin'; dd bs=4096 count=1 status=none <&3 >/dev/null
    perl -MIO::Socket::UNIX -e 'my \$s = IO::Socket::UNIX->new(Peer => shift); print \$s \"unplug\n\"; \$s->flush; print <\$s>' '$work/walkman.control'
    timeout 10 dd bs=1M status=none <&3 >/dev/null; test \$? = 1"
tell walkman plug >/dev/null
running Walkman

# The end
worker=$(cat "$mnt/.control/Walkman/pid")
stop_daemon
check "plugfsd ends with 0" test "$daemon_status" = 0
check "its mounts are gone" sh -c "! grep -q ' $work/' /proc/mounts"
check "its workers are gone" sh -c "! kill -0 $worker 2>/dev/null"

# The machine's time zone, which drivers cannot look up any more when they need it: a player's times are local ones.
zone=/usr/share/zoneinfo/Asia/Tokyo
if [ "$(id -u)" = 0 ] && [ -f "$zone" ] && [ -f /etc/localtime ]; then
    mkdir "$work/dated" && touch -d 2021-03-04T12:00:00Z "$work/dated/noon.mp3"
    TZ=UTC player clock --root "$work/dated" --identity 1209:0001,Clock,C1 --fault local-dates
    env -u TZ unshare -m sh -c "mount --bind '$zone' \"\$(readlink -f /etc/localtime)\" && exec '$stage/sbin/plugfsd' -f --no-local --state-dir '$work/state' --attach 'unix:$work/clock' '$mnt'" >>"$work/daemon.log" 2>&1 &
    daemon=$!
    inside() { nsenter -t "$daemon" -m "$@"; }
    noon="$mnt/Clock/storage/Internal storage/noon.mp3"
    wait_for 20 inside test -f "$noon"
    check "a player's times are in the machine's time zone" test "$(inside stat -c %Y "$noon" 2>/dev/null)" = "$(date -d 2021-03-04T12:00:00+09:00 +%s)"
    stop_daemon
fi
