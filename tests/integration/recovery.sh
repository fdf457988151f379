#!/bin/bash
# A driver that dies, hangs or is replaced: whoever reads does not notice.
. "$(dirname "$0")/lib.sh"

"$stage/bin/plugfs-virtual" library --output "$work/tracks" --large big.bin=104857600 >/dev/null || exit 1
player walkman --root "$work/tracks" --identity 1209:0001,Walkman,A1
start_daemon --no-local -o crash_limit=0 --attach "unix:$work/walkman"
running Walkman || not_ok "the player runs"
root="$mnt/Walkman/storage/Internal storage"
pid() { cat "$mnt/.control/Walkman/pid"; }
restarts() { cat "$mnt/.control/Walkman/restarts"; }
drop() { echo 3 >/proc/sys/vm/drop_caches 2>/dev/null; }
# new_worker OLD: another process serves
new_worker() { test -n "$(pid)" && test "$(pid)" != "$1" && state_is Walkman running; }

# signal NAME: in the middle of a copy
for signal in KILL SEGV ABRT STOP; do
    drop
    old=$(pid)
    dd if="$root/big.bin" of="$work/copy" bs=256k 2>"$work/err" &
    reader=$!
    wait_for 10 test -s "$work/copy"
    kill -"$signal" "$old"
    wait "$reader"
    status=$?
    check "SIG$signal in the middle of a copy: it goes on and is exact" sh -c "test $status = 0 && cmp '$work/copy' '$work/tracks/big.bin'"
    check "SIG$signal: another process serves" wait_for 10 new_worker "$old"
    rm -f "$work/copy"
done
check "the restarts are counted" test "$(restarts)" = 4
check "last-error says why" grep -q 'hung' "$mnt/.control/Walkman/last-error"
check "the events tell of it" sh -c "test \$(grep -c '\"event\":\"crash\"' '$mnt/.control/events') = 4 && test \$(grep -c '\"event\":\"recovered\"' '$mnt/.control/events') = 4"

# What was open, listed or looked at before is still good.
exec 5<"$root/big.bin"
ls -R "$root" >/dev/null
ls -iR "$root" | sort >"$work/inodes"
cd "$root/Music" || not_ok "cd"
old=$(pid)
kill -KILL "$old"
wait_for 10 new_worker "$old"
drop
check "an open file reads on" sh -c "head -c 1000000 <&5 | cmp -n 1000000 - '$work/tracks/big.bin'"
exec 5<&-
check "a current directory stays good" sh -c 'test "$(ls | wc -l)" -gt 0'
cd / || exit 1
ls -iR "$root" | sort >"$work/inodes.after"
check "all inodes are as before" cmp "$work/inodes" "$work/inodes.after"
check "everything reads the same" timeout 100 diff -r "$work/tracks" "$root"

# Who waits for events waits on, with a successor.
mkdir "$work/card"
poller='my ($file) = @ARGV; open my $f, "<", $file or die; local $/; my $old = <$f>; my $p = IO::Poll->new; $p->mask($f => POLLIN);
    die "poll returned early" if $p->poll(0.1); print "waiting\n"; $p->poll(20) or die "never woken"; print "woken\n";
    for (1 .. 50) { seek $f, 0, 1; my $new = <$f>; if ($new =~ /added/) { print $new; exit } $p->poll(10) or die "nothing came" } die "no event"'
perl -MIO::Poll -e '$| = 1;'"$poller" "$mnt/Walkman/events" >"$work/poll" 2>&1 &
poll_pid=$!
wait_for 20 grep -q waiting "$work/poll"
old=$(pid)
kill -KILL "$old"
wait_for 10 new_worker "$old"
check "a poller of the device's events is woken by the successor" wait_for 20 grep -q woken "$work/poll"
tell walkman "storage-add SD card=$work/card" >/dev/null
check "and again when there is one" wait "$poll_pid"
tell walkman "storage-remove SD card" >/dev/null

# copy_in_halves: one 10 MiB, the other when "$work/go" is there, from the same open file.
copy_in_halves() {
    rm -f "$work/go" "$work/copy"
    (
        exec 3<"$root/big.bin"
        dd of="$work/copy" bs=256k count=40 <&3 2>"$work/err"
        wait_for 60 test -e "$work/go"
        dd bs=256k <&3 >>"$work/copy" 2>"$work/err"
    ) &
    reader=$!
    wait_for 10 sh -c "test \$(stat -c %s '$work/copy') = 10485760"
}

# Unplugged and back within the grace time.
drop
copy_in_halves
tell walkman unplug >/dev/null
check "unplugged: it is waited for" wait_for 20 state_is Walkman away
touch "$work/go"
tell walkman plug >/dev/null
wait "$reader"
status=$?
check "back in time: the copy goes on and is exact" sh -c "test $status = 0 && cmp '$work/copy' '$work/tracks/big.bin'"
rm -f "$work/copy"

# What has changed meanwhile is never mixed. (All of it is at hand: the grace time is five seconds.)
running Walkman
cp "$work/tracks/big.bin" "$work/saved"
head -c 104857599 /dev/zero >"$work/other"
drop
copy_in_halves
tell walkman unplug >/dev/null
wait_for 20 state_is Walkman away
touch "$work/go"
mv "$work/other" "$work/tracks/big.bin"
tell walkman plug >/dev/null
wait "$reader"
status=$?
check "another file under the name when it is back: an error, not its bytes" sh -c "test $status != 0 && cmp -n \$(stat -c %s '$work/copy') '$work/copy' '$work/saved'"
check "opened anew, it is the new one" wait_for 10 cmp "$root/big.bin" "$work/tracks/big.bin"
mv "$work/saved" "$work/tracks/big.bin"
rm -f "$work/copy"

# Not back in time.
running Walkman
dd if="$root/big.bin" of=/dev/null bs=256k 2>"$work/err" &
reader=$!
tell walkman unplug >/dev/null
check "not back in time: the reader ends" wait_for 15 sh -c "! kill -0 $reader"
check "and the folder goes" wait_for 15 sh -c "! test -e '$mnt/Walkman'"
wait "$reader"
stop_daemon
tell walkman plug >/dev/null

# Killed, and it does not end. (A thread that is traced has not ended before its tracer has waited for it, which this one
# does not do: for plugfsd it is as if the kernel held the process in a call that does not return.)
start_daemon --no-local -o crash_limit=0 --attach "unix:$work/walkman"
running Walkman
drop
old=$(pid)
thread=$(ls "/proc/$old/task" | grep -vx "$old" | head -n 1)
perl -e 'my %ptrace = (x86_64 => 101, aarch64 => 117); $| = 1; syscall($ptrace{$ARGV[0]}, 0x4206, $ARGV[1] + 0, 0, 0) == 0 or die "ptrace: $!"; print "holds\n";
    sleep 100' "$(uname -m)" "$thread" >"$work/holds" 2>&1 &
holder=$!
wait_for 10 grep -q holds "$work/holds"
kill -KILL "$old"
check "a driver that is killed and does not end: who waits gets EIO" \
    sh -c "timeout 60 head -c 100 '$root/big.bin' 2>'$work/err'; test \$? = 1 && grep -q 'Input/output error' '$work/err'"
check "the state says so" wait_for 10 grep -q "recovering: process $old was killed, and the kernel does not let go of it" "$mnt/.control/Walkman/state"
kill "$holder"
wait "$holder" 2>/dev/null
check "when it has ended another one serves" wait_for 10 new_worker "$old"
check "and everything is there" sh -c "head -c 100000 '$root/big.bin' | cmp -n 100000 - '$work/tracks/big.bin'"
stop_daemon

# The plain behaviour: mounted anew.
start_daemon --no-local -o recovery=remount,crash_limit=0 --attach "unix:$work/walkman"
running Walkman
drop
old=$(pid)
exec 5<"$root/big.bin"
kill -KILL "$old"
wait_for 10 new_worker "$old"
check "recovery=remount: what was open fails" sh -c "! head -c 100 <&5 >/dev/null 2>'$work/err'"
exec 5<&-
check "recovery=remount: the next open works" sh -c "head -c 100000 '$root/big.bin' | cmp -n 100000 - '$work/tracks/big.bin'"
stop_daemon

# Too often.
start_daemon --no-local -o crash_limit=3/60 --attach "unix:$work/walkman"
running Walkman
for i in 1 2 3; do
    old=$(pid)
    kill -KILL "$old"
    [ "$i" = 3 ] || wait_for 10 new_worker "$old"
done
check "the third crash in a minute: quarantined" wait_for 10 state_is Walkman quarantined
check "the folder is there, and empty" sh -c "test -d '$mnt/Walkman' && test -z \"\$(ls -A '$mnt/Walkman')\""
stop_daemon
