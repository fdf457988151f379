# For the tests with sticks: virtual sticks, images and who judges them, a driver that is killed, trees to copy. After lib.sh.
PATH=$PATH:/usr/sbin:/sbin

stick() { # stick NAME OPTIONS...
    stick_name=$1
    shift
    "$stage/bin/plugfs-virtual" stick --listen "unix:$work/$stick_name" --control "unix:$work/$stick_name.control" \
        --identity "1209:0002,Stick,$stick_name" "$@" 2>>"$work/stick.log" &
    eval "stick_$stick_name=$!"
    pids="$pids $!"
    wait_for 20 test -S "$work/$stick_name.control" || not_ok "stick $stick_name starts"
}
stop_stick() {
    eval "kill \$stick_$1; wait \$stick_$1 2>/dev/null"
    rm -f "$work/$1" "$work/$1.control"
}
# image FILE SIZE fat|exfat|ext2|ext3|ext4|ntfs: a new image
image() {
    rm -f "$1"
    truncate -s "$2" "$1"
    case $3 in
    fat) mkfs.fat -F 32 -n STICK "$1" >/dev/null ;;
    exfat) mkfs.exfat -L STICK "$1" >/dev/null ;;
    ext*) "mkfs.$3" -q -L STICK "$1" ;;
    ntfs) mkntfs -F -Q -q -L STICK "$1" 2>/dev/null ;;
    esac
}
judge() { # judge FILE KIND [OPTIONS]: the file system is without a fault
    case $2 in
    fat) fsck.fat -n "$1" ;;
    ext*) e2fsck -fn "$1" ;;
    ntfs) "$built/checker/ntfs-check" "$1" && ntfsresize -i -f -P "$1" ;;
    exfat) fsck.exfat -n "$1" && ! fsck.exfat -n "$1" 2>&1 | grep -iE 'error|corrupt|wrong|not set' ;;
    esac
}
drop() { echo 3 >/proc/sys/vm/drop_caches 2>/dev/null; }
pid() { cat "$mnt/.control/Stick/pid"; }
restarts() { cat "$mnt/.control/Stick/restarts"; }
# ejected: everything is on the stick, and it may go
eject() {
    echo 1 >"$mnt/.control/Stick/eject" && wait_for 60 state_is Stick ejected
}
serve() { # serve [OPTIONS...]: the stick "one"
    start_daemon --no-local -o crash_limit=0,grace=2 --attach "unix:$work/one" "$@"
    running Stick || not_ok "it runs"
}
done_with() {
    stop_daemon
    stop_stick one
}
refused() { # refused WORDS COMMAND...: it fails, and says so
    words=$1
    shift
    ! "$@" 2>"$work/err" && grep -q "$words" "$work/err"
}
# killer [SECONDS]: where there is a file "progress", not before it has changed: a request that is killed each time it is tried is a bad one.
killer() {
    seen=
    while :; do
        sleep "${1:-0.2}"
        if [ -e "$work/progress" ]; then
            wait_for 20 sh -c "test \"\$(cat '$work/progress')\" != '$seen'"
            seen=$(cat "$work/progress")
        fi
        # One that is not ready yet on a loaded machine would never become so.
        ! state_is Stick running || kill -KILL "$(pid)" 2>/dev/null
    done
}
# check_with_killer NAME SECONDS COMMAND...: as check, the driver killed so often meanwhile
check_with_killer() {
    with_killer=$1 kill_every=$2
    shift 2
    before=$(restarts)
    killer "$kill_every" &
    killer=$!
    check "$with_killer, the driver killed every $kill_every s" "$@"
    kill "$killer"
    wait "$killer" 2>/dev/null
    running Stick
    check "$with_killer: it was killed ($(($(restarts) - before)) times)" test "$(restarts)" -gt "$before"
}
# round_trip NAME KIND [RSYNC OPTIONS]: what copy programs do on the stick "one", which is ejected then, judged, and loaded again
round_trip() {
    trip=$1 trip_kind=$2
    shift 2
    wait_for 20 test -d "$root" || not_ok "$trip: the volume has its label as its name"
    check "$trip: cp -r" cp -r "$work/tree" "$root/tree"
    drop
    check "$trip: it is the same" diff -r "$work/tree" "$root/tree"
    check "$trip: rsync -a, and a second time there is nothing to do" \
        sh -c "rsync -a $* '$work/tree/' '$root/copy/' && test -z \"\$(rsync -ain $* '$work/tree/' '$root/copy/' | grep '^>f')\""
    drop
    check "$trip: rsync back" sh -c "rsync -a '$root/copy/' '$work/back/' && diff -r '$work/tree' '$work/back'; status=\$?; rm -rf '$work/back'; exit \$status"
    check "$trip: mv, rm -r" sh -c "mv '$root/copy' '$root/moved' && rm -r '$root/moved' && test ! -e '$root/copy'"
    check "$trip: df" sh -c "test \$(df --output=size -B 1M '$root' | tail -n 1) -gt 250"
    check "$trip: eject" eject
    check "$trip: its folder is empty, and state says so" sh -c "test -z \"\$(ls '$mnt/Stick')\" && grep -q 'safe to unplug' '$mnt/.control/Stick/state'"
    check "$trip: fsck" judge "$work/image" "$trip_kind"
    check "$trip: restart" sh -c "echo 1 >'$mnt/.control/Stick/restart'"
    running Stick
    check "$trip: it was loaded again" wait_for 20 test -d "$root/tree"
    drop
    check "$trip: all is there" diff -r "$work/tree" "$root/tree"
}
root=$mnt/Stick/storage/STICK

mkdir -p "$work/tree/one/two/three" "$work/tree/empty" "$work/many"
for i in $(seq 60); do head -c $((i * 2900)) /dev/urandom >"$work/tree/one/a file with a long name, number $i.bin"; done
head -c 20000000 /dev/urandom >"$work/tree/one/two/large"
: >"$work/tree/nothing"
printf 'x' >"$work/tree/grüße und ελληνικά.txt"
for i in $(seq 500); do head -c $((i * 211)) /dev/urandom >"$work/many/$i"; done
