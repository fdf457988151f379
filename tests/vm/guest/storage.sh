# In the guest of storage_test.
. "$(cat /run/vm/top)/tests/vm/guest/lib.sh"
. "$(cat /run/vm/top)/tests/vm/guest/sticks.sh"

# The kernel's own gadget.
mount -t configfs none /sys/kernel/config 2>/dev/null
g=/sys/kernel/config/usb_gadget/stick
cp "$vm/gadget-fat" "$work/gadget-fat"
mkdir -p "$g/strings/0x409" "$g/configs/c.1" "$g/functions/mass_storage.0/lun.0"
echo 0x1209 >"$g/idVendor"
echo 0x0009 >"$g/idProduct"
echo gadget-fat >"$g/strings/0x409/serialnumber"
echo Gadget >"$g/strings/0x409/product"
echo 1 >"$g/functions/mass_storage.0/lun.0/removable"
echo "$work/gadget-fat" >"$g/functions/mass_storage.0/lun.0/file"
ln -s "$g/functions/mass_storage.0" "$g/configs/c.1/"
ls /sys/class/udc | head -n 1 >"$g/UDC"

sticks="bot-fat bot-exfat uas-fat uas-exfat gadget-fat"

# Written by the kernel.
mkdir "$work/k"
for serial in $sticks; do
    wait_for 60 disk "$serial" || not_ok "$serial: the kernel finds it"
    mount_stick "$serial" rw || not_ok "$serial: the kernel mounts it"
    cp -r "$vm/tree" "$work/k/kernel"
    umount "$work/k"
done

# One of them is in use: it is left alone.
mount -t vfat "$(disk bot-fat)" "$work/k"
start_daemon -o crash_limit=0
for serial in bot-exfat uas-fat uas-exfat gadget-fat; do
    check "$serial: nobody uses it: it is taken" wait_for 60 is_served "$serial"
done
check "bot-fat: it is mounted: it is not taken" sh -c "! ls '$mnt/.by-id/' | grep -q bot-fat && cmp '$work/k/kernel/one/size 513' '$vm/tree/one/size 513'"
umount "$work/k"
check "bot-fat: not mounted any more: it is taken" wait_for 60 is_served bot-fat
check "the kernel has none of them" sh -c "! ls -d /sys/block/sd*"

for serial in $sticks; do
    drop
    check "$serial: what the kernel wrote reads the same" diff -r "$vm/tree" "$(root "$serial")/kernel"
    check "$serial: a tree is written" cp -r "$vm/tree" "$(root "$serial")/ours"
    drop
    check "$serial: and reads the same" diff -r "$vm/tree" "$(root "$serial")/ours"
    check "$serial: what the kernel wrote is renamed, half of it removed" \
        sh -c "mv '$(root "$serial")/kernel' '$(root "$serial")/renamed' && rm -r '$(root "$serial")/renamed/two'"
done

# The driver dies while it writes.
for serial in bot-exfat uas-fat; do
    name=$(served "$serial")
    (
        while :; do
            sleep 0.7
            kill -KILL "$(cat "$mnt/.control/$name/pid")" 2>/dev/null
        done
    ) &
    killer=$!
    before=$(cat "$mnt/.control/$name/restarts")
    check "$serial: cp -r, the driver killed all the time" cp -r "$vm/tree" "$(root "$serial")/killed"
    kill "$killer"
    wait "$killer" 2>/dev/null
    wait_for 30 state_is "$name" running
    check "$serial: it was killed ($(($(cat "$mnt/.control/$name/restarts") - before)) times)" test "$(cat "$mnt/.control/$name/restarts")" -gt "$before"
    drop
    check "$serial: the copy is exact" diff -r "$vm/tree" "$(root "$serial")/killed"
done

# Given back.
stop_daemon
for serial in $sticks; do
    check "$serial: the kernel has it again" wait_for 60 disk "$serial"
    check "$serial: fsck" judge "$serial" "$(disk "$serial")"
    mount_stick "$serial" ro || not_ok "$serial: the kernel mounts it again"
    check "$serial: the kernel reads what we wrote" diff -r "$vm/tree" "$work/k/ours"
    check "$serial: and what we renamed" diff -r "$vm/tree/one" "$work/k/renamed/one"
    check "$serial: and not what we removed" test ! -e "$work/k/renamed/two"
    umount "$work/k"
done

# Ejected.
start_daemon --claim always
check "always: taken" wait_for 60 is_served gadget-fat
name=$(served gadget-fat)
head -c 30000000 /dev/urandom >"$work/last"
cp "$work/last" "$(root gadget-fat)/last"
echo 1 >"$mnt/.control/$name/eject"
check "ejected" wait_for 60 state_is "$name" ejected
check "the gadget has it all" sh -c "mcopy -n -i '$work/gadget-fat' ::last '$work/last.back' && cmp '$work/last' '$work/last.back'"
stop_daemon
