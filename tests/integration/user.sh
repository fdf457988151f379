#!/bin/bash
# As an ordinary user, through fusermount3, without configuration: `plugfsd --demo DIR` works the same.
# In a mount namespace of its own: where /dev/fuse is closed to users (Debian's udev opens it to all; some small systems have no udev), the test
# opens one for itself.
if [ "$(id -u)" = 0 ] && [ -z "${PLUGFS_TEST_NAMESPACE:-}" ]; then
    PLUGFS_TEST_NAMESPACE=1 exec unshare --mount --propagation private "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"

if [ "$(id -u)" = 0 ]; then
    if [ "$(stat -c %a /dev/fuse)" != 666 ]; then
        mknod -m 666 "$work/fuse" c 10 229 && mount --bind "$work/fuse" /dev/fuse
    fi
    # The user must be able to reach the programs wherever this clone is.
    cp -r "$stage/." "$work/stage"
    mkdir -m 700 "$work/home"
    chmod 755 "$work"
    chown 65534:65534 "$work/home"
    as_user="setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all env -u XDG_RUNTIME_DIR HOME=$work/home"
    stage=$work/stage
else
    mkdir "$work/home"
    as_user=env
fi
mnt=$work/home/devices
user() { $as_user "$@"; }
$as_user "$stage/sbin/plugfsd" -f --no-local --demo "$mnt" >>"$work/daemon.log" 2>&1 &
daemon=$!
check "the player runs" wait_for 20 user grep -qx running "$mnt/.control/plugfs Walkman/state"
check "its tracks are listed" sh -c "test \$($as_user find '$mnt/plugfs Walkman/storage' -name '*.wav' | wc -l) = 12"
check "and read" sh -c "$as_user cat '$mnt/plugfs Walkman/storage/Internal storage/Music/Anna Sine/First Harmonics/01 Fundamental.wav' >'$work/x.wav' && file '$work/x.wav' | grep -q 'WAVE audio'"
worker=$(user cat "$mnt/.control/plugfs Walkman/pid")
check "the driver is locked down: no_new_privs, seccomp, no capabilities" sh -c "
    grep -Eq '^NoNewPrivs:[[:space:]]1' /proc/$worker/status && grep -Eq '^Seccomp:[[:space:]]2' /proc/$worker/status && grep -Eq '^CapEff:[[:space:]]0+$' /proc/$worker/status"
if $as_user unshare --user true 2>/dev/null; then
    check "every layer of the sandbox holds, without any capability" sh -c "
        $as_user cat '$mnt/.control/plugfs Walkman/sandbox' >'$work/layers' && ! grep -v ': held' '$work/layers' && test \$(wc -l <'$work/layers') = 16"
    for namespace in user pid mnt net ipc uts cgroup; do
        check "it has a $namespace namespace of its own" test "$(readlink "/proc/$worker/ns/$namespace")" != "$(readlink "/proc/$daemon/ns/$namespace")"
    done
    [ "$(id -u)" != 0 ] || check "its root is empty" test -z "$(ls -A "/proc/$worker/root")"
    check "plugfsd --check says so" sh -c "$as_user '$stage/sbin/plugfsd' --check | grep -q 'the sandbox is whole'"
else
    echo "skip - namespaces as an ordinary user: not permitted here"
fi
kill -TERM "$daemon"
wait "$daemon"
daemon=
check "it ends without a mount left" sh -c "! grep -q ' $mnt' /proc/mounts"
check "the mount point that it made is gone" sh -c "! test -e '$mnt'"
