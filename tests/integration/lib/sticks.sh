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
root=$mnt/Stick/storage/STICK

mkdir -p "$work/tree/one/two/three" "$work/tree/empty" "$work/many"
for i in $(seq 60); do head -c $((i * 2900)) /dev/urandom >"$work/tree/one/a file with a long name, number $i.bin"; done
head -c 20000000 /dev/urandom >"$work/tree/one/two/large"
: >"$work/tree/nothing"
printf 'x' >"$work/tree/grüße und ελληνικά.txt"
for i in $(seq 500); do head -c $((i * 211)) /dev/urandom >"$work/many/$i"; done
