# For the integration tests: starts plugfsd and virtual players, waits for events with a deadline, cleans up whatever happens.
# Sourced by each test with the staged installation as its first argument. Prints a line "ok - name" or "not ok - name" for each check.

set -u
stage=$(cd "${1:?usage: $0 STAGE}" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/plugfs-test-XXXXXX")
mnt=$work/mnt
failed=0
pids=
daemon=

ok() { printf 'ok - %s\n' "$1"; }
not_ok() { printf 'not ok - %s\n' "$1"; failed=$((failed + 1)); }
# check NAME COMMAND...
check() {
    check_name=$1
    shift
    if "$@" >"$work/check.out" 2>&1; then ok "$check_name"; else
        not_ok "$check_name"
        head -n 20 "$work/check.out" | sed 's/^/#   /'
    fi
}
# wait_for SECONDS COMMAND...: until it succeeds; false at the deadline
wait_for() {
    wait_until=$(($(date +%s%N) + $1 * 1000000000))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s%N)" -lt "$wait_until" ] || return 1
        sleep 0.05
    done
}
# player NAME [OPTIONS...]: starts a virtual player on $work/NAME with a control socket
player() {
    player_name=$1
    shift
    "$stage/bin/plugfs-virtual" player --listen "unix:$work/$player_name" --control "unix:$work/$player_name.control" "$@" \
        2>>"$work/player.log" &
    eval "player_$player_name=$!"
    pids="$pids $!"
    wait_for 10 test -S "$work/$player_name.control" || not_ok "player $player_name starts"
}
# tell NAME COMMAND...: one command to a player's control socket
tell() {
    tell_name=$1
    shift
    perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Peer => shift) or die "connect: $!"; print $s "@ARGV\n"; $s->flush; print <$s>' \
        "$work/$tell_name.control" "$@"
}
# start_daemon [OPTIONS...]
start_daemon() {
    "$stage/sbin/plugfsd" -f --state-dir "$work/state" "$@" "$mnt" >>"$work/daemon.log" 2>&1 &
    daemon=$!
    wait_for 10 test -e "$mnt/.control/events" || not_ok "plugfsd starts"
}
stop_daemon() {
    [ -z "$daemon" ] || { kill "$daemon" 2>/dev/null && wait "$daemon"; daemon_status=$?; }
    daemon=
}
# state_is NAME WORD
state_is() { [ "$(cut -d: -f1 "$mnt/.control/$1/state" 2>/dev/null)" = "$2" ]; }
running() { wait_for 20 state_is "$1" running; }

finish() {
    stop_daemon
    for pid in $pids; do kill "$pid" 2>/dev/null; done
    for pid in $pids; do wait "$pid" 2>/dev/null; done
    if [ "$failed" -gt 0 ] || grep -q " $work/" /proc/mounts; then
        echo "# log of plugfsd:"
        tail -n 60 "$work/daemon.log" 2>/dev/null | sed 's/^/#   /'
    fi
    if grep -q " $work/" /proc/mounts; then
        not_ok "no mount is left"
        grep -o " $work/[^ ]*" /proc/mounts | sort -r | while read -r path; do umount -l "$path" 2>/dev/null || fusermount3 -uz "$path"; done
    fi
    rm -rf "$work"
    [ "$failed" -eq 0 ]
    exit $?
}
trap finish EXIT
trap 'exit 1' INT TERM
