#!/bin/bash
# A driver that tries to escape from its sandbox (tests/hostile): each way is denied, by which layers, and whether it would succeed without
# any. To find that out it runs with the sandbox off, with each kind of layer alone, and with all of them: while it starts, and afterwards.
# Then it misbehaves with what it has been given, and nobody else is harmed.
. "$(dirname "$0")/lib.sh"
built=$(dirname "$stage")/tests
[ "$(id -u)" = 0 ] || { echo "skip - the hostile driver: needs root, to have something to lose"; exit 0; }

mkdir "$work/drivers" "$work/manifests"
ln -s "$stage"/libexec/plugfs/* "$built/hostile/plugfs-hostile" "$work/drivers/"
cp "$(dirname "$0")/../hostile/hostile.json" "$stage/share/plugfs/drivers.d/mtp.json" "$work/manifests"
"$stage/bin/plugfs-virtual" library --output "$work/tracks" --tracks 3 --large big.bin=4194304 >/dev/null || exit 1
player good --root "$work/tracks" --identity 1209:0001,Good,G

# The workers are other users: they must be able to reach what they may not touch.
chmod 711 "$work"
folder=$work/f
lay_out() {
    rm -rf "$folder"
    mkdir -m 777 "$folder"
    mkdir -m 777 "$folder/mount"
    echo victim >"$folder/victim"
    echo victim >"$folder/victim-2"
    mknod "$folder/usb" c 189 1
    chmod 666 "$folder/victim" "$folder/victim-2" "$folder/usb"
}

everything="user pid_namespace mount_namespace network_namespace ipc_namespace uts_namespace cgroup_namespace limits memory no_new_privs dumpable
    empty_root landlock seccomp usbfs seccomp_running"
# only LAYERS...: the option that leaves out all others
only() {
    list=
    for layer in $everything; do
        case " $* " in *" $layer "*) ;; *) list="$list${list:++}$layer" ;; esac
    done
    echo "sandbox_without=$list"
}
# serve NAME OPTIONS: plugfsd with the good player and the hostile device
serve() {
    lay_out
    mkdir "$work/$1"
    start_daemon --no-local --drivers "$work/drivers" --manifests "$work/manifests" -o "crash_limit=0,$2" --attach "unix:$work/good" \
        --attach "unix:$work/hostile-$1"
    running Good || not_ok "$1: the good player runs"
    mkfifo "$work/$1.command"
    "$built/example/virtual-thermometer" "unix:$work/hostile-$1" "Hostile|$daemon|$(cat "$mnt/.control/Good/pid")|$folder" "H$1" \
        <"$work/$1.command" &
    device=$!
    pids="$pids $device"
    exec {keep}>"$work/$1.command"
    wait_for 20 hostile_name || not_ok "$1: the hostile device appears"
}
runs() { running "$hostile" || not_ok "$1: the hostile driver runs"; }
hostile_name() {
    hostile=$(ls "$mnt" | grep '^Hostile')
    [ -n "$hostile" ]
}
# collect NAME OPTIONS: what came of each escape
collect() {
    serve "$1" "$2"
    runs "$1"
    # The second time they are tried when the folder is first looked into.
    lay_out
    cp "$mnt/$hostile/at-start" "$mnt/$hostile/running" "$work/$1"
    check "$1: the supervisor has kept no descriptor that it was sent" \
        test "$(ls -l "/proc/$daemon/fd" | grep -c 'plugfs-vault')" = 2
    stop_daemon
    exec {keep}>&-
}

collect off sandbox=off
collect user "$(only user limits memory)"
collect namespaces "$(only pid_namespace mount_namespace network_namespace ipc_namespace uts_namespace cgroup_namespace empty_root)"
collect landlock "$(only no_new_privs landlock)"
collect seccomp "$(only no_new_privs seccomp seccomp_running)"
collect all require_sandbox

# The denials, one a line. Columns: errno NAME.
table() { # table at-start|running
    awk -F'\t' -v when="$1" '
        FNR == 1 { file++ }
        file == 1 { names[++count] = $2; off[$2] = $1 }
        file > 1 && file < 6 && $1 != "escaped" && $1 != off[$2] { split("x user namespaces landlock seccomp", kinds, " "); by[$2] = by[$2] (by[$2] ? ", " : "") kinds[file] }
        file == 6 { whole[$2] = $1 }
        END {
            for (i = 1; i <= count; i++) {
                name = names[i]
                without = off[name] == "escaped" ? "succeeds with the sandbox off" : "with the sandbox off: " off[name]
                if (whole[name] != "" && whole[name] != "escaped")
                    printf "ok - %s: %s: %s, by %s; %s\n", when, name, whole[name], by[name] ? by[name] : "the kernel itself", without
                else
                    printf "not ok - %s: %s: %s; %s\n", when, name, whole[name], without
            }
        }' "$work/off/$1" "$work/user/$1" "$work/namespaces/$1" "$work/landlock/$1" "$work/seccomp/$1" "$work/all/$1"
}
for when in at-start running; do
    table "$when" >"$work/table"
    cat "$work/table"
    failed=$((failed + $(grep -c '^not ok' "$work/table")))
done
succeeded=$(grep -c '^escaped' "$work/off/running")
check "with the sandbox off $succeeded of $(wc -l <"$work/off/running") escapes succeed (the kernel of this machine has no more)" test "$succeeded" -ge 50

# Misdeeds with what it was given.
serve misdeeds hang_time=2
runs misdeeds
memory() { awk '/^VmRSS/ { print $2 }' "/proc/$daemon/status"; }
descriptors() { ls "/proc/$daemon/fd" | wc -l; }
# What it holds when a worker runs; while one is being replaced there are others.
settled() { state_is "$hostile" running && state_is Good running && test "$(descriptors)" = "$descriptors_before"; }
descriptors_before=$(descriptors)
memory_before=$(memory)
supervisor=$daemon
neighbour() { timeout 10 dd if="$mnt/Good/storage/Internal storage/big.bin" iflag=direct bs=1M status=none | cmp - "$work/tracks/big.bin"; }
(
    while [ ! -e "$work/enough" ]; do
        neighbour >>"$work/neighbour.log" 2>&1 || echo wrong >>"$work/neighbour.log"
        echo >>"$work/rounds"
    done
) &
reader=$!
pids="$pids $reader"
for misdeed in $(ls "$mnt/$hostile" | grep -v -e at-start -e running -e device.json -e events); do
    timeout 100 cat "$mnt/$hostile/$misdeed" >"$work/out" 2>"$work/err"
    check "$misdeed: $(tail -n 1 "$work/err" | sed 's/.*: //' | grep . || echo done); the supervisor and the driver are well afterwards" wait_for 30 settled
done
check "long and malformed messages: the driver is killed for them" sh -c "
    grep -q 'nested too deep.*killed' '$work/daemon.log' && grep -q 'bytes are too many.*killed' '$work/daemon.log' && grep -q 'no JSON object.*killed' '$work/daemon.log'"
check "a flood of log lines does not flood our log ($(($(wc -c <"$work/daemon.log") / 1024)) KiB)" test "$(wc -c <"$work/daemon.log")" -le 1048576
check "terminals see no control characters of a driver" sh -c "! LC_ALL=C grep -q \"\$(printf '\\033')\" '$mnt/.control/$hostile/log' '$work/daemon.log'"
check "the supervisor is the same process" kill -0 "$supervisor"
check "its memory: $memory_before KiB before, $(memory) KiB after" test "$(memory)" -le $((memory_before + 8192))
touch "$work/enough"
wait "$reader"
check "the neighbour's reader saw nothing ($(wc -l <"$work/rounds") rounds)" test ! -s "$work/neighbour.log"
check "nor did its driver" grep -qx 0 "$mnt/.control/Good/restarts"
stop_daemon
check "plugfsd ends in good order" test "$daemon_status" = 0
exec {keep}>&-

# One without the kit.
ln -s "$built/hostile/plugfs-rogue" "$work/drivers/"
cp "$(dirname "$0")/../hostile/rogue.json" "$work/manifests/hostile.json"
serve rogue crash_limit=0
runs rogue
root=$mnt/$hostile
check "a rogue without the kit serves" test "$(cat "$root/text")" = '#!/bin/id'
check "what it does not do of the sandbox shows" grep -q 'lacks.*seccomp (not reported)' "$work/daemon.log"
check "it has no capabilities, and is another user" sh -c "grep -Eq '^CapEff:[[:space:]]0+$' /proc/$(cat "$mnt/.control/$hostile/pid")/status && grep -Eq '^Uid:[[:space:]]21[0-9]{8}' /proc/$(cat "$mnt/.control/$hostile/pid")/status"
check "the mount is nosuid, nodev, noexec" sh -c "grep ' $work/mnt/Hostile' /proc/mounts | grep nosuid | grep nodev | grep -q noexec"
check "a set-uid program: it cannot be executed" sh -c "! '$root/setuid' 2>'$work/err' && grep -q 'Permission denied' '$work/err'"
check "a character device: it cannot be opened" sh -c "! head -c 1 '$root/node' 2>'$work/err' && grep -q 'Permission denied' '$work/err'"
check "a block device: it cannot be opened" sh -c "! head -c 1 '$root/disk' 2>'$work/err' && grep -q 'Permission denied' '$work/err'"
check "a link to /etc/shadow: it is not followed" sh -c "! head -c 1 '$root/link' 2>'$work/err' && grep -q 'Too many levels' '$work/err'"
check "a link out of the tree: it is not followed" sh -c "! ls '$root/up/' 2>'$work/err' && grep -q 'Too many levels' '$work/err'"
check "a size of 2^63 - 1: reading at its end" timeout 10 sh -c "dd if='$root/huge' bs=1 skip=9223372036854775806 count=1 of=/dev/null 2>'$work/err'; true"
check "a size of 2^64 - 1: an error" timeout 10 sh -c "! stat '$root/negative' >/dev/null 2>'$work/err'"
check "names that are none are not listed" sh -c "! ls -a '$root' 2>/dev/null | grep -q /"
# The kernel refuses everything in a mount whose root has become a file.
check "the root becomes a file: an error" timeout 10 sh -c "! ls '$root/no-root' 2>/dev/null && ! stat '$root' 2>'$work/err' && grep -q 'Input/output error' '$work/err'"
check "it is mounted anew" wait_for 20 sh -c "test \"\$(cat '$root/text')\" = '#!/bin/id'"
check "last-error says why" grep -q 'its root folder is none' "$mnt/.control/$hostile/last-error"
check "the supervisor is well" running Good
stop_daemon
check "and ends in good order" test "$daemon_status" = 0
exec {keep}>&-

# One driver after the other loses the same request.
serve lost crash_limit=0,hang_time=0.5
runs rogue
root=$mnt/$hostile
check "it ends, and its successor does not say that it has started" sh -c "! ls '$root/mute' 2>/dev/null"
check "who asks for something is served by the one after that" test "$(timeout 30 cat "$root/text")" = '#!/bin/id'
check "last-error says why" grep -q 'has started and has not said so' "$mnt/.control/$hostile/last-error"
begin=$(date +%s%N)
timeout 100 head -c 1 "$root/lost" 2>"$work/err"
status=$?
took=$((($(date +%s%N) - begin) / 1000000))
check "who waits for a request that every driver loses gets an error ($took ms)" sh -c "test $status = 1 && test -s '$work/err'"
check "the mount is made anew, and last-error says why" grep -q 'one driver after the other has lost a request' "$mnt/.control/$hostile/last-error"
check "and it serves" wait_for 20 sh -c "test \"\$(cat '$root/text')\" = '#!/bin/id'"
stop_daemon
exec {keep}>&-

serve refused crash_limit=2/60,require_sandbox
check "with require_sandbox it does not run" wait_for 20 state_is "$hostile" quarantined
check "and state says why" grep -q 'lacks.*seccomp' "$mnt/.control/$hostile/state"
stop_daemon
