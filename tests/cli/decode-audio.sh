#!/usr/bin/env bash
# decode-audio as a user runs it, with the demo model. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
decode=$BIN/decode-audio
cd "$WORK" || exit 1

# The demo codec: 4 codebooks of 512, 320 samples a frame at 16 kHz.
HOP=320 WAV_HEADER=58

bytes_of() { # VALUE BYTES: little-endian
    local value=$1 i
    for ((i = 0; i < $2; i++)); do printf "\\x$(printf %02x $((value >> 8 * i & 255)))"; done
}
make_tokens() { # FILE CODEBOOKS FRAMES [RECIPE] [FIRST_CODE_OF_LAST_CODEBOOK]: all other codes are 0
    local file=$1 codebooks=$2 frames=$3 recipe=${4:-'{}'} last=${5:-0} row=$((4 * $3)) header
    header=$(printf '{"__metadata__":{"format":"leitmotif.tokens/1","recipe":"%s"},"codes":{"dtype":"I32","shape":[%d,%d],"data_offsets":[0,%d]}}' \
        "${recipe//\"/\\\"}" "$codebooks" "$frames" $((codebooks * row)))
    while ((${#header} % 8)); do header+=' '; done
    { bytes_of ${#header} 8 && printf %s "$header" && head -c $(((codebooks - 1) * row)) /dev/zero && bytes_of "$last" 4 &&
        head -c $((row - 4)) /dev/zero; } >"$file"
}
wav_holds() { [ "$(stat -c %s "$1")" -eq $((WAV_HEADER + 4 * $2 * HOP)) ] && [ "$(head -c 4 "$1")" = RIFF ]; } # FILE FRAMES
no_leftovers() { [ -z "$(find . -name '*.part')" ]; }

make_tokens one.tokens 4 120
make_tokens two.tokens 4 37 '{"sample_rate":16000,"frame_rate":50,"channels":1}' 511
head -c 1000 one.tokens >cut.tokens
make_tokens outside.tokens 4 20 '{}' 512
make_tokens stereo.tokens 8 20
make_tokens other-rate.tokens 4 20 '{"sample_rate":32000}'
make_tokens other-frames.tokens 4 20 '{"frame_rate":25}'
make_tokens other-model.tokens 4 20 '{"model":"0000"}'
make_tokens long.tokens 4 60000
make_tokens endless.tokens 4 3400000
run() { "$decode" --model "$MODEL" "$@"; }

check '--help' 0 '--tokens=FILE.*--output=FILE.*--memory=SIZE' '' -- "$decode" --help
check '--version' 0 '^decode-audio [0-9]' '' -- "$decode" --version
check 'waiting threads sleep soon, though libgomp was there before main' 0 '.*' "SPINCOUNT = '1000'" -- env OMP_DISPLAY_ENV=verbose "$decode" --version
check 'unless they were told how to wait' 0 '.*' "^(?!.*SPINCOUNT = '1000').*WAIT_POLICY = 'PASSIVE'" -- env OMP_WAIT_POLICY=passive OMP_DISPLAY_ENV=verbose "$decode" --version
loader=$(readelf -l "$decode" | sed -n 's/.*interpreter: \(.*\)]/\1/p')
check 'started by the dynamic loader' 0 '^decode-audio [0-9]' '' -- "$loader" "$decode" --version
check 'an unknown flag' 2 '' "^decode-audio: unknown option '--tokenz' .did you mean 'tokens'" -- run --tokenz x
check '--model is missing' 2 '' '^decode-audio: --model is missing' -- "$decode" --tokens one.tokens --output a.wav
check '--tokens is missing' 2 '' '^decode-audio: --tokens is missing' -- run --output a.wav
check '--output is missing' 2 '' '^decode-audio: --output is missing' -- run --tokens one.tokens
check 'a memory limit that is no size' 2 '' "memory.*1Q" -- run --tokens one.tokens --output a.wav --memory 1Q

check 'tokens become sound' 0 '' '' -- run --tokens one.tokens --output one.wav
that 'every frame is there' wav_holds one.wav 120
check 'once more' 0 '' '' -- run --tokens one.tokens --output again.wav
that 'the same bits' cmp one.wav again.wav
check 'progress for programs' 0 '' '"stage":"decode","done":120,"total":120' -- run --tokens one.tokens --output a.wav --progress json
check 'a limit that fits' 0 '' '' -- run --tokens one.tokens --output small.wav --memory 30M
that 'in shorter chunks, every frame' wav_holds small.wav 120
check 'a limit that nothing fits' 1 '' "^decode-audio: '.*': decoding needs .* 1\.00 MB allowed; give --memory [0-9]+M or more$" -- run --tokens one.tokens --output no.wav --memory 1M
check 'the greatest code' 0 '' '' -- run --tokens two.tokens --output two.wav

check 'no such file' 1 '' "^decode-audio: .*'no\.tokens'.*: No such file" -- run --tokens no.tokens --output no.wav
check 'truncated tokens' 1 '' "^decode-audio: .*'cut\.tokens'" -- run --tokens cut.tokens --output no.wav
check 'a file that is no tokens' 1 '' "^decode-audio: .*'one\.wav'" -- run --tokens one.wav --output no.wav
check 'a code outside the codebook' 1 '' "'outside\.tokens': code 512 of codebook 3 at frame 0 is outside 0 to 511" -- run --tokens outside.tokens --output no.wav
check 'tokens of a stereo model' 1 '' "'stereo\.tokens' has 8 codebooks, model '.*' has 4" -- run --tokens stereo.tokens --output no.wav
check 'tokens of another sample rate' 1 '' "'other-rate\.tokens': was sampled for a sample rate of 32000, model '.*' has 16000" -- run --tokens other-rate.tokens --output no.wav
check 'tokens of another frame rate' 1 '' "'other-frames\.tokens': was sampled for a frame rate of 25" -- run --tokens other-frames.tokens --output no.wav
check 'tokens of another model of the same shape' 0 '' "'other-model\.tokens' was sampled with another model" -- run --tokens other-model.tokens --output other.wav
check 'more than a WAV file holds' 1 '' "'endless\.tokens': 3400000 frames are more sound than the 4 GiB" -- run --tokens endless.tokens --output no.wav
check 'no such model' 1 '' "model 'nobody/nothing'" -- "$decode" --model nobody/nothing --tokens one.tokens --output no.wav
mkdir damaged && cp "$MODEL"/config.json "$MODEL"/generation_config.json damaged && head -c 100000 "$MODEL/model.safetensors" >damaged/model.safetensors
check 'truncated weights' 1 '' "^decode-audio: .*damaged" -- "$decode" --model ./damaged --tokens one.tokens --output no.wav
check 'an output folder that is not there' 1 '' "'nowhere/no\.wav'" -- run --tokens one.tokens --output nowhere/no.wav
check 'a folder as output' 1 '' "'damaged'" -- run --tokens one.tokens --output damaged
check 'a full disk' 1 '' "^decode-audio: .*'/dev/full'.*[Nn]o space left" -- run --tokens one.tokens --output /dev/full
that 'no failure left a file' test ! -e no.wav

cat >jobs <<'END'
{"tokens": "no.tokens", "output": "no.wav"}
{"tokens": "one.tokens", "output": "good.wav"}
END
check 'one bad job, one good' 1 '"job":1,.*"status":"failed","error":".*no\.tokens.*"job":2,"output":"good\.wav","status":"done".*"duration":2\.4,"sample_rate":16000,"channels":1' \
    "no\.tokens" -- run --jobs jobs
that 'the good one is there' cmp one.wav good.wav
printf '%s\n' '{"tokens": "one.tokens", "output": "x.wav"}' '{"tokens": "two.tokens", "output": "./x.wav"}' >jobs
check 'two jobs with one output' 2 '' "'.*x\.wav'" -- run --jobs jobs
that 'nothing was done' test ! -e x.wav
printf '%s\n' '{"tokens": "one.tokens", "outptu": "x.wav"}' >jobs
check 'an unknown key in a job' 2 '' "line 1.*outptu.*did you mean 'output'" -- run --jobs jobs

"$decode" --model "$MODEL" --tokens long.tokens --output killed.wav 2>"$ERR" &
for ((i = 0; i < 300; i++)); do [ -n "$(find . -name '*.part' -size +100k)" ] && break; sleep 0.1; done
kill -9 $! && wait $! 2>/dev/null
that 'kill -9 in the middle leaves no half file' test ! -e killed.wav
that 'but a temporary' test -n "$(find . -name '.killed.wav.*.part')"
check 'the next run' 0 '' '' -- run --tokens one.tokens --output killed.wav
that 'removes it' no_leftovers
that 'and its result is whole' cmp one.wav killed.wav
finish
