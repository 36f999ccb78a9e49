#!/usr/bin/env bash
# run_tests.sh gpu, and so every script of tests/gpu, with the smallest model on the fake GPU; and without any GPU.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
. "$TESTS/fake-gpu/use.bash"
cd "$WORK" || exit 1
if [ -n "${ASAN_OPTIONS:-}" ]; then
    skip 'run_tests.sh gpu' 'it tests the scripts, and makes a build of its own'
    finish
    exit
fi
[ "${BUILD#/}" != "$BUILD" ] || BUILD=$PROJECT/$BUILD
export BUILD INSTALL=no LOGS=$WORK/logs TEST_RESULTS=$WORK/results TMPDIR=$WORK/temporary
unset TEST_DEVICE TEST_FACTS TEST_MODELS
mkdir "$TMPDIR"

# What the scripts compare with has to notice a difference.
helpers() { bash -c '. "$1/gpu/lib.sh"; shift; "$@"' _ "$TESTS" "$@"; }
printf '1\n2\n3\n' >a
printf '1\n2\n3.5\n' >b
printf '1\n2\nnan\n' >c
printf '1\n2\n' >d
check 'the difference of two columns' 0 '^0.5 0.288675 2.39792$' '' -- helpers difference "$WORK/a" "$WORK/b"
for other in c d /dev/null; do check "and of one that is broken: $other" 0 '^1e30' '' -- helpers difference "$WORK/a" "$(realpath "$other")"; done
tokens() { # FILE NUMBERS...: of 4 codebooks
    local file=$1 frames header
    shift
    frames=$(($# / 4))
    header="{\"codes\":{\"dtype\":\"I32\",\"shape\":[4,$frames],\"data_offsets\":[0,$((4 * $#))]}}"
    while [ $((${#header} % 8)) -ne 0 ]; do header="$header "; done
    {
        printf "\\x$(printf %x ${#header})\\0\\0\\0\\0\\0\\0\\0%s" "$header"
        for number in "$@"; do printf "\\x$(printf %x "$number")\\0\\0\\0"; done
    } >"$file"
}
tokens one 1 2 3 4 5 6 7 8 9 10 11 12
tokens two 1 2 3 4 5 6 7 99 9 10 11 12
tokens three 1 2 3 4 5 6 7 8
for pair in 'one one 3' 'one two 1' 'two one 1'; do
    read -r first second equal <<<"$pair"
    check "equal frames of $first and $second" 0 "^$equal\$" '' -- helpers equal_frames "$WORK/$first" "$WORK/$second"
done
check 'equal frames of tokens that end early' 0 '^0$' '' -- helpers equal_frames "$WORK/one" "$WORK/three"

no_gpu=$("$BIN/encode-text" --device cuda --model "$TINY" --prompt x --output "$WORK/x" 2>&1 | sed 's/^encode-text: //')
if [ -n "$no_gpu" ]; then
    check 'without a GPU' 0 "SKIP cannot use device 'cuda': .*1 passed, 0 failed, 1 skipped\$" '' -- "$PROJECT/run_tests.sh" gpu
    cp "$OUT" said
    that "in the program's own words" grep -qF "SKIP $no_gpu" said
    that 'and without a result' test ! -e "$TEST_RESULTS"
fi

fake_gpu 'run_tests.sh gpu on the fake GPU' || { finish; exit; }
export FAKE_GPU_NAME='NVIDIA GeForce RTX 3080' FAKE_GPU_MEMORY=10G
export TEST_SHAPE=tiny TEST_DURATION=1 TEST_MEMORY=tiny:2 TEST_MEMORY_DURATION=1 TEST_BENCH_SHAPES=tiny TEST_BENCH_FRAMES=quick
check 'run_tests.sh gpu' 0 'every frame.*written: .*, 0 failed, ' '.*' -- "$PROJECT/run_tests.sh" gpu
[ "$FAILURES" -eq 0 ] || grep -h -A4 '^not ok' "$LOGS"/gpu/*.log
result=$TEST_RESULTS/nvidia-geforce-rtx-3080-10gb.json
that 'the result has the name of the GPU' test "$(ls -A "$TEST_RESULTS")" = nvidia-geforce-rtx-3080-10gb.json
that 'and the verdict' jq -e '.tests | .verdict == "passed" and .failed == 0 and .passed > 60 and (.checks | length > 60)' "$result"
that 'what each script measured' jq -e '[.tests.figures[].test] | unique == ["memory", "parity", "repeat"]' "$result"
that 'the bench, with and without the recorded step' jq -e '[.shapes.tiny.sampling[] | [.graph, (.device.name), (.steps | length)]] ==
    [[true, "NVIDIA GeForce RTX 3080", 5], [false, "NVIDIA GeForce RTX 3080", 2]] and .shapes.tiny.ratios.f16.gain_of_recording > 0' "$result"
that 'the host has a part in a step' jq -e '[.shapes.tiny.sampling[].steps[].milliseconds | .waiting > 0 and .drawing > 0 and .waiting + .drawing < .mean] | all' "$result"
that 'nothing stays behind' test -z "$(ls -A "$TMPDIR")"
that 'no violation' jq -se 'length > 0 and all(.violations == [])' "$FAKE_GPU_REPORT"

# Interrupted while a test runs. It has a process group of its own, as a terminal's ^C finds it.
TEST_SCRIPTS=repeat setsid "$PROJECT/run_tests.sh" gpu >interrupted 2>&1 &
interrupted=$!
until [ -n "$(find "$TMPDIR" -name config.json)" ] || ! kill -0 $interrupted; do sleep 0.1; done
kill -TERM -- -$interrupted
wait $interrupted
that 'interrupted it fails' test $? -ne 0
that 'no test goes on' test -z "$(find "$LOGS" -name '*.running' -exec sh -c 'kill -0 "$(cat "$1")" && echo "$1"' _ {} \; 2>/dev/null)"
that 'and no model stays behind' test -z "$(ls -A "$TMPDIR")"

FAKE_GPU_MEMORY=455M TEST_SCRIPTS=memory TEST_RESULTS=$WORK/full check 'a GPU that is full' 1 'not ok .*[1-9][0-9]* failed, ' '.*' -- "$PROJECT/run_tests.sh" gpu
that 'has a verdict, too' jq -e '.tests.verdict == "failed" and .tests.failed > 5' full/gpu-without-bench.json
TEST_SCRIPTS=none TEST_RESULTS=/dev/null/results check 'results that cannot be written' 1 "not ok 1 - cannot write the results to '/dev/null/results'" '.*' -- \
    "$PROJECT/run_tests.sh" gpu
TMPDIR=$WORK/none check 'no room for models' 1 'not ok 1 - no room for models: set TMPDIR' '.*' -- "$PROJECT/run_tests.sh" gpu
finish
