#!/usr/bin/env bash
# T5 and EnCodec on a GPU, the fake one of tests/fake-gpu: the same results as on the CPU, no more memory than was planned, chunks
# by what is free, refusals that say what to do, and once more with less when the GPU refuses. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
. "$TESTS/fake-gpu/use.bash"
cd "$WORK" || exit 1
fake_gpu 'T5 and EnCodec on a GPU' || { finish; exit; }
PLANS=$(dirname "$BIN")/bench/plans
PROMPT='slow drums and a piano, and strings that come in later' # 27 tokens

text() { "$BIN/encode-text" --model "$TINY" --prompt "$PROMPT" "$@"; }
decode() { "$BIN/decode-audio" --model "$TINY" --tokens tokens "$@"; }
encode() { "$BIN/encode-audio" --model "$TINY" --input cpu.wav --as tokens "$@"; }
planned() { "$PLANS" --model "$TINY" --text 27 | jq ".\"$1\" | .total - .libraries"; } # PROGRAM: but what libraries take is nothing that the fake knows of
within_plan() { # PROGRAM: the last run's peak
    local peak plan
    peak=$(fake_report peak_bytes) plan=$(planned "$1")
    that "within the plan of $1 ($((100 * peak / plan)) % of it)" test "$peak" -gt 0 -a "$peak" -le "$plan"
}
samples() { tail -c +59 "$1" | od -An -v -t f4 -w4; }
# Largest differences seen, at peaks of 0.9: 4.1e-7 between the CPU's LSTM and libtorch's, 3.0e-7 between chunks of 50 and of 25.
waves_agree() { paste <(samples "$1") <(samples "$2") | awk '{ d = $1 - $2; if (d < 0) d = -d; if (!(d <= m)) m = d } END { exit !(NR > 1000 && m <= 1e-5) }'; }
no_violation() { ! grep -v '"violations": \[\]' "$FAKE_GPU_REPORT"; }

# --- the same results, within the plan ---
that 'a prompt on the CPU' text --output cpu.st --device cpu
check 'a prompt on the GPU' 0 '' '' -- text --output gpu.st --device cuda
within_plan encode-text
that 'the same bits: the fake computes as the CPU does' cmp cpu.st gpu.st
that 'tokens' "$BIN/sample-tokens" --model "$TINY" --condition cpu.st --duration 6 --device cpu --output tokens
that 'sound on the CPU' decode --output cpu.wav --device cpu
check 'sound on the GPU' 0 '' '' -- decode --output gpu.wav --device cuda
within_plan decode-audio
that 'the same within rounding' waves_agree cpu.wav gpu.wav
that 'a transfer or two a chunk, not one a frame' test "$(fake_report device_to_host)" -lt 30
that 'codes on the CPU' encode --output cpu.tokens --device cpu
check 'codes on the GPU' 0 '' '' -- encode --output gpu.tokens --device cuda
within_plan encode-audio
that 'the same codes' cmp cpu.tokens gpu.tokens
that 'transfers once a block' test "$(fake_report device_to_host)" -lt 30
MELODY=$TESTS/parity/tiny-melody
melody() { "$BIN/encode-audio" --model "$MELODY" --input cpu.wav --as melody "$@"; }
that 'a melody on the CPU' melody --output cpu.melody --device cpu
check 'a melody with a GPU' 0 '' '' -- melody --output gpu.melody --device cuda
that 'is computed on the CPU: it is the same on every machine' cmp cpu.melody gpu.melody
that 'but for the self-test' test "$(fake_report peak_bytes)" -lt 100000

# --- what is free ---
check 'little is free: shorter chunks' 0 '' '' -- env FAKE_GPU_MEMORY=809M "$BIN/decode-audio" --model "$TINY" --tokens tokens --output small.wav --device cuda
that 'of less memory' test "$(fake_report peak_bytes)" -lt 4000000
that 'and the same sound' waves_agree gpu.wav small.wav
check 'as --memory has it' 0 '' '' -- encode --output small.tokens --device cuda --memory 106M
that 'the same codes' cmp cpu.tokens small.tokens
check 'with libraries that take their share of it' 0 '' '' -- env FAKE_GPU_WORKSPACE=32M "$BIN/decode-audio" --model "$TINY" --tokens tokens --output small.wav --device cuda --memory 103M
that 'and the same sound' waves_agree gpu.wav small.wav
too_full='MB free on cuda:0 \(Fake GPU\); use --device cpu, or free memory there$'
check 'too little for the weights of T5' 1 '' "^encode-text: a prompt of 1 token needs [0-9.]+ MB; 60\.00 $too_full" -- \
    env FAKE_GPU_MEMORY=766M "$BIN/encode-text" --model "$TINY" --prompt a --output no.st --device cuda
check 'or for the prompt' 1 '' 'needs [0-9.]+ MB; 97\.00 MB free on cuda:0 .*; shorten the prompt, or use --device cpu, or free memory there$' -- \
    env FAKE_GPU_MEMORY=803M "$BIN/encode-text" --model "$TINY" --prompt "$(printf 'a %.0s' {1..400})" --output no.st --device cuda
check 'too little to decode' 1 '' "^decode-audio: 'tiny-text': decoding needs [0-9.]+ MB; 60\.00 $too_full" -- \
    env FAKE_GPU_MEMORY=766M "$BIN/decode-audio" --model "$TINY" --tokens tokens --output no.wav --device cuda
check 'too little by --memory' 1 '' "decoding needs [0-9.]+ MB; 90\.00 MB allowed; give --memory [0-9]+M or more$" -- decode --output no.wav --device cuda --memory 90M
check 'more --memory than there is' 1 '' "encoding needs [0-9.]+ MB; 60\.00 $too_full" -- \
    env FAKE_GPU_MEMORY=766M "$BIN/encode-audio" --model "$TINY" --input cpu.wav --as tokens --output no.tokens --device cuda --memory 1G
that 'no refusal left a file' test ! -e no.st -a ! -e no.wav -a ! -e no.tokens

# --- memory that is refused within the plan ---
refused='^cuda:0 refused memory within the plan \(.*out of memory.*\): (decoding|encoding) once more in chunks of 25 frames instead of 50$'
export FAKE_GPU_REFUSE=2:600K # the first of that size is the LSTM's weights in one piece
check 'refused while decoding' 0 '' "$refused" -- decode --output again.wav --device cuda
that 'one line' test "$(wc -l <"$ERR")" -eq 1
that 'the same sound' waves_agree gpu.wav again.wav
within_plan decode-audio
FAKE_GPU_REFUSE='' FAKE_GPU_ENGINE=5 check 'refused in the words of cuDNN' 0 '' \
    '^cuda:0 refused memory within the plan \(.*find an engine.*\): decoding once more in chunks of 25 frames instead of 50$' -- decode --output engine.wav --device cuda
that 'the same sound, too' waves_agree gpu.wav engine.wav
check 'refused while encoding' 0 '' "$refused" -- encode --output again.tokens --device cuda
that 'the same codes' cmp cpu.tokens again.tokens
within_plan encode-audio
printf '%s\n' '{"tokens":"tokens","output":"one.wav"}' '{"tokens":"tokens","output":"two.wav"}' >jobs
check 'of two clips' 0 '("status":"done".*){2}' "$refused" -- "$BIN/decode-audio" --model "$TINY" --jobs jobs --device cuda
that 'the second stays with the shorter chunks' cmp one.wav two.wav
FAKE_GPU_REFUSE=1:100K
check 'refused while loading' 1 '' '^decode-audio: decoding needs [0-9.]+ MB, and cuda:0 refused some of it: free memory there, or use --device cpu: .*out of memory' -- \
    decode --output no.wav --device cuda
check 'T5 has nothing to make smaller' 1 '' '^encode-text: a prompt of [0-9]+ tokens? needs [0-9.]+ MB, and cuda:0 refused some of it: .*out of memory' -- \
    text --output no.st --device cuda
that 'in one line' test "$(wc -l <"$ERR")" -eq 1
that 'nothing half done' test ! -e no.wav -a ! -e no.st
that 'no program did what a GPU would not forgive' no_violation
finish
