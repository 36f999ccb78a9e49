#!/usr/bin/env bash
# What a device computes against stored references of transformers, and against the CPU. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# The same comparisons that the quick tests make on a CPU: T5's hidden states, teacher-forced logits with weights and caches in
# float32 and float16, the codec both ways, a melody. Each test says which tolerances are a device's.
cd "$PROJECT" || exit 1
for name in test-wrappers test-encode-text test-sample-tokens test-melody test-static-step test-decode-audio test-encode-audio; do
    that "$name on $TEST_DEVICE" "$BIN/../tests/$name"
    sed -n 's/^# \(.*largest difference.*\)/\1/p; s/^\([^#].*largest difference.*\)/\1/p' "$OUT" "$ERR" | sort -u | while read -r line; do
        fact "$name" "$(jq -nR --arg line "$line" '$line')"
    done
done
cd "$WORK" || exit 1

# A model of a published shape with random weights: device against CPU.
folder=$(model "$TEST_SHAPE") || exit 1
prompt='a calm piano, and far away a choir of some voices that hum'
check 'a condition on the device' 0 '' '.*' -- run encode-text --model "$folder" --prompt "$prompt" --output device.condition
check 'and on the CPU' 0 '' '.*' -- "$BIN/encode-text" --device cpu --model "$folder" --prompt "$prompt" --output cpu.condition
# Largest difference seen, relative to the RMS: the fake GPU has none. A GPU sums float32 in another order.
read -r _ rms scale < <(difference <(numbers device.condition hidden f4) <(numbers cpu.condition hidden f4))
that "T5's hidden states differ by $rms RMS of $scale: at most 1e-4 of it" holds "$rms <= 1e-4 * $scale"
fact 'T5 beside the CPU, RMS of the difference over RMS' "$(jq -n "$rms / $scale")"

greedy() { # OUTPUT COMMAND...
    local output=$1
    shift
    "$@" --model "$folder" --condition cpu.condition --greedy --duration "$TEST_DURATION" --output "$output"
}
check 'greedy tokens of the CPU' 0 '' '.*' -- greedy cpu.tokens "$BIN/sample-tokens" --device cpu --engine cpu --weights f16 --cache f32
check 'of the device in float32' 0 '' '.*' -- greedy f32.tokens sample --weights f32 --cache f32
check 'of the device in float16' 0 '' '.*' -- greedy f16.tokens sample --weights f16 --cache f16
all=$(frames_of cpu.tokens)
for type in f32 f16; do
    equal=$(equal_frames "$type.tokens" cpu.tokens)
    echo "# greedy tokens in $type: the first $equal of $all frames are the CPU's"
    fact "greedy frames in $type equal to the CPU's, of $all" "$equal"
    # With random weights two tokens are near enough for float16 to change the order once in some hundred draws, and for
    # float32 once in some ten thousand.
    [ $type = f16 ] || that "greedy tokens in float32 are the CPU's for a fifth of the track at least" test $((5 * equal)) -ge "$all"
done

# The codec, both ways.
samples() { ffmpeg -v error -i "$1" -f f32le - | od -An -v -w4 -t f4 | tr -d ' '; }
check 'decoded on the device' 0 '' '.*' -- run decode-audio --model "$folder" --tokens cpu.tokens --output device.wav
check 'and on the CPU' 0 '' '.*' -- "$BIN/decode-audio" --device cpu --model "$folder" --tokens cpu.tokens --output cpu.wav
read -r largest rms scale < <(difference <(samples device.wav) <(samples cpu.wav))
that "the sound differs by $rms RMS of $scale: at most 1e-4 of it" holds "$rms <= 1e-4 * $scale"
fact 'decoded audio beside the CPU, RMS of the difference over RMS' "$(jq -n "$rms / $scale")"
fact 'decoded audio beside the CPU, largest difference' "$largest"
ffmpeg -v error -f lavfi -i "sine=frequency=300:duration=$TEST_DURATION,tremolo=f=5" -ar 32000 -c:a pcm_f32le clip.wav
check 'encoded on the device' 0 '' '.*' -- run encode-audio --model "$folder" --input clip.wav --as tokens --output device.codes
check 'and on the CPU' 0 '' '.*' -- "$BIN/encode-audio" --device cpu --model "$folder" --input clip.wav --as tokens --output cpu.codes
share=$(paste <(numbers device.codes codes i4) <(numbers cpu.codes codes i4) | awk '{ equal += $1 == $2 } END { print NR ? equal / NR : 0 }')
that "of the clip's codes $share are equal: 0.99 at least" holds "$share >= 0.99"
fact "encoded codes equal to the CPU's, share" "$share"
finish
