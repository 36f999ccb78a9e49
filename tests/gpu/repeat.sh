#!/usr/bin/env bash
# The same tokens again on a device: in a second run, beside other tracks, without the recorded step, after a render that was
# killed. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
folder=$(model "$TEST_SHAPE") || exit 1
prompts=('a calm piano' 'loud drums and a bass that never rests' 'x' 'strings, slow and wide')
for i in "${!prompts[@]}"; do
    "$BIN/encode-text" --device cpu --quiet --model "$folder" --prompt "${prompts[i]}" --output "$i.condition" || exit 1
done

job_lines() { # NAME TRACKS: track i lasts the longer the higher i; the first is as long as any
    local i
    for ((i = 0; i < $2; i++)); do
        jq -nc --arg condition "$((i % 4)).condition" --arg output "$1.$i" --argjson seed "$i" \
            --argjson duration "$(awk "BEGIN { print $TEST_DURATION * ($i ? ($i % 4 + 1) / 4 : 1) }")" '{$condition, $output, $seed, $duration}'
    done
}
sampled() { # NAME TRACKS ARGUMENTS...: NAME.0 and so on
    local name=$1 count=$2
    shift 2
    job_lines "$name" "$count" >"$name.jobs"
    check "tokens of $count tracks, $*" 0 '"status":"done"' '.*' -- sample --model "$folder" --jobs "$name.jobs" "$@"
    cp "$ERR" "$name.notes"
}
recorded() { ! grep 'without a CUDA graph' "$WORK/once.notes"; }
same() { # TEXT A B: equal codes, or where they part
    local equal all
    equal=$(equal_frames "$2" "$3")
    all=$(frames_of "$3")
    that "$1: the first $equal of $all frames" test "$all" -gt 0 -a "$equal" -eq "$all"
}

sampled once 1 --batch 1
[ "$TEST_DEVICE" = cpu ] || that 'its steps are recorded: nothing says that they are not' recorded
sampled again 1 --batch 1
same 'a second run has the same tokens' again.0 once.0
check 'another seed' 0 '' '.*' -- sample --model "$folder" --condition 0.condition --seed 99 --duration "$TEST_DURATION" --output other
that 'has others, which shows that tokens are compared' test "$(equal_frames other once.0)" -lt "$(frames_of once.0)"
check 'without the recorded step' 0 '' '.*' -- env LEITMOTIF_GRAPH=off "$BIN/sample-tokens" --device "$TEST_DEVICE" --engine torch --model "$folder" \
    --batch 1 --condition 0.condition --seed 0 --duration "$TEST_DURATION" --output plain
same 'the tokens are the same' plain once.0

# On a GPU a step's products have one shape for up to 8 guided tracks, whoever is in their places: tokens depend on no neighbour, nor on
# their number. On a CPU another --batch is another shape, which is in the recipe; that is told here.
sampled alone 1 --batch 4
sampled four 4 --batch 4
sampled nine 9 --batch 4
same 'alone or beside three others' four.0 alone.0
for i in 0 1 2 3; do same "beside three others or in a longer queue, track $i" "nine.$i" "four.$i"; done
equal=$(equal_frames alone.0 once.0)
echo "# --batch 4 beside --batch 1: the first $equal of $(frames_of once.0) frames are equal"
[ "$TEST_DEVICE" = cpu ] || same '--batch 4 and --batch 1' alone.0 once.0
fact "frames of --batch 4 equal to --batch 1's, of $(frames_of once.0)" "$equal"

# A render killed in the middle and run again makes what an undisturbed one makes.
{
    printf 'leitmotif: 1\ntitle: game\nmodel: %s\noutputs: [{format: wav}]\ntracks:\n' "$folder"
    for i in 1 2 3 4 5 6; do
        printf '  track_%d: {prompt: "a track, number %d", seed: %d, duration: %s}\n' $i $i $i "$(awk "BEGIN { print $TEST_DURATION * $i / 6 }")"
    done
} >game.yaml
render() { "$BIN/leitmotif" render game.yaml --device "$TEST_DEVICE" --workspace "$1" >"$1.out" 2>"$1.err"; }
stored() { (cd "$1/store" && find . -name '*.wav' -o -name '*.safetensors' | sort | xargs sha256sum); }
done_tracks() { find "$1/store" -name tokens.safetensors 2>/dev/null | wc -l; }
render whole
that 'a render makes every track' test "$(done_tracks whole)" -eq 6
"$BIN/leitmotif" render game.yaml --device "$TEST_DEVICE" --workspace cut >/dev/null 2>&1 &
killed=$!
while kill -0 $killed 2>/dev/null && [ "$(done_tracks cut)" -eq 0 ]; do sleep 0.02; done
kill -9 $killed 2>/dev/null
wait $killed 2>/dev/null
before=$(done_tracks cut)
that "killed after $before of 6 tracks" test "$before" -gt 0 -a "$before" -lt 6
render cut
that 'run again it makes every track' test "$(done_tracks cut)" -eq 6
stored whole >whole.sums
stored cut >cut.sums
that 'and every stored result is the undisturbed one' cmp whole.sums cut.sums
finish
