# Sticks in the guest, each known by its serial number, whose end says what is on it: "bot-fat". After lib.sh.
PATH=$PATH:/usr/sbin:/sbin
drop() { echo 3 >/proc/sys/vm/drop_caches; }
# port SERIAL, disk SERIAL: where a stick is, and what the kernel calls its disk
port() { basename "$(dirname "$(grep -lx "$1" /sys/bus/usb/devices/*/serial)")"; }
disk() {
    found=$(find "$(readlink -f "/sys/bus/usb/devices/$(port "$1")")" -path '*/block/*' -name 'sd*' -prune 2>/dev/null | head -n 1)
    test -n "$found" && test -b "/dev/${found##*/}" && echo "/dev/${found##*/}"
}
served() { # served SERIAL: its folder's name
    link=$(ls -d "$mnt"/.by-id/*-"$1" 2>/dev/null) && basename "$(readlink "$link")"
}
is_served() { name=$(served "$1") && state_is "$name" running && test -n "$(ls "$mnt/$name/storage")"; }
root() { echo "$mnt/$(served "$1")/storage/$(ls "$mnt/$(served "$1")/storage")"; }
judge() { # judge SERIAL DISK
    case $1 in
    *-exfat) fsck.exfat -n "$2" ;;
    *-ext*) e2fsck -fn "$2" ;;
    *) fsck.fat -n "$2" ;;
    esac
}
mount_stick() { # mount_stick SERIAL rw|ro: by the kernel, on $work/k
    case $1 in
    *-exfat) mount -t exfat -o "$2,iocharset=utf8" "$(disk "$1")" "$work/k" ;;
    *-ext*) mount -t "${1#*-}" -o "$2" "$(disk "$1")" "$work/k" ;;
    *-udf*) mount -t udf -o "$2,iocharset=utf8" "$(disk "$1")" "$work/k" ;;
    *) mount -t vfat -o "$2,iocharset=utf8" "$(disk "$1")" "$work/k" ;;
    esac
}
