#!/bin/bash
# Sticks: FAT32 and exFAT, whole and in partitions, on virtual sticks of both transports; what the kernel's copy programs do, the driver killed
# meanwhile; eject, write protection, hostile images, card readers, raw images, and a cable that is pulled while somebody writes.
. "$(dirname "$0")/lib.sh"
built=$(dirname "$stage")/tests
. "$(dirname "$0")/lib/sticks.sh"

copies() {
    for kind in fat exfat; do
        for transport in bot uas; do
            image "$work/image" 300M $kind
            stick one --image "$work/image" --transport $transport --volatile-cache
            serve
            round_trip "$kind, $transport" $kind --modify-window=2
            # Copying takes half a second: often, but not before a file more has been copied. What is killed each time it is tried is a bad request.
            : >"$work/progress"
            check_with_killer "$kind, $transport: cp -r of 500 files" 0.05 \
                sh -c "stdbuf -oL cp -rv '$work/many' '$root/many' >'$work/progress'"
            rm "$work/progress"
            drop
            check "$kind, $transport: the copy is exact" diff -r "$work/many" "$root/many"
            eject
            check "$kind, $transport: fsck after that" judge "$work/image" $kind
            done_with
        done
    done
}

random() {
    for kind in fat exfat; do
        image "$work/image" 200M $kind
        stick one --image "$work/image" --volatile-cache --speed super
        serve
        wait_for 20 test -d "$root"
        mkdir "$root/random" "$root/calm"
        check "$kind: random operations against a model" timeout 200 "$built/checker/random-operations" "$root/calm" "${PLUGFS_OPERATIONS:-3000}" 3
        : >"$work/progress"
        check_with_killer "$kind: random operations" 0.05 \
            timeout 280 "$built/checker/random-operations" --progress "$work/progress" "$root/random" "${PLUGFS_OPERATIONS:-1500}" "${PLUGFS_SEED:-5}"
        rm "$work/progress"
        eject
        check "$kind: fsck" judge "$work/image" $kind
        done_with
    done
}

# Write-protected, by a switch that it tells of and by one that it does not.
protected() {
    image "$work/image" 100M fat
    stick one --image "$work/image" --fault write-protect
    serve
    wait_for 20 test -d "$root"
    check "write-protected: EROFS" refused 'Read-only' touch "$root/new"
    check "write-protected: eject" eject
    done_with
    stick one --image "$work/image" --fault hidden-write-protect
    serve
    wait_for 20 test -d "$root"
    check "write-protected without saying so: an error at the latest when the file is closed" refused 'rror\|Read-only' cp "$work/tree/one/two/large" "$root/new"
    check "and then state says why" wait_for 10 grep -q 'read-only' "$mnt/.control/Stick/state"
    done_with
}

# Partitions, one of which is of a kind that is not served; the images; a card that is changed.
partitions() {
    rm "$work/image" && truncate -s 200M "$work/image"
    printf 'label: dos\n2048,102400,c\n104448,40960,7\n145408,,83\n' | sfdisk -q "$work/image"
    mkfs.fat -n FIRST --offset 2048 "$work/image" 51200 >/dev/null
    truncate -s 20M "$work/part2" && mkfs.exfat -L SECOND "$work/part2" >/dev/null && dd if="$work/part2" of="$work/image" bs=1M seek=51 conv=notrunc status=none
    stick one --image "$work/image" --no-medium
    serve
    check "partitions: both volumes are there" wait_for 20 test -d "$mnt/Stick/storage/FIRST" -a -d "$mnt/Stick/storage/SECOND"
    check "partitions: images" sh -c "test -f '$mnt/Stick/part1.img' -a -f '$mnt/Stick/part2.img' -a -f '$mnt/Stick/part3.img'"
    check "partitions: what is written to one is in it alone" sh -c "cp '$work/tree/one/two/large' '$mnt/Stick/storage/FIRST/large' && test ! -e '$mnt/Stick/storage/SECOND/large'"
    check "partitions: mv between them" sh -c "mv '$mnt/Stick/storage/FIRST/large' '$mnt/Stick/storage/SECOND/' 2>'$work/err' || grep -q 'space' '$work/err'"
    check "images: the disk's is what the stick has" wait_for 15 cmp "$mnt/Stick/disk.img" "$work/image"
    check "images: a partition's, too" sh -c "dd if='$work/image' bs=1M skip=1 count=50 status=none | cmp - '$mnt/Stick/part1.img'"
    check "images: not written to without -o raw_write" refused 'Read-only' dd if=/dev/zero of="$mnt/Stick/part3.img" bs=512 count=1 conv=notrunc
    image "$work/card" 64M exfat
    tell one insert 1 "$work/card" >/dev/null
    check "a card is put in: it appears" wait_for 20 test -d "$root"
    check "a card: its image" wait_for 20 cmp "$mnt/Stick/disk2.img" "$work/card"
    check "a card: written to" sh -c "cp -r '$work/many' '$root/many' && diff -r '$work/many' '$root/many'"
    tell one remove 1 >/dev/null
    check "a card is taken out: it goes" wait_for 20 test ! -e "$root"
    check "a card: without a fault" judge "$work/card" exfat
    check "a card: the other unit is still there" test -d "$mnt/Stick/storage/FIRST"
    done_with
}

# Written to raw.
raw() {
    image "$work/image" 64M fat
    image "$work/new" 64M exfat
    stick one --image "$work/image"
    serve -o raw_write
    wait_for 20 test -d "$root"
    touch "$root/in-use"
    check "raw write: not while a volume is in use" refused 'busy' dd if="$work/new" of="$mnt/Stick/disk.img" bs=1M conv=notrunc status=none
    check "raw write: when it is not" wait_for 30 dd if="$work/new" of="$mnt/Stick/disk.img" bs=1M conv=notrunc,fsync status=none
    check "raw write: the stick has it" cmp "$work/new" "$work/image"
    check "raw write: what was written is looked at" wait_for 10 sh -c "grep -q exFAT '$mnt/Stick/device.json' && test -d '$root' && test ! -e '$root/in-use'"
    done_with
}

# songs FOLDER COUNT: files with tags (ID3v2.4), ten an album, three albums an artist
songs() {
    perl -e '
        sub number { my $n = shift; join "", map { chr(($n >> (7 * $_)) & 127) } (3, 2, 1, 0) }
        sub frame { my ($name, $text) = @_; $name . number(1 + length $text) . "\0\0\3" . $text }
        my ($folder, $count) = @ARGV;
        for my $i (0 .. $count - 1) {
            my $album = int($i / 10);
            my $frames = frame("TPE1", "Artist " . int($album / 3)) . frame("TALB", "Album $album") . frame("TIT2", "Song $i") . frame("TRCK", $i % 10 + 1);
            mkdir "$folder/$album";
            open my $file, ">", "$folder/$album/song $i.mp3" or die;
            print $file "ID3\4\0\0" . number(length $frames) . $frames . chr($i % 256) x 1500;
        }' "$1" "$2"
}
# What only looks like music: right at the start, and nonsense behind it.
nonsense() {
    perl -e '
        srand 7;
        my %start = (mp3 => "ID3\4\0\0\x7f\x7f\x7f\x7fTPE1\x7f\x7f\x7f\x7f", m4a => "\0\0\0\x18ftypM4A \0\0\0\0\0\0\0\x08moov", flac => "fLaC\4\xff\xff\xff",
                     ogg => "OggS\0\2" . "\xff" x 21 . "\1\xff", wav => "RIFF\xff\xff\xff\xffWAVELIST\xff\xff\xff\xff", wma => "\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c" . "\xff" x 12);
        for my $kind (sort keys %start) { for my $i (1 .. 10) {
            open my $file, ">", "$ARGV[0]/$kind $i.$kind" or die;
            print $file $start{$kind} . join "", map { chr int rand(rand() < 0.5 ? 256 : 4) } 1 .. 3000 * $i;
        } }' "$1"
}
# Music: tracks/ and playlists/ of what lies on a stick.
music() {
    count=${PLUGFS_SONGS:-10000}
    tracks=$mnt/Stick/tracks
    mkdir -p "$work/music/Songs" "$work/music/Playlists" "$work/music/Odd" "$work/players"
    songs "$work/music/Songs" "$count"
    nonsense "$work/music/Odd"
    printf '..\\SONGS\\0\\song 3.mp3\r\n/Songs/1/song 12.mp3\r\n' >"$work/music/Playlists/Road.m3u"
    image "$work/image" 300M fat
    mcopy -sQ -i "$work/image" "$work/music/Songs" "$work/music/Playlists" "$work/music/Odd" ::
    stick one --image "$work/image"
    serve --players "$work/none"
    reads() { tell one count | grep -o '"28":[0-9]*' | cut -d: -f2; }
    all_tracks() { [ "$(find "$tracks" -name '*.mp3' | wc -l)" = "$count" ]; }
    song="$tracks/Artist 0/Album 1/03 Song 12.mp3"
    attribute() { getfattr --only-values -n "user.media.$2" "$1" 2>/dev/null; }
    check "music: the first ls" wait_for 20 test -d "$root/Songs/0"
    before=$(reads)
    check "music: for which no tags were read ($before reads, $count files)" test "$before" -lt $((count / 4))
    check "music: tracks/ and playlists/ appear" wait_for 20 test -d "$tracks" -a -d "$mnt/Stick/playlists"
    check "music: a file's attributes" sh -c "getfattr -d '$root/Songs/1/song 12.mp3' 2>/dev/null >'$work/attributes'; grep -q 'user.media.artist=\"Artist 0\"' '$work/attributes' && grep -q 'user.media.track=\"3\"' '$work/attributes'"
    check "music: what is no music has none" sh -c "! getfattr -n user.media.artist '$root/Playlists/Road.m3u' 2>/dev/null && ! getfattr -n user.media.artist '$mnt/Stick/disk.img' 2>/dev/null"
    # Somebody looks, the driver dies, and somebody looks again.
    ls "$tracks" >/dev/null
    started=$(restarts)
    killer 0.7 &
    killer=$!
    wait_for 60 sh -c "timeout 5 find '$tracks' -name '*.mp3' >/dev/null 2>&1; [ \$(cat '$mnt/.control/Stick/restarts') -ge $((started + 5)) ]"
    kill "$killer"
    wait "$killer" 2>/dev/null
    running Stick
    check "music: killed while it looks ($(($(restarts) - started)) times), every track is there in the end" wait_for 120 all_tracks
    check "music: a track is the file under another name" sh -c "cmp '$song' '$work/music/Songs/1/song 12.mp3' && [ \$(stat -c %i '$song') = \$(stat -c %i '$root/Songs/1/song 12.mp3') ] && [ \$(stat -c %h '$song') = 2 ]"
    check "music: no driver died of what only looks like it" sh -c "grep '\"crash\"' '$mnt/.control/events' | grep -q 'signal 9' && ! grep '\"crash\"' '$mnt/.control/events' | grep -v 'signal 9'"
    before=$(reads)
    restarts=$(restarts)
    kill -KILL "$(pid)"
    wait_for 20 sh -c "[ \$(cat '$mnt/.control/Stick/restarts') -gt $restarts ]" && running Stick
    check "music: another process finds all of it again" wait_for 120 all_tracks
    check "music: without reading tags again ($(($(reads) - before)) reads)" test $(($(reads) - before)) -lt $((count / 4))

    check "music: a song that is copied appears" sh -c "cp '$work/music/Songs/1/song 12.mp3' '$root/again.mp3' && ls '$tracks/Artist 0/Album 1' >/dev/null"
    check "music: under the same name, with a number" wait_for 10 test -e "$tracks/Artist 0/Album 1/03 Song 12 (2).mp3"
    rm "$root/again.mp3"
    check "music: and goes with its file" wait_for 10 test ! -e "$tracks/Artist 0/Album 1/03 Song 12 (2).mp3"
    perl -pe 's/Song 13/Tune 13/' "$work/music/Songs/1/song 13.mp3" >"$work/tune"
    check "music: a tag is written in place" dd if="$work/tune" of="$root/Songs/1/song 13.mp3" conv=notrunc status=none
    check "music: its track has the new name" wait_for 10 test -e "$tracks/Artist 0/Album 1/04 Tune 13.mp3"
    check "music: and its attribute the new value" sh -c "[ \"\$(getfattr --only-values -n user.media.title '$root/Songs/1/song 13.mp3' 2>/dev/null)\" = 'Tune 13' ]"

    lists=$mnt/Stick/playlists
    check "playlists: what is there, with paths that can be followed" sh -c "cd '$lists' && [ \$(grep -vc '^#' Road.m3u8) = 2 ] && grep -v '^#' Road.m3u8 | while read -r line; do test -f \"\$line\" || exit 1; done && grep -qx '../storage/STICK/Songs/0/song 3.mp3' Road.m3u8"
    printf '#EXTM3U\n../storage/STICK/Songs/2/song 21.mp3\n%s\n' "$root/Songs/0/song 5.mp3" >"$work/new.m3u8"
    check "playlists: a new one" cp "$work/new.m3u8" "$lists/New.m3u8"
    check "playlists: it lies where players look" sh -c "printf '#EXTM3U\n../Songs/2/song 21.mp3\n../Songs/0/song 5.mp3\n' | cmp - '$root/Playlists/New.m3u8'"
    check "playlists: rsync" sh -c "rsync '$work/new.m3u8' '$lists/Synced.m3u8' && test -e '$root/Playlists/Synced.m3u8'"
    check "playlists: renamed" mv "$lists/Synced.m3u8" "$lists/Other.m3u8"
    check "playlists: its file has the new name" wait_for 10 test -e "$root/Playlists/Other.m3u8" -a ! -e "$root/Playlists/Synced.m3u8"
    check "playlists: removed" rm "$lists/Other.m3u8"
    check "playlists: and its file" wait_for 10 test ! -e "$root/Playlists/Other.m3u8"
    check "playlists: a track that is not there" refused 'Invalid argument' sh -c "echo '../storage/STICK/none.mp3' | dd of='$lists/Bad.m3u8' status=none conv=fsync"
    rm -f "$lists/Bad.m3u8"
    exec 7>"$lists/Kept.m3u8"
    echo '../storage/STICK/Songs/0/song 1.mp3' >&7
    restarts=$(restarts)
    kill -KILL "$(pid)"
    wait_for 20 sh -c "[ \$(cat '$mnt/.control/Stick/restarts') -gt $restarts ]" && running Stick
    echo '../storage/STICK/Songs/0/song 2.mp3' >&7
    exec 7>&-
    check "playlists: one that was being written when the driver died" sh -c "[ \$(grep -c '^../Songs/0/song' '$root/Playlists/Kept.m3u8') = 2 ]"
    check "playlists: changed as a file, and here" sh -c "echo '../Songs/0/song 7.mp3' >>'$root/Playlists/Kept.m3u8' && grep -qx '../storage/STICK/Songs/0/song 7.mp3' '$lists/Kept.m3u8'"
    eject
    check "music: fsck" judge "$work/image" fat
    done_with

    # No music, and then some.
    image "$work/image" 64M exfat
    stick one --image "$work/image"
    serve --players "$work/none"
    wait_for 20 test -d "$root"
    cp -r "$work/music/Playlists" "$root/texts"
    check "no music: neither tracks/ nor playlists/" sh -c "! test -e '$tracks' && ! test -e '$lists' && ! ls '$mnt/Stick' | grep -E 'tracks|playlists'"
    cp -r "$work/music/Songs/0" "$root/Album"
    check "music that is copied to a stick: they appear" wait_for 10 test -e "$tracks/Artist 0/Album 0/01 Song 0.mp3" -a -d "$lists"
    eject
    done_with

    # A player that is described.
    printf '[Device]\nAccessProtocol=storage\nDeviceMatch=usb:1209:0002;\n[Playlist]\nFormats=audio/x-mpegurl\nFolderSeparator=DOS\n[storage]\nAudioFolders=MUSIC/\nPlaylistPath=Lists/\n' \
        >"$work/players/stick.mpi"
    image "$work/image" 64M fat
    stick one --image "$work/image"
    serve --players "$work/players"
    wait_for 20 test -d "$root"
    check "a player that is described: tracks/ and playlists/ at once" test -d "$tracks" -a -d "$lists"
    check "a player that is described: device.json says where its music goes" grep -q MUSIC "$mnt/Stick/device.json"
    mkdir "$root/MUSIC" && cp "$work/music/Songs/0/song 0.mp3" "$root/MUSIC"
    check "a player that is described: its playlists are as it wants them" sh -c "echo '../storage/STICK/MUSIC/song 0.mp3' >'$lists/Mine.m3u8' && grep -qFx '..\\MUSIC\\song 0.mp3' '$root/Lists/Mine.m3u'"
    eject
    check "a player that is described: fsck" judge "$work/image" fat
    done_with
}

# Damage, and what is not what it says: errors and a word in state, no end of a driver, and nothing written.
hostile() {
    image "$work/image" 64M fat
    stick one --image "$work/image"
    serve
    wait_for 20 test -d "$root"
    mkdir "$root/one" && cp "$work"/tree/one/*.bin "$root/one"
    eject
    done_with
    cp "$work/image" "$work/good"
    crashes=0
    for seed in $(seq "${PLUGFS_HOSTILE:-40}"); do
        cp "$work/good" "$work/image"
        # Thirty bytes in what describes the volume: its first megabyte.
        perl -e 'srand shift; open my $f, "+<", shift or die; for (1 .. 30) { seek $f, int rand (rand() < 0.5 ? 2048 : 1 << 20), 0; print $f chr rand 256 }' \
            "$seed" "$work/image"
        stick one --image "$work/image"
        start_daemon --no-local --attach "unix:$work/one"
        running Stick || not_ok "hostile image $seed: it runs"
        timeout 100 find "$mnt/Stick" -type f ! -name events -exec cat {} + >/dev/null 2>&1
        [ $? -lt 124 ] || not_ok "hostile image $seed: reading it comes to an end"
        (cd "$mnt/Stick/storage"/* 2>/dev/null && mkdir new && echo x >new/x && rm -r new) 2>/dev/null
        crashes=$((crashes + $(restarts)))
        done_with
    done
    check "hostile images: no driver died" test "$crashes" = 0
}

# writing KIND [STICK OPTIONS...]: 200 files, each of which is noted when it is safe, on a fresh stick, until the power goes
writing() {
    image "$work/image" 64M "$1"
    shift
    stick one --image "$work/image" --volatile-cache "$@"
    : >"$work/safe"
    tell one cut-seed "$cut" >/dev/null
    start_daemon --no-local -o grace=0 --attach "unix:$work/one"
    running Stick
    (
        for i in $(seq 200); do
            mkdir -p "$root/d$((i % 5))" && dd if="$work/many/$i" of="$root/d$((i % 5))/$i" bs=16k conv=fsync status=none || break
            echo "$i" >>"$work/safe"
        done
    ) 2>/dev/null
}
# The power goes in the middle of writing: nothing worse than lost clusters, and what was fsynced is whole. (A long run can be shared by several:
# PLUGFS_KINDS, PLUGFS_FIRST_CUT, PLUGFS_LAST_CUT.)
cuts() {
    cuts=${PLUGFS_CUTS:-12}
    for kind in ${PLUGFS_KINDS:-fat exfat}; do
        cut=0
        writing $kind
        writes=$(tell one count | grep -o '"2a":[0-9]*' | cut -d: -f2)
        check "$kind: all of it has $writes writes, $cuts times the power goes in between" test "${writes:-0}" -gt 400
        done_with
        lost=0
        for cut in $(seq "${PLUGFS_FIRST_CUT:-1}" "${PLUGFS_LAST_CUT:-$cuts}"); do
            writing $kind --fault "power-cut-after=$((1 + cut * writes * 9 / 10 / cuts))"
            # When there is not much left to write in the end, what is written at leisure is not the same every time.
            [ "$(tell one powered)" = no ] || tell one power-cut "$cut" >/dev/null
            wait_for 30 sh -c "! test -e '$mnt/Stick'" || not_ok "$kind, cut $cut: the folder goes"
            done_with
            case $kind in
            fat) fsck.fat -n "$work/image" >"$work/fsck" 2>&1 ;;
            exfat) fsck.exfat -n "$work/image" >"$work/fsck" 2>&1 ;;
            esac
            # The mark that it was not closed, clusters that belong to nobody or stand behind the end of a file, and a second FAT that is a
            # step behind the first are all that may be wrong.
            grep -vE 'FATs differ but appear to be intact|Using first FAT|cluster chain length is >|Truncating file|^/|fsck|exfatprogs|Dirty bit|removing dirty|differences between boot|mostly harmless|65:01/00|Not automatically|Leaving|Reclaimed|Free cluster summary|files|Auto|^$|lost|not set|bitmap|directories|clean|dirty|image:' \
                "$work/fsck" && not_ok "$kind, cut $cut: fsck finds more than lost clusters"
            # What was noted is read back through another driver process.
            stick one --image "$work/image"
            start_daemon --no-local --attach "unix:$work/one"
            running Stick && wait_for 10 test -d "$root"
            while read -r i; do
                cmp -s "$work/many/$i" "$root/d$((i % 5))/$i" || not_ok "$kind, cut $cut: $i was fsynced, and is not whole"
            done <"$work/safe"
            lost=$((lost + 200 - $(wc -l <"$work/safe")))
            done_with
        done
        check "$kind: the power was cut in the middle ($lost files were not written in $cuts runs)" test "$lost" -gt 0
    done
}

# plugfsd is stopped while much is on its way to a slow stick: it waits, also for a file that is open still.
slow() {
    image "$work/image" 64M fat
    stick one --image "$work/image" --fault throttle=4000000
    serve
    wait_for 20 test -d "$root"
    head -c 24000000 /dev/urandom >"$work/last"
    exec 7>"$root/last"
    cat "$work/last" >&7
    stop_daemon
    exec 7>&-
    check "plugfsd ends when all is written" \
        sh -c "test $daemon_status = 0 && mcopy -n -i '$work/image' ::last '$work/last.back' && cmp '$work/last' '$work/last.back'"
    check "without a fault" judge "$work/image" fat
    stop_stick one
}

# Some of them, if they are named.
shift
for section in "${@:-copies random protected partitions raw music hostile cuts slow}"; do
    for each in $section; do $each; done
done
