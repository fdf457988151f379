#!/bin/bash
# What a player knows of its music, and what can be set on it: controls/, tracks/, playlists/, extended attributes, covers; on players of
# several kinds, and again after the driver has been killed.
. "$(dirname "$0")/lib.sh"

command -v getfattr >/dev/null || { echo "skip - getfattr is not installed"; exit 0; }
device=$mnt/Walkman
music="$device/storage/Internal storage/Music"
one="$music/Anna Sine/First Harmonics/02 Octave.wav"
track="$device/tracks/Anna Sine/First Harmonics/02 Octave.wav"
drop() { echo 3 >/proc/sys/vm/drop_caches 2>/dev/null; }
attribute() { getfattr --only-values -n "user.media.$2" "$1" 2>/dev/null; }
attribute_is() { [ "$(attribute "$1" "$2")" = "$3" ]; }
inode() { stat -c %i "$1"; }
control_is() { [ "$(cat "$device/controls/$1")" = "$2" ]; }
refused() { # refused WORDS COMMAND...: it fails, and says so
    words=$1
    shift
    ! "$@" 2>"$work/err" && grep -q "$words" "$work/err"
}
logged() { wait_for 10 grep -qF "$1" "$mnt/.control/Walkman/log"; }
kill_driver() {
    restarts=$(cat "$mnt/.control/Walkman/restarts")
    kill -KILL "$(cat "$mnt/.control/Walkman/pid")"
    wait_for 20 sh -c "[ \$(cat '$mnt/.control/Walkman/restarts') -gt $restarts ]" && running Walkman
}
make_player() { # make_player [OPTIONS...]: with twelve tracks, an album's picture and a playlist
    rm -rf "$work/player"
    "$stage/bin/plugfs-virtual" library --output "$work/player" --tracks 12 2>>"$work/player.log"
    mkdir -p "$work/player/Albums"
    head -c 20000 /dev/urandom >"$work/player/Albums/First Harmonics.jpg"
    for name in "$work"/player/Music/"Anna Sine"/"First Harmonics"/*.wav; do
        echo "${name#"$work/player/"}"
    done >"$work/player/Albums/First Harmonics.alb"
    head -n 2 "$work/player/Albums/First Harmonics.alb" >"$work/player/Playlists/Two.pla"
    echo "no music" >"$work/player/note.txt"
    player walkman --root "$work/player" --identity 1209:0001,Walkman,A1 "$@"
    wait_for 20 test -d "$music" || not_ok "the player runs"
    running Walkman || not_ok "it is running"
}
end_player() {
    kill "$player_walkman"
    wait "$player_walkman" 2>/dev/null
    wait_for 20 test ! -e "$device" || not_ok "the player goes"
    rm -f "$work/walkman" "$work/walkman.control"
}
tracks_are_there() {
    [ "$(find "$device/tracks" -name '*.wav' | wc -l)" = 12 ] && [ "$(inode "$track")" = "$(inode "$one")" ] &&
        [ "$(stat -c %h "$one")" = 2 ] && cmp "$track" "$work/player/Music/Anna Sine/First Harmonics/02 Octave.wav"
}

start_daemon --no-local -o crash_limit=0 --attach "unix:$work/walkman"

# --- a player that has everything ---
make_player
check "controls: what the device says" control_is battery-level 80
check "controls: ls has their sizes, and who can set them" sh -c "stat -c '%A %s' '$device/controls/volume' | grep -q -- '-rw-r--r-- 3' && stat -c %A '$device/controls/battery-level' | grep -q -- '-r--r--r--'"
check "controls: set and read back" sh -c "echo 35 >'$device/controls/volume' && grep -qx 35 '$device/controls/volume'"
check "controls: a text" sh -c "echo 'Väinö ♪' >'$device/controls/friendly-name' && grep -qx 'Väinö ♪' '$device/controls/friendly-name'"
check "controls: one of several" sh -c "echo -1000 >'$device/controls/playback-rate' && grep -qx -- -1000 '$device/controls/playback-rate'"
check "controls: a moment" sh -c "echo 2026-11-25T16:20:00 >'$device/controls/date-time' && grep -qx 2026-11-25T16:20:00 '$device/controls/date-time'"
check "controls: a vendor's, by its code" sh -c "echo 65535 >'$device/controls/property-d123' && grep -qx 65535 '$device/controls/property-d123'"
check "controls: a file is played" sh -c "echo '../storage/Internal storage/Music/Anna Sine/First Harmonics/02 Octave.wav' >'$device/controls/playback-object' && grep -q 'Octave' '$device/controls/playback-object'"
for value in 101 37 loud -5 ''; do
    check "controls: nonsense ('$value'): EINVAL" refused 'Invalid argument' sh -c "echo '$value' | dd of='$device/controls/volume' status=none"
done
check "controls: the log says what is allowed" logged 'a number from 0 to 100 in steps of 5'
check "controls: a choice that is none" refused 'Invalid argument' sh -c "echo 7 | dd of='$device/controls/playback-rate' status=none"
check "controls: one that can only be read" refused 'denied' sh -c "echo 7 | dd of='$device/controls/battery-level' status=none"
check "controls: nothing is made, nothing removed" sh -c "! touch '$device/controls/new' 2>/dev/null && ! rm '$device/controls/volume' 2>/dev/null && ! mkdir '$device/tracks/new' 2>/dev/null"
check "controls: the value is still the good one" control_is volume 35
tell walkman property d403 60 >/dev/null
check "controls: the device's own change is seen" wait_for 10 control_is volume 60
check "controls: and reported" wait_for 10 grep -q '"property-changed"' "$device/events"

check "tracks: every track is there, the same file under another name" tracks_are_there
check "tracks: grep -r finds what is in them" sh -c "grep -rl 'Perfect Fifth' '$device/tracks' | grep -q 'Anna Sine'"
check "tracks: what a player recognises" sh -c "file -b '$track' | grep -q 'WAVE audio'"
! command -v ffprobe >/dev/null || check "tracks: ffprobe" sh -c "ffprobe -v error -show_format '$track' | grep -q Octave"
check "tracks: what is no music is not there" sh -c "! find '$device/tracks' | grep -q note"
check "tracks: the album's cover" cmp "$device/tracks/Anna Sine/First Harmonics/cover.jpg" "$work/player/Albums/First Harmonics.jpg"
check "attributes: getfattr -d" sh -c "getfattr -d '$one' 2>/dev/null >'$work/attributes'; grep -q 'user.media.artist=\"Anna Sine\"' '$work/attributes' && grep -q 'user.media.duration_ms=\"2000\"' '$work/attributes' && grep -q 'user.media.track=\"2\"' '$work/attributes'"
check "attributes: a picture's thumbnail" sh -c "getfattr --only-values -n user.media.thumbnail '$device/storage/Internal storage/Albums/First Harmonics.jpg' 2>/dev/null | cmp - '$work/player/Albums/First Harmonics.jpg'"
check "attributes: of other name spaces there are none" sh -c "! getfattr -n security.selinux '$one' 2>/dev/null && ! getfattr -n user.other '$one' 2>/dev/null"
check "attributes: one is set, and the track moves" sh -c "setfattr -n user.media.title -v 'Eighth' '$one'"
check "attributes: it has the value" attribute_is "$one" title Eighth
check "tracks: under the new name" wait_for 10 test -e "$device/tracks/Anna Sine/First Harmonics/02 Eighth.wav"
check "tracks: not under the old one" wait_for 10 test ! -e "$track"
setfattr -n user.media.title -v Octave "$one"
check "attributes: what cannot be set" refused 'not supported\|denied\|not permitted' setfattr -n user.media.mood -v sad "$one"
check "attributes: a value that cannot be" refused 'Invalid argument' setfattr -n user.media.year -v soon "$one"

check "playlists: what the device has" sh -c "grep -v '^#' '$device/playlists/Two.m3u8' >'$work/list' && [ \$(wc -l <'$work/list') = 2 ] && cd '$device/playlists' && while read -r line; do test -f \"\$line\" || exit 1; done <'$work/list'"
printf '#EXTM3U\n../storage/Internal storage/Music/Anna Sine/First Harmonics/03 Perfect Fifth.wav\n%s\n' "$one" >"$work/new.m3u8"
check "playlists: titles and durations" sh -c "grep -q '^#EXTINF:[0-9][0-9]*,Anna Sine - ' '$device/playlists/Two.m3u8'"
check "playlists: a new one" cp "$work/new.m3u8" "$device/playlists/New.m3u8"
check "playlists: the device has it" sh -c "grep -qx 'Music/Anna Sine/First Harmonics/03 Perfect Fifth.wav' '$work/player/Playlists/New.pla' && [ \$(wc -l <'$work/player/Playlists/New.pla') = 2 ]"
check "playlists: round trip" sh -c "cp '$device/playlists/New.m3u8' '$work/round.m3u8' && cp '$work/round.m3u8' '$device/playlists/New.m3u8' && cmp '$work/round.m3u8' '$device/playlists/New.m3u8'"
check "playlists: a track is added" sh -c "echo '../storage/Internal storage/Music/Anna Sine/Second Thoughts/01 Fundamental.wav' >>'$device/playlists/Two.m3u8' && grep -q 'Second Thoughts' '$work/player/Playlists/Two.pla'"
check "playlists: rsync" sh -c "rsync '$work/new.m3u8' '$device/playlists/Synced.m3u8' && test -e '$work/player/Playlists/Synced.pla' && test \$(ls -A '$device/playlists' | wc -l) = 3"
check "playlists: renamed, removed" sh -c "mv '$device/playlists/Synced.m3u8' '$device/playlists/Other.m3u8' && test -e '$work/player/Playlists/Other.pla' && rm '$device/playlists/Other.m3u8' && test ! -e '$work/player/Playlists/Other.pla'"
check "playlists: a track that is not there: EINVAL" refused 'Invalid argument' sh -c "echo '../storage/Internal storage/none.wav' | dd of='$device/playlists/Bad.m3u8' status=none conv=fsync"
check "playlists: the log says which" logged 'none.wav'
rm -f "$device/playlists/Bad.m3u8"

# A change, while everything is known.
rm "$work/player/Music/Anna Sine/First Harmonics/04 Overtones.wav"
check "tracks: one goes with its file" wait_for 10 test ! -e "$device/tracks/Anna Sine/First Harmonics/04 Overtones.wav"
cp "$work/player/Music/Anna Sine/First Harmonics/03 Perfect Fifth.wav" "$music/again.wav"
check "tracks: one comes with its file" wait_for 10 test -e "$device/tracks/Anna Sine/First Harmonics/03 Perfect Fifth (2).wav"
rm "$music/again.wav"
check "tracks: and goes again" wait_for 10 test ! -e "$device/tracks/Anna Sine/First Harmonics/03 Perfect Fifth (2).wav"

# The driver dies with all of it in use.
exec 7<"$track"
exec 8<"$device/controls/volume"
before=$(inode "$device/tracks/Anna Sine")
(cd "$device/tracks/Anna Sine" && sleep 60) &
stays=$!
pids="$pids $stays"
check "after a kill: it is running again" kill_driver
check "after a kill: the open track goes on" sh -c "cmp - '$work/player/Music/Anna Sine/First Harmonics/02 Octave.wav' <&7"
check "after a kill: the open control, too" sh -c "grep -qx 60 <&8"
check "after a kill: the folder is the same" test "$(inode "$device/tracks/Anna Sine")" = "$before"
drop
check "after a kill: tracks" sh -c "[ \$(find '$device/tracks' -name '*.wav' | wc -l) = 11 ]"
check "after a kill: cover" cmp "$device/tracks/Anna Sine/First Harmonics/cover.jpg" "$work/player/Albums/First Harmonics.jpg"
check "after a kill: attributes" attribute_is "$one" album "First Harmonics"
check "after a kill: playlists" sh -c "cmp '$work/round.m3u8' '$device/playlists/New.m3u8'"
check "after a kill: a control is set" sh -c "echo 40 >'$device/controls/volume' && grep -qx 40 '$device/controls/volume'"
check "after a kill: nonsense" refused 'Invalid argument' sh -c "echo loud | dd of='$device/controls/volume' status=none"
exec 7<&- 8<&-
kill "$stays"
end_player

# --- properties one by one; none at all: from the files' own tags ---
for kind in no-object-prop-list no-properties; do
    make_player --fault "$kind"
    check "$kind: tracks" tracks_are_there
    check "$kind: attributes" attribute_is "$one" artist "Anna Sine"
    check "$kind: controls" control_is battery-level 80
    check "$kind: a kill" kill_driver
    drop
    check "$kind: tracks after it" tracks_are_there
    end_player
done
