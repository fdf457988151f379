# In the guest of storage_units_test: no usb-storage, no uas here; storage-units has the devices for itself.
. "$(cat /run/vm/top)/tests/vm/guest/lib.sh"
units=$vm/storage-units

# node_of SERIAL: the usbfs file of the device with that serial number
node_of() {
    for device in /sys/bus/usb/devices/*; do
        [ "$(cat "$device/serial" 2>/dev/null)" = "$1" ] || continue
        printf '/dev/bus/usb/%03d/%03d\n' "$(cat "$device/busnum")" "$(cat "$device/devnum")"
    done
}
has_node() { [ -c "$(node_of "$1")" ]; }
says() { # says PATTERN COMMAND...
    pattern=$1
    shift
    "$@" >"$work/said" 2>&1 && grep -Eq "$pattern" "$work/said" || { cat "$work/said"; return 1; }
}
# killed NODE: a driver process is killed in the middle of reading, several times, and the next one finds the device in order
killed() {
    for _ in $(seq 5); do
        "$units" "$1" hold 0 >"$work/held" 2>&1 &
        holder=$!
        wait_for 20 grep -q reading "$work/held" || { cat "$work/held"; return 1; }
        kill -KILL "$holder"
        wait "$holder" 2>/dev/null
        says "unit 0: .* blocks" "$units" "$1" list || return 1
    done
}
for name in bot-super bot-high uas-super uas-high; do
    wait_for 30 has_node "$name" || not_ok "$name: is on the bus"
    node=$(node_of "$name")
    case $name in bot-*) transport="Bulk-Only Transport" ;; *) transport=UAS ;; esac
    check "$name: $transport, a unit of 262,144 blocks" says "262144 blocks of 512" timeout 60 "$units" "$node" list
    check "$name: that is its transport" says "^transport: $transport" timeout 60 "$units" "$node" list
    check "$name: what is written anywhere reads back" says "checked 40000" timeout 300 "$units" "$node" check 0 7 40000
    check "$name: killed while reading, five times" killed "$node"
    check "$name: it still works" says "checked 10000" timeout 120 "$units" "$node" check 0 8 10000
done

# The kernel's gadget, two units, one of them read-only.
mount -t configfs none /sys/kernel/config 2>/dev/null
gadget=/sys/kernel/config/usb_gadget/g
cp $vm/gadget.img "$work/gadget.img"
cp $vm/gadget.img "$work/read-only.img"
mkdir -p $gadget/strings/0x409 $gadget/configs/c.1 $gadget/functions/mass_storage.0/lun.1
echo 0x1d6b >$gadget/idVendor && echo 0x0104 >$gadget/idProduct
echo gadget >$gadget/strings/0x409/serialnumber
echo 1 >$gadget/functions/mass_storage.0/lun.1/ro
echo "$work/gadget.img" >$gadget/functions/mass_storage.0/lun.0/file
echo "$work/read-only.img" >$gadget/functions/mass_storage.0/lun.1/file
ln -s $gadget/functions/mass_storage.0 $gadget/configs/c.1/
ls /sys/class/udc | head -n 1 >$gadget/UDC
wait_for 30 has_node gadget || not_ok "gadget: is on the bus"
node=$(node_of gadget)
check "gadget: two units, one write-protected" sh -c "timeout 60 '$units' '$node' list >'$work/list' 2>&1; cat '$work/list'; grep -q 'unit 0: 131072 blocks.*write-protected 0' '$work/list' && grep -q 'unit 1: 131072 blocks.*write-protected 1' '$work/list'"
check "gadget: the read-only unit holds what its file does" says equal timeout 120 "$units" "$node" compare 1 "$vm/gadget.img"
check "gadget: what is written anywhere reads back" says "checked 40000" timeout 300 "$units" "$node" check 0 9 40000
check "gadget: the file has it, too" says equal timeout 120 "$units" "$node" compare 0 "$work/gadget.img"
check "gadget: killed while reading, five times" killed "$node"
check "gadget: ejected" sh -c "'$units' '$node' eject 0 && test -z \"\$(cat $gadget/functions/mass_storage.0/lun.0/file)\""
if [ "$failed" -gt 0 ]; then
    lsusb -t | sed 's/^/# /'
    dmesg | grep -iE 'usb|gadget' | tail -n 40 | sed 's/^/# /'
fi
