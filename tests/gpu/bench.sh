#!/usr/bin/env bash
# How fast it is, with PyTorch eager beside it where python3 has torch. SPDX-License-Identifier: Apache-2.0
#
#   TEST_BENCH_SHAPES   (default: "small medium large"); one that has no room for its model, or no memory, is left out
#   TEST_BENCH_FRAMES   of a track (default: 500); quick: a few steps of each, which shows that everything works
#   TEST_TIMES_EAGER    times PyTorch eager that one guided track of the first shape must reach (default: 5)
#   TEST_RESULTS        where the result goes (default: nowhere)
. "$(dirname "$0")/lib.sh"
read -ra wanted <<<"${TEST_BENCH_SHAPES:-small medium large}"
frames=${TEST_BENCH_FRAMES:-500}
results=${TEST_RESULTS:-$WORK/results}
export BUILD
BUILD=$(dirname "$BIN")

declare -A megabytes=([tiny]=20 [small]=1300 [medium]=4200 [large]=7200 [audiogen]=4800)
mkdir -p "$TEST_MODELS"
shapes=()
room=$(df -m --output=avail "$TEST_MODELS" | tail -n 1)
for shape in "${wanted[@]}"; do
    [ -e "$TEST_MODELS/$shape/config.json" ] || room=$((room - megabytes[$shape]))
    if [ "$room" -gt 0 ]; then shapes+=("$shape"); else skip "$shape" "its model takes ${megabytes[$shape]} MB, and '$TEST_MODELS' has no room: set TMPDIR"; fi
done
options=(--frames "$frames")
[ "$frames" != quick ] || options=(--quick)
check 'bench/run' 0 'written: ' '.*' -- "$PROJECT/bench/run" --engine torch --device "$TEST_DEVICE" --eager yes "${options[@]}" \
    --models "$TEST_MODELS" --results "$results" "${shapes[@]}"
sed 's/^/# /' "$OUT"
written=$(sed -n 's/^written: //p' "$OUT")
written=${written:-nothing}
that 'every shape has its figures' jq -e '[.shapes[].sampling[0].steps[] | select(.skipped | not) | .steps_per_second, .share_of_bandwidth] | length > 0 and all(. > 0)' "$written"
if jq -e --arg shape "${shapes[0]}" '.shapes[$shape].torch_eager' "$written" >/dev/null; then
    times=$(jq --arg shape "${shapes[0]}" '.shapes[$shape].ratios.f16 | to_entries | map(select(.key | startswith("times_torch_eager_with_1_"))) | .[0].value' "$written")
    that "one guided track of ${shapes[0]}: $times times PyTorch eager, ${TEST_TIMES_EAGER:-5} at least" holds "$times >= ${TEST_TIMES_EAGER:-5}"
else
    skip 'PyTorch eager' 'no python3 here has a torch that computes on the device'
fi
finish
