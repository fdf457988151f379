# In the guest of tests/bench/mtp: the same work with each client in turn, all of it again in each round.
. "$(cat /run/vm/top)/tests/vm/guest/lib.sh"
floor=$vm/mtp-floor
times=$vm/file-times
table=$work/table # client, row, number
now() { date +%s%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f", (b - a) / 1e6 }'; }
note() { printf '%s\t%s\t%s\n' "$client" "$1" "$2" >>"$table"; }
drop() { sync; echo 3 >/proc/sys/vm/drop_caches; }
resident() { # of processes and their children, in MiB
    for pid in $(pgrep -f "$1"); do awk '/^VmRSS/ { print $2 }' "/proc/$pid/status" 2>/dev/null; done | awk '{ sum += $1 } END { printf "%.1f", sum / 1024 }'
}
# The same, what several processes share (libraries) shared out among them.
proportional() {
    for pid in $(pgrep -f "$1"); do awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup" 2>/dev/null; done | awk '{ sum += $1 } END { printf "%.1f", sum / 1024 }'
}

# measure ROW COMMAND...: of file-times, in milliseconds
measure() {
    row=$1
    shift
    drop
    "$times" x x 2>/dev/null # the program itself comes from a disk that was dropped, too
    if measured=$("$times" "$@" 2>&1) && [ "${measured#* }" != "0 bytes" ]; then
        note "$row" "${measured%% *}"
    else
        echo "# $client: $row: $measured"
    fi
}
# work FOLDER: the storage's root, mounted
work() {
    measure "walk of 1,001 files" walk "$1"
    # One more where the device has not noticed that what was written has been removed.
    files=${measured% files}
    if ! [ "${files##* }" -ge 1001 ] 2>/dev/null; then # is no walk
        echo "# $client: the walk found ${measured#* }"
        sed -i '$d' "$table"
    fi
    measure "whole read of 100 MiB" read "$1/large.bin"
    drop
    cmp -s "$1/large.bin" "$vm/player/large.bin" || echo "# $client: the file differs"
    measure "1 MiB at 50 MiB" part "$1/large.bin" 52428800
    measure "500 small tracks" small "$1/Music" 500
    [ "$client" = "go-mtpfs" ] || measure "write of 32 MiB, closed" write "$1/new.bin" 33554432
    rm -f "$1/new.bin" "$vm/player/new.bin"
}

mkdir -p "$work/mnt"
: >"$table"
ended() { wait_for 30 sh -c "! pgrep -f '$1' >/dev/null"; }
for round in $(seq "$(cat $vm/rounds)"); do
    client=floor
    note "walk of 1,001 files" "$($floor walk | cut -d' ' -f1)"
    note "whole read of 100 MiB" "$($floor read large.bin | cut -d' ' -f1)"
    note "1 MiB at 50 MiB" "$($floor part large.bin 52428800 | cut -d' ' -f1)"
    note "500 small tracks" "$($floor small 500 | cut -d' ' -f1)"
    note "write of 32 MiB, closed" "$($floor write new.bin 33554432 | cut -d' ' -f1)"
    rm -f "$vm/player/new.bin"

    # What FUSE alone costs: the same work on files whose bytes are in memory.
    client=memory
    "$vm/fuse-floor" "$work/mnt" 100 &
    client_pid=$!
    wait_for 20 test -e "$work/mnt/memory.bin" || echo "# fuse-floor does not mount"
    echo 1024 >"/sys/class/bdi/$(mountpoint -d "$work/mnt")/read_ahead_kb"
    measure "walk of 1,001 files" walk "$work/mnt"
    measure "whole read of 100 MiB" read "$work/mnt/memory.bin"
    measure "1 MiB at 50 MiB" part "$work/mnt/memory.bin" 52428800
    measure "500 small tracks" small "$work/mnt/Music" 500
    umount "$work/mnt"
    wait "$client_pid"

    client=plugfs
    rm -f "$vm/player/new.bin"
    drop
    begin=$(now)
    "$stage/sbin/plugfsd" -f --state-dir "$work/state" "$mnt" >>"$work/daemon.log" 2>&1 &
    daemon=$!
    until ls -d "$mnt"/*/storage/*/Music >/dev/null 2>&1; do sleep 0.005; done
    note "mount to first ls" "$(since "$begin")"
    work "$(ls -d "$mnt"/*/storage/*)"
    note "resident, MiB" "$(resident 'plugfsd|plugfs-mtp')"
    note "of that its own, MiB" "$(proportional 'plugfsd|plugfs-mtp')"
    stop_daemon

    for client in jmtpfs go-mtpfs aft-mtp-mount; do
        command -v $client >/dev/null || { echo "# $client is not installed"; continue; }
        rm -f "$vm/player/new.bin"
        drop
        begin=$(now)
        case $client in
        go-mtpfs) go-mtpfs "$work/mnt" >>"$work/$client.log" 2>&1 & ;;
        *) $client -f "$work/mnt" >>"$work/$client.log" 2>&1 & ;;
        esac
        waited=0
        until ls -d "$work"/mnt/*/Music >/dev/null 2>&1 || [ "$waited" -gt 6000 ]; do sleep 0.005 && waited=$((waited + 1)); done
        note "mount to first ls" "$(since "$begin")"
        work "$(ls -d "$work"/mnt/*/ | head -n 1)"
        note "resident, MiB" "$(resident "^$client")"
        note "of that its own, MiB" "$(proportional "^$client")"
        umount "$work/mnt" || umount -l "$work/mnt"
        ended "^$client"
    done
done

awk -F'\t' '
    { if (!($2 in seen)) { seen[$2] = 1; rows[++count] = $2 } key = $1 SUBSEP $2; values[key] = values[key] " " $3 }
    function median(list,   n, v, i, j, t) {
        n = split(list, v, " ")
        if (n == 0) return ""
        for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (v[j] + 0 < v[i] + 0) { t = v[i]; v[i] = v[j]; v[j] = t }
        return v[int((n + 1) / 2)]
    }
    END {
        clients = split("floor memory plugfs jmtpfs go-mtpfs aft-mtp-mount", name, " ")
        printf "ok - %-26s", "median, milliseconds"
        for (c = 1; c <= clients; c++) printf "%15s", name[c]
        print "   plugfs to floor, to the best peer"
        for (r = 1; r <= count; r++) {
            printf "ok - %-26s", rows[r]
            best = ""
            for (c = 1; c <= clients; c++) {
                m[c] = median(values[name[c] SUBSEP rows[r]])
                printf "%15s", m[c]
                if (c > 3 && m[c] != "" && (best == "" || m[c] + 0 < best + 0)) best = m[c]
            }
            printf "   %s, %s\n", m[1] != "" ? sprintf("%.2f", m[3] / m[1]) : "-", best != "" ? sprintf("%.2f", m[3] / best) : "-"
        }
    }' "$table"
sed 's/^/# plugfsd: /' "$work/daemon.log" | grep -i 'error\|warn' | head -n 5
exit 0
