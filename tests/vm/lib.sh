# For tests that boot a kernel with USB: Debian's own, in QEMU, on this machine's files. Sourced by each test with the staged installation as
# its first argument.
#
# A test has two scripts: NAME_test on the host, which lays out files and starts virtual devices, and guest/NAME.sh, which runs inside and
# prints "ok - name" or "not ok - name" for each check. $work/share is /run/vm in the guest.

set -u
stage=$(cd "${1:?usage: $0 STAGE}" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
cache=${PLUGFS_CACHE:-$(dirname "$stage")/kernels}
work=$(mktemp -d "${TMPDIR:-/tmp}/plugfs-vm-XXXXXX")
pids=

finish() {
    for pid in $pids; do kill "$pid" 2>/dev/null; done
    for pid in $pids; do wait "$pid" 2>/dev/null; done
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

if [ "$(id -u)" != 0 ]; then
    echo "skip - $(basename "$0"): needs root"
    exit 0
fi
mkdir -p "$work/share"

# boot KERNEL-FOLDER SCRIPT MODULES [QEMU OPTIONS...]: runs a guest script to its end and prints what it printed, each check with the kernel's
# version. About one boot in thirty dies early under emulation: one that has not reached the script is tried again, one that has never is.
boot() {
    kernel=$1 script=$2 modules=$3
    shift 3
    version=$(ls "$kernel/lib/modules")
    share=$work/share
    cp "$here/guest/start" "$share/start"
    cp "${debug_script:-$here/guest/$script}" "$share/test"
    printf '%s\n' "$stage" >"$share/stage"
    printf '%s\n' "$top" >"$share/top"
    printf '%s\n' "$kernel" >"$share/kernel"
    printf '%s\n' "$modules" >"$share/modules"
    keep=
    case $stage/ in /tmp/*) keep=keep_tmp ;; esac
    for try in 1 2 3; do
        rm -f "$share/started" "$share/status" "$share/out" "$work/monitor"
        LC_ALL=C.UTF-8 timeout "${boot_limit:-900}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max,-erms,-fsrm -m 2048 -smp 2 -nodefaults -display none \
            -no-reboot -kernel "$kernel/vmlinuz" -initrd "$kernel/initramfs" \
            -append "console=ttyS0 quiet panic=-1 $keep" \
            -serial "file:$work/console" \
            -chardev "socket,id=monitor,path=$work/monitor,server=on,wait=off" -mon chardev=monitor,mode=control \
            -chardev "socket,id=hand,path=$work/monitor" -device virtio-serial \
            -device virtserialport,chardev=hand,name=monitor \
            -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
            -virtfs "local,path=$share,mount_tag=share,security_model=none" \
            -device qemu-xhci,id=x "$@" </dev/null >"$work/qemu" 2>&1
        [ ! -e "$share/started" ] || break
        echo "# boot $try of $version did not reach the test"
    done
    sed "s/^\(ok\|not ok\|skip\) - /&$version: /" "$share/out" 2>/dev/null
    if [ "$(cat "$share/status" 2>/dev/null)" != 0 ]; then
        grep -q '^not ok' "$share/out" 2>/dev/null || echo "not ok - $version: $script did not come to its end"
        sed 's/^/# qemu: /' "$work/qemu"
        tail -n 20 "$work/console" | sed 's/^/# console: /'
    fi
}

# report KERNEL-FOLDER NAME COMMAND...: a check on the host, told like those of the guest
report() {
    version=$(ls "$1/lib/modules") what=$2
    shift 2
    if "$@" >"$work/report" 2>&1; then echo "ok - $version: $what"; else
        echo "not ok - $version: $what"
        sed 's/^/#   /' "$work/report"
    fi
}

# for_each_kernel COMMAND...: the command with each kernel's folder behind it
for_each_kernel() {
    for suite in ${PLUGFS_KERNELS:-bookworm bookworm-backports}; do
        if folder=$("$here/kernel" "$suite" "$cache" 2>"$work/kernel.log"); then
            "$@" "$folder"
        else
            echo "not ok - the kernel of $suite"
            sed 's/^/# /' "$work/kernel.log"
        fi
    done
}
