#!/bin/bash
# Who may do what: with allow_other and a umask a user without rights can neither read another's device nor restart it; the owner and the
# group can. And a mount point that is a symbolic link is refused.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || { echo "skip - who may do what: needs root"; exit 0; }

owner=20001 member=20002 stranger=20003 group=20010
as() { # as UID COMMAND...: a member of the group has it besides
    as_uid=$1
    shift
    as_groups=--clear-groups
    [ "$as_uid" != "$member" ] || as_groups="--groups $group"
    # shellcheck disable=SC2086 # words
    setpriv --reuid "$as_uid" --regid "$as_uid" $as_groups --inh-caps=-all "$@"
}
chmod 711 "$work"
"$stage/bin/plugfs-virtual" library --output "$work/tracks" --tracks 2 >/dev/null || exit 1
player walkman --root "$work/tracks" --identity 1209:0001,Walkman,A1
start_daemon --no-local -o "allow_other,uid=$owner,gid=$group,umask=027" --attach "unix:$work/walkman"
running Walkman || not_ok "the player runs"
device=$mnt/Walkman
control=$mnt/.control/Walkman
worker() { cat "$control/pid"; }

check "the owner reads" as $owner ls "$device/storage/Internal storage"
check "a member of the group reads" as $member ls "$device/storage/Internal storage"
check "a stranger does not" sh -c "! setpriv --reuid $stranger --regid $stranger --clear-groups ls '$device' 2>/dev/null"
check "nor the log, nor the state" sh -c "! setpriv --reuid $stranger --regid $stranger --clear-groups cat '$control/log' '$control/state' 2>/dev/null"
check "a member of the group does not write, with this umask" sh -c "! setpriv --reuid $member --regid $member --groups $group mkdir '$device/storage/Internal storage/x' 2>/dev/null"
check "the owner writes" as $owner mkdir "$device/storage/Internal storage/mine"
for who in $owner $member; do
    old=$(worker)
    as $who sh -c "echo 1 >'$control/restart'"
    check "user $who restarts the driver" wait_for 10 sh -c "test \"\$(cat '$control/pid')\" != '$old' && grep -qx running '$control/state'"
done
old=$(worker)
check "a stranger does not" sh -c "! setpriv --reuid $stranger --regid $stranger --clear-groups sh -c 'echo 1 >\"$control/restart\"' 2>/dev/null"
check "and nothing has happened" test "$(worker)" = "$old"
check "nobody writes to what is no command" sh -c "! setpriv --reuid $owner --regid $owner --clear-groups sh -c 'echo x >\"$control/state\"' 2>/dev/null"
stop_daemon

# Without allow_other nobody but who has started it.
start_daemon --no-local --attach "unix:$work/walkman"
running Walkman
check "without allow_other: nobody else" sh -c "! setpriv --reuid $stranger --regid $stranger --clear-groups ls '$device' 2>/dev/null"
stop_daemon

# Links at the mount point.
mkdir "$work/elsewhere"
echo precious >"$work/elsewhere/file"
ln -s "$work/elsewhere" "$work/link"
refused() { ! timeout 10 "$stage/sbin/plugfsd" -f --no-local --state-dir "$work/state" "$1" 2>"$work/err" && grep -q 'symbolic link' "$work/err"; }
check "a mount point that is a link is refused" refused "$work/link"
check "also with a slash at its end" refused "$work/link/"
check "what it points to is as it was" test "$(cat "$work/elsewhere/file")" = precious
