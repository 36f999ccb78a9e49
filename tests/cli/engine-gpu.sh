#!/usr/bin/env bash
# sample-tokens on a GPU, a fake one (tests/fake-gpu/README.md): tokens with and without recorded steps, alone and in batches; how often it
# records, launches and copies; and what it plans beside what it takes. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
. "$TESTS/fake-gpu/use.bash"
MELODY=$TESTS/parity/tiny-melody
cd "$WORK" || exit 1
fake_gpu 'sample-tokens on a GPU' || { finish; exit; }
gpu() { "$BIN/sample-tokens" --device cuda "$@"; }
clean() { tail -n 1 "$FAKE_GPU_REPORT" | grep -q '"violations": \[\]'; }

codes() { # FILE: a number a line
    od -An -v -w4 -t d4 -j $((8 + $(od -An -N8 -t d8 "$1"))) "$1"
}
same() { cmp <(codes "$1") <(codes "$2"); }
common_frames() { # FILE FILE: of 4 codebooks
    paste <(codes "$1") <(codes "$2") | awk '{a[NR] = $1; b[NR] = $2} END {
        frames = NR / 4
        for (f = 0; f < frames; f++) for (q = 0; q < 4; q++) if (a[q * frames + f + 1] != b[q * frames + f + 1]) {print f; exit}
        print frames}'
}

"$BIN/encode-text" --model "$TINY" --device cpu --prompt 'drums and bass' --output drums || exit 1
"$BIN/encode-text" --model "$TINY" --device cpu --prompt '' --output nothing || exit 1
"$BIN/encode-text" --model "$TINY" --device cpu --prompt 'a slow piano melody in the rain, far away' --output piano || exit 1
"$BIN/encode-text" --model "$MELODY" --device cpu --prompt 'drums and bass' --output tune || exit 1

static_step() { (cd "$PROJECT" && TEST_DEVICE=cuda "$BUILD/tests/test-static-step"); }
that 'the static step on a GPU gives the logits of a CPU' static_step
that 'and breaks no rule of it' clean

# --- one track: steps, recordings, copies ---
text=(--model "$TINY" --condition drums --greedy)
check 'a track of a second' 0 '' '' -- gpu "${text[@]}" --output second --duration 1
that 'is one recording' test "$(fake_report captures)" -eq 1
that 'launched for all steps but the first two' test "$(fake_report launches)" -eq 51
second_up=$(fake_report host_to_device) second_down=$(fake_report device_to_host)
check 'and of three' 0 '' '' -- gpu "${text[@]}" --output graph --duration 3
that 'breaks no rule of a GPU' clean
that 'copies once to the GPU and once back in each step' test "$(fake_report host_to_device) $(fake_report device_to_host)" = "$((second_up + 100)) $((second_down + 100))"
check 'once more' 0 '' '' -- gpu "${text[@]}" --output again --duration 3
that 'gives the same file' cmp graph again
LEITMOTIF_GRAPH=off check 'without recording' 0 '' '' -- gpu "${text[@]}" --output eager --duration 3
that 'records nothing' test "$(fake_report captures) $(fake_report launches)" = '0 0'
that 'gives the same' cmp graph eager
LEITMOTIF_GRAPH=no check 'neither on nor off' 1 '' "^sample-tokens: 'LEITMOTIF_GRAPH=no': expected on or off$" -- gpu "${text[@]}" --output none --duration 3
for way in refuse fail wrong launch; do
    FAKE_GPU_CAPTURE=$way check "recordings on a GPU: $way" 0 '' '^the step runs without a CUDA graph: [^\n]+$' -- gpu "${text[@]}" --output refused --duration 3
    that 'gives the same all the same' cmp graph refused
done
check 'weights and cache in f32' 0 '' '' -- gpu "${text[@]}" --weights f32 --cache f32 --output single --duration 3
"$BIN/sample-tokens" --device cpu --engine torch "${text[@]}" --weights f32 --cache f32 --output reference --duration 3
that 'give what a CPU gives' same single reference
echo "# with weights and cache in f16 the first $(common_frames graph reference) of 150 frames are those of f32 on a CPU"
check 'plain, at half the rows' 0 '' '' -- gpu "${text[@]}" --guidance 1 --weights f32 --cache f32 --output plain --duration 1
"$BIN/sample-tokens" --device cpu --engine torch "${text[@]}" --guidance 1 --weights f32 --cache f32 --output reference --duration 1
that 'give what a CPU gives, too' same plain reference

# --- prompts and prefixes: the other step, and a new recording after it ---
check 'two windows' 0 '' '' -- gpu "${text[@]}" --output long --section 1=piano --duration 2
that 'are two recordings' test "$(fake_report captures)" -eq 2
that 'by the rules' clean
check 'a continuation' 0 '' '' -- gpu "${text[@]}" --continue second --weights f32 --cache f32 --output more --duration 1
"$BIN/sample-tokens" --device cpu --engine torch "${text[@]}" --continue second --weights f32 --cache f32 --output reference --duration 1
that 'is what a CPU gives' same more reference
melody=(--model "$MELODY" --condition tune --greedy --duration 2)
check 'a melody model' 0 '' '' -- gpu "${melody[@]}" --output melody
that 'by the rules, too' clean
that 'records once' test "$(fake_report captures)" -eq 1
LEITMOTIF_GRAPH=off check 'without recording' 0 '' '' -- gpu "${melody[@]}" --output melody-eager
that 'gives the same' cmp melody melody-eager
check 'in f32' 0 '' '' -- gpu "${melody[@]}" --weights f32 --cache f32 --output melody-single
"$BIN/sample-tokens" --device cpu --engine torch "${melody[@]}" --weights f32 --cache f32 --output reference
that 'is what a CPU gives, prefix and all' same melody-single reference
echo "# with weights and cache in f16 the first $(common_frames melody reference) of 100 frames are those of f32 on a CPU"

# --- batches: tracks come, go and take each other's place ---
cat >jobs.jsonl <<'END'
{"condition": "drums", "output": "a", "duration": 3, "greedy": true}
{"condition": "piano", "output": "b", "duration": 0.5, "seed": 7}
{"condition": "nothing", "output": "c", "duration": 1, "seed": 8}
{"condition": "drums", "output": "d", "duration": 1.5, "guidance": 1, "greedy": true}
{"condition": "piano", "output": "e", "duration": 1, "continue": "second", "seed": 9}
{"section": ["0=piano", "1=drums"], "output": "f", "duration": 2, "greedy": true}
END
for batch in 1 2 4 6; do
    mkdir -p batch-$batch
    check "jobs, batch $batch" 0 '("status":"done".*){6}' '.*' -- gpu --model "$TINY" --jobs jobs.jsonl --batch $batch
    that 'by the rules' clean
    mv a b c d e f batch-$batch
    for track in a b c d e f; do
        [ $batch = 1 ] || that "track $track is the same as alone" same batch-1/$track batch-$batch/$track
    done
done

for batch in 1 4; do
    for duration in 0.5 1 1.5 2; do
        echo "{\"condition\": \"tune\", \"output\": \"melody-$batch-$duration\", \"duration\": $duration, \"greedy\": true}"
    done >melodies.jsonl
    check "melodies, batch $batch" 0 '("status":"done".*){4}' '.*' -- gpu --model "$MELODY" --jobs melodies.jsonl --batch $batch
    that 'by the rules' clean
done
for duration in 0.5 1 1.5 2; do
    that "$duration s are the same in both" same melody-1-$duration melody-4-$duration
done

# --- a refused allocation: half the batch, the same tokens ---
allocations() { gpu --model "$TINY" --jobs jobs.jsonl --batch "$1" --quiet >/dev/null && fake_report allocations; }
halves() { # N:SIZE: the allocation to refuse
    FAKE_GPU_REFUSE=$1 check "refused: $1" 0 '("status":"done".*){6}' 'out of memory.*; going on with 2 tracks at once instead of 4' -- \
        gpu --model "$TINY" --jobs jobs.jsonl --batch 4
    that 'by the rules' clean
    for track in a b c d e f; do that "track $track is the same" same batch-4/$track $track; done
}
everything=$(allocations 4)
echo "# $everything allocations"
halves 100:1        # while weights are loaded
halves $((everything / 2)):1
halves $((everything * 9 / 10)):1
FAKE_GPU_REFUSE=100:1 check 'one track has no half' 1 '' 'out of memory' -- gpu "${text[@]}" --output none --duration 1
that 'and leaves no file' test ! -e none

# --- memory: what is planned holds what is taken, and little more ---
plans_well() { # OPTION...: the GPU's libraries are planned beside what the fake counts
    local total libraries
    gpu "$@" --dry-run >plan || return 1
    total=$(awk '/^total/ {print $2}' plan) libraries=$(awk '/^libraries/ {print $2}' plan)
    gpu "$@" --output taken || return 1
    echo "planned $((total - libraries)), taken $(fake_report peak_bytes)"
    test $((total - libraries)) -ge "$(fake_report peak_bytes)" && test $(((total - libraries) * 4)) -le $(($(fake_report peak_bytes) * 5))
}
for storage in '--weights f16 --cache f16' '--weights f32 --cache f32'; do
    # shellcheck disable=SC2086 # four words
    {
        that "the plan of a second, $storage" plans_well "${text[@]}" $storage --duration 1
        that "the plan of a prompt, $storage" plans_well "${text[@]}" $storage --duration 1 --continue graph
        that "the plan of a melody, $storage" plans_well "${melody[@]}" $storage
    }
done
that 'the plan of eight slots' plans_well "${text[@]}" --batch 8 --duration 2
that 'the plan of mixed storage' plans_well "${text[@]}" --weights f32 --cache f16 --duration 4
that 'and the other way round' plans_well "${text[@]}" --weights f16 --cache f32 --duration 4
finish
