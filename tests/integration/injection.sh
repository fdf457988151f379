#!/bin/bash
# Some hundred faults put into running drivers (tests/faults): the supervisor lives, no mount is lost, no neighbour notices, and each driver
# comes back. Thousands of them are for by hand: build/tests/faults/faults --count 200000 STAGE.
stage=${1:?usage: $0 STAGE}
faults=$(dirname "$stage")/tests/faults/faults
[ "$(id -u)" = 0 ] || { echo "skip - fault injection: needs root"; exit 0; }
[ -x "$faults" ] || { echo "skip - fault injection: not for this kind of machine"; exit 0; }
out=$(mktemp)
trap 'rm -f "$out"' EXIT
"$faults" --count 400 --victims 12 "$stage" >"$out" 2>&1
status=$?
sed 's/^/# /' "$out"
summary=$(grep 'supervisor deaths' "$out" || echo "it did not get to its end")
if [ "$status" = 0 ]; then echo "ok - 400 faults: $summary"; else echo "not ok - 400 faults: $summary"; fi
exit "$status"
