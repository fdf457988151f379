# In the guest of virtual_stick_test: the kernel's drivers on virtual sticks.
. "$(cat /run/vm/top)/tests/vm/guest/lib.sh"

# disk_of NAME [LUN]: the block device of the stick whose product string is NAME
disk_of() {
    for device in /sys/block/sd*; do
        [ -e "$device/device" ] || continue
        [ "$(sed 's/ *$//' "$device/device/model")" = "$1" ] || continue
        case $(readlink -f "$device/device") in *:"${2:-0}") basename "$device" ;; esac
    done
}
has_disk() { [ -n "$(disk_of "$@")" ]; }
# driver_of DISK: the USB driver above it
driver_of() {
    path=$(readlink -f "/sys/block/$1/device")
    until [ -e "$path/bInterfaceClass" ] || [ "$path" = / ]; do path=$(dirname "$path"); done
    basename "$(readlink "$path/driver")"
}
# round_trip DISK TYPE MKFS FSCK NAME: makes a file system, writes, reads back after the caches are empty, has it checked
round_trip() {
    node=/dev/$1 type=$2 make=$3 check=$4 name=$5
    mkdir -p "$work/mnt" &&
        $make "$node" && mount -t "$type" "$node" "$work/mnt" &&
        cp "$work/data" "$work/mnt/data" && printf 'written by %s\n' "$name" >"$work/mnt/note" &&
        for number in $(seq 200); do printf '%s\n' "$number" >"$work/mnt/file $number"; done &&
        rm "$work/mnt/file 7" && sync && umount "$work/mnt" && echo 3 >/proc/sys/vm/drop_caches &&
        mount -t "$type" "$node" "$work/mnt" && cmp "$work/data" "$work/mnt/data" &&
        [ "$(cat "$work/mnt/file 200")" = 200 ] && [ "$(ls "$work/mnt" | wc -l)" = 201 ] &&
        umount "$work/mnt" && $check "$node"
    status=$?
    umount "$work/mnt" 2>/dev/null
    return $status
}
head -c 20000000 /dev/urandom >"$work/data"

for name in bot-high bot-super uas-high uas-super; do
    wait_for 60 has_disk "$name" || not_ok "$name: a disk appears"
    disk=$(disk_of "$name")
    case $name in bot-*) driver=usb-storage ;; *) driver=uas ;; esac
    check "$name: its driver is $driver" test "$(driver_of "$disk")" = "$driver"
    check "$name: 262,144 blocks of 512 bytes" sh -c "test \$(cat /sys/block/$disk/size) = 262144 && test \$(cat /sys/block/$disk/queue/logical_block_size) = 512"
    check "$name: the kernel sees that it has a write cache" grep -qx "write back" "/sys/block/$disk/queue/write_cache"
    check "$name: vfat, written, read back, fsck.fat" round_trip "$disk" vfat "mkfs.fat -F 32" "fsck.fat -n" "$name"
    check "$name: exfat, likewise, fsck.exfat" round_trip "$disk" exfat mkfs.exfat "fsck.exfat -n" "$name"
done

wait_for 60 has_disk cards 2 || not_ok "cards: disks appear"
check "cards: the first slot has 4 KiB blocks" sh -c "test \$(cat /sys/block/$(disk_of cards 0)/queue/logical_block_size) = 4096"
check "cards: the second is empty" sh -c "test \$(cat /sys/block/$(disk_of cards 1)/size) = 0"
check "cards: vfat in the third" round_trip "$(disk_of cards 2)" vfat "mkfs.fat -S 4096" "fsck.fat -n" cards
check "no reset was needed" sh -c "! dmesg | grep -E 'reset (high|Super)-?[Ss]peed|uas_eh|I/O error'"
if [ "$failed" -gt 0 ]; then
    dmesg | grep -iE 'usb|uas|sd |scsi' | tail -n 60 | sed 's/^/# /'
fi
