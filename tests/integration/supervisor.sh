#!/bin/bash
# The supervisor: several devices, bad manifests, stale mounts, a second instance, a worker that dies.
. "$(dirname "$0")/lib.sh"

"$stage/bin/plugfs-virtual" library --output "$work/tracks" --tracks 4 || exit 1
player a --root "$work/tracks" --identity 1209:0001,Walkman,AAA
player b --root "$work/tracks" --identity 1209:0001,Walkman,BBB
mkdir "$work/drivers.d"
cp "$stage"/share/plugfs/drivers.d/*.json "$work/drivers.d"
printf '{\n "name": "bad",\n "executable": "x",\n "match": [{"interface": {"class": 999}}]\n}\n' >"$work/drivers.d/bad.json"
start_daemon --no-local --manifests "$work/drivers.d" --attach "unix:$work/a" --attach "unix:$work/b"
check "a bad manifest is named with file, line and field" grep -q "bad.json:4: field /match/0/interface/class" "$work/daemon.log"
check "two of the same model both run" sh -c "true"
running Walkman && running Walkman-2 || not_ok "both run"
first=$(readlink "$mnt/.by-id/1209:0001-AAA")
check "they have distinct names" test "$first" != "$(readlink "$mnt/.by-id/1209:0001-BBB")"
second_instance() { ! "$stage/sbin/plugfsd" -f --no-local --state-dir "$work/s2" "$mnt" 2>"$work/err" && grep -q 'another plugfsd' "$work/err"; }
check "a second plugfsd on the same mount point is refused" second_instance

worker=$(cat "$mnt/.control/Walkman/pid")
kill -KILL "$worker"
check "a worker that dies is replaced" wait_for 10 sh -c "grep -qx running '$mnt/.control/Walkman/state' && test \$(cat '$mnt/.control/Walkman/pid') != $worker"
check "it is counted" grep -qx 1 "$mnt/.control/Walkman/restarts"
check "with the reason" grep -q 'signal 9' "$mnt/.control/Walkman/last-error"
check "and serves again" wait_for 20 ls "$mnt/Walkman/storage/Internal storage/Music"
check "the other one never stopped" grep -qx 0 "$mnt/.control/Walkman-2/restarts"
stop_daemon

# The other way round: the names stay with the devices.
start_daemon --no-local --attach "unix:$work/b" --attach "unix:$work/a"
running Walkman && running Walkman-2
check "names stay with their devices after a restart" test "$(readlink "$mnt/.by-id/1209:0001-AAA")" = "$first"

# Killed: the workers end with it, and the next start cleans up.
worker=$(cat "$mnt/.control/Walkman/pid")
kill -KILL "$daemon"
wait "$daemon" 2>/dev/null
check "workers end with their supervisor" wait_for 20 sh -c "! kill -0 $worker 2>/dev/null"
start_daemon --no-local --attach "unix:$work/a"
check "stale mounts are cleaned at the next start" running "$(basename "$first")"
stop_daemon

# In the background
"$stage/sbin/plugfsd" --no-local --state-dir "$work/state" --log-file "$work/background.log" --pid-file "$work/pid" --attach "unix:$work/a" "$mnt" </dev/null
check "the daemon returns when it is set up" test -e "$mnt/.control/events"
daemon_pid=$(cat "$work/pid")
running "$(basename "$first")"
check "it logs to its file" grep -q running "$work/background.log"
kill "$daemon_pid"
check "and ends on SIGTERM" wait_for 10 sh -c "! kill -0 $daemon_pid 2>/dev/null"
check "without a mount left" sh -c "! grep -q ' $work/' /proc/mounts"
