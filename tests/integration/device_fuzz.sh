#!/bin/bash
# A device that lies to the driver in every way (tests/faults/lying_device.cpp): some sessions of what is for by hand in thousands:
# build/tests/faults/lying-device --sessions N STAGE.
stage=${1:?usage: $0 STAGE}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
"$(dirname "$stage")/tests/faults/lying-device" --sessions 40 "$stage" >"$out" 2>&1
status=$?
sed 's/^/# /' "$out"
summary=$(tail -n 1 "$out")
if [ "$status" = 0 ]; then echo "ok - 40 sessions with a lying device: $summary"; else echo "not ok - 40 sessions with a lying device: $summary"; fi
exit "$status"
