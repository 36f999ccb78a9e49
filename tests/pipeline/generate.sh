#!/usr/bin/env bash
# leitmotif generate: one track without a YAML file. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"
. "$(dirname "$0")/fakes/setup.bash"
cd "$WORK" || exit 1
generate() { "$LEITMOTIF" generate --model demo "$@"; }

check 'the prompt names the file' 0 '^a-calm-wide-pad: 10.0 s, a-calm-wide-pad.ogg, seed [0-9]+, made in' '' -- generate 'A calm, wide pad!'
that 'it is there' test -s a-calm-wide-pad.ogg
that 'each program ran once' started 'encode-text 1' 'sample-tokens 1' 'decode-audio 1'
seed=$(grep -o 'seed=[0-9]*' a-calm-wide-pad.ogg | head -n 1)
check 'it is not replaced' 1 '' "'a-calm-wide-pad.ogg' exists already; --force replaces it" -- generate 'A calm, wide pad!'
check 'but by force, with a fresh seed' 0 'seed [0-9]+, made' '' -- generate --force 'A calm, wide pad!'
that 'seeds differ' test "$seed" != "$(grep -o 'seed=[0-9]*' a-calm-wide-pad.ogg | head -n 1)"

check 'a seed repeats a take' 0 'seed 42, made' '' -- generate --seed 42 --output one.mp3 'x'
rm "$FAKE_LOG"
check 'which is stored' 0 'two.mp3, seed 42, reused' '' -- generate --seed 42 --output two.mp3 'x'
that 'so that no program starts' idle
that 'and it is the same' cmp one.mp3 two.mp3
for format in ogg mp3 wav flac opus; do
    check "format $format by the extension" 0 "t.$format, seed 1, " '' -- generate --seed 1 -o "t.$format" 'x'
done
check 'variations count their seeds up' 0 '(?=.*x_1: [^\n]*x_1.ogg, seed 7, )(?=.*x_3: [^\n]*x_3.ogg, seed 9, )' '' -- generate --seed 7 --variations 3 'x'
check 'a folder' 0 'out/x.ogg, seed 7, ' '' -- generate --seed 7 --output out/ 'x'
that 'is made' test -s out/x.ogg
check 'a folder that is there' 0 'out/y.ogg, ' '' -- generate --output out 'y'
check 'settings' 0 'seed 1, made' '' -- generate --seed 1 --duration 2.5 --temperature 0.5 --top-k 10 --top-p 0.9 --guidance 4 -o s.ogg 'x'
that 'arrive' grep -rqs '"duration":2.5,"guidance":4.0,"seed":1,"temperature":0.5,"top-k":10,"top-p":0.9' "$LEITMOTIF_WORKSPACE/store" --include=recipe.json
check 'a prompt of other letters' 0 '^track: .*track.ogg' '' -- generate '…'
check 'an empty prompt is the unconditional request' 0 '^track: ' '' -- generate --force ''

check 'no prompt, no terminal' 2 '' 'generate takes a PROMPT' -- generate
check 'two prompts' 2 '' "put it in quotes \(unexpected 'pads'\)" -- generate calm pads
check 'invalid UTF-8' 2 '' 'the prompt is not valid UTF-8' -- generate $'\xff'
check 'a foreign extension' 2 '' "'--output x.txt': is no folder, and has none of the extensions" -- generate -o x.txt 'x'
check 'a missing folder' 1 '' "cannot write 'no/x.ogg': its folder does not exist" -- generate -o no/x.ogg 'x'
check 'duration 0' 2 '' "duration" -- generate --duration 0 'x'
check 'duration NaN' 2 '' "duration" -- generate --duration nan 'x'
check 'a negative seed' 2 '' "seed" -- generate --seed -1 'x'
check 'the largest seed' 0 'seed 9223372036854775807, ' '' -- generate --seed 9223372036854775807 -o big.ogg 'x'
check 'too large with variations' 2 '' 'too large for so many variations' -- generate --seed 9223372036854775807 --variations 2 -o big2.ogg 'x'
check 'unknown option' 2 '' "did you mean 'guidance'" -- generate --guidanc 3 'x'
check 'a missing model' 1 '' 'fetch-model medium' -- env HF_HUB_CACHE="$WORK" HOME="$WORK" "$LEITMOTIF" generate --model medium 'z'
check 'a failure' 1 '' "'w' failed: sample-tokens: told to fail" -- env FAKE_FAIL='sample-tokens ' "$LEITMOTIF" generate --model demo 'w'
that 'leaves no output' test ! -e w.ogg
if [ -x /usr/bin/script ]; then
    that 'a terminal is asked for a prompt' sh -c "echo 'asked pads' | script -qec '$LEITMOTIF generate --model demo --seed 5' /dev/null | grep -q 'asked-pads.ogg, seed 5'"
else
    skip 'a terminal is asked for a prompt' 'no script(1) here'
fi
finish
