#!/usr/bin/env bash
# encode-audio as a user runs it, and what the other programs make of its files. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
MELODY_MODEL=$TESTS/parity/tiny-melody
cd "$WORK" || exit 1

make_audio() { # FILE SOURCE [ffmpeg options...]
    local file=$1 source=$2
    shift 2
    ffmpeg -hide_banner -v error -nostdin -y -f lavfi -i "$source" "$@" "$file"
}
encode() { "$BIN/encode-audio" --model "$MELODY_MODEL" --device cpu --output out.tokens "$@"; }
numbers() { od -An -v -w4 -t d4 -j $((8 + $(od -An -N8 -t d8 "$1"))) "$1"; } # FILE: its one array, a number a line
shape_is() { grep -aq "\"shape\":\[$2,$3\]" "$1"; }                          # FILE ROWS COLUMNS
recipe_has() { grep -aqF -- "$2" "$1"; }

tone='0.4*sin(2*PI*440*t)+0.2*sin(2*PI*553*t)'
make_audio tone.wav "aevalsrc=$tone:s=32000:d=2.01"
make_audio high.wav "aevalsrc=$tone:s=96000:d=2"
make_audio tone.mp3 "aevalsrc=$tone|$tone:s=44100:d=2" -b:a 192k
make_audio three.flac "aevalsrc=$tone|$tone|$tone:s=48000:d=1"
make_audio sides.wav 'aevalsrc=0.4*sin(2*PI*440*t)|0.4*sin(2*PI*262*t):s=32000:d=1'
make_audio left.wav 'aevalsrc=0.4*sin(2*PI*440*t):s=32000:d=1'
make_audio one.wav 'aevalsrc=0.5:s=32000:d=0.00003'
make_audio silence.wav 'anullsrc=r=32000:cl=mono' -t 1 -c:a pcm_f32le
make_audio nan.wav 'aevalsrc=if(gt(t\,0.01)\,0/0\,0):s=32000:d=0.1' -c:a pcm_f32le
head -c 3000 tone.mp3 >cut.wav
make_audio none.wav 'anullsrc=r=32000:cl=mono' -t 0

# --- the command line ---
check '--help' 0 '--input=FILE.*--as=tokens\|melody.*--duration=SECONDS' '' -- "$BIN/encode-audio" --help
check '--version' 0 '^encode-audio [0-9]' '' -- "$BIN/encode-audio" --version
check 'waiting threads sleep soon, though libgomp was there before main' 0 '.*' "SPINCOUNT = '1000'" -- env OMP_DISPLAY_ENV=verbose "$BIN/encode-audio" --version
check 'an unknown flag' 2 '' "unknown option '--inptu' .did you mean 'input'" -- encode --inptu x
check '--model is missing' 2 '' '--model is missing' -- "$BIN/encode-audio" --input tone.wav --as tokens --output x
check '--input is missing' 2 '' '--input is missing' -- encode --as tokens
check '--as is missing' 2 '' '--as is missing' -- encode --input tone.wav
check 'another --as' 2 '' "'--as'.*midi" -- encode --input tone.wav --as midi
check '--output is missing' 2 '' '--output is missing' -- "$BIN/encode-audio" --model "$MELODY_MODEL" --input tone.wav --as tokens
check 'duration 0' 2 '' "'--duration' cannot be 0" -- encode --input tone.wav --as melody --duration 0
check 'a day' 2 '' "'--duration' cannot be 86400" -- encode --input tone.wav --as melody --duration 86400

# --- tokens ---
check 'tokens' 0 '' '' -- encode --input tone.wav --as tokens
that 'a partial last frame is padded: 101' shape_is out.tokens 4 101
that 'the recipe knows the input' recipe_has out.tokens "\\\"input\\\":\\\"$(sha256sum tone.wav | cut -d' ' -f1)\\\""
that 'the rates' recipe_has out.tokens '\"sample_rate\":32000'
check 'once more' 0 '' '' -- encode --input tone.wav --as tokens --output again.tokens
that 'the same bytes' cmp out.tokens again.tokens
check 'in short chunks' 0 '' '' -- encode --input tone.wav --as tokens --output small.tokens --memory 12M
that 'the same codes' cmp <(numbers out.tokens) <(numbers small.tokens)
check 'a limit that nothing fits' 1 '' 'encoding needs .* 1\.00 MB allowed; give --memory [0-9]+M or more$' -- encode --input tone.wav --as tokens --memory 1M
check 'only the first second' 0 '' '' -- encode --input tone.wav --as tokens --duration 1 --output first.tokens
that 'is 50 frames' shape_is first.tokens 4 50
for file in high.wav tone.mp3; do
    check "$file" 0 '' '' -- encode --input $file --as tokens
    that 'is 2 s' shape_is out.tokens 4 100
done
check 'three channels' 0 '' '' -- encode --input three.flac --as tokens
that 'are one' shape_is out.tokens 4 50
check 'one sample' 0 '' '' -- encode --input one.wav --as tokens
that 'is one frame' shape_is out.tokens 4 1
check 'silence' 0 '' '' -- encode --input silence.wav --as tokens
check 'progress' 0 '' '"stage":"encode","done":64320,"total":64320' -- encode --input tone.wav --as tokens --progress json
check 'decode-audio takes them' 0 '' '' -- "$BIN/decode-audio" --model "$MELODY_MODEL" --tokens again.tokens --output back.wav
check 'a text model encodes too' 0 '' '' -- "$BIN/encode-audio" --model "$MODEL" --input tone.wav --as tokens --output demo.tokens
that 'at its own rate' recipe_has demo.tokens '\"sample_rate\":16000'

# --- melody ---
check 'a melody' 0 '' '' -- encode --input tone.wav --as melody --output a.melody
that 'is a window of 235 frames' shape_is a.melody 1 235
that 'of one note, A' test "$(numbers a.melody | sort -u | tr -d ' ')" = 9
check 'silence' 0 '' '' -- encode --input silence.wav --as melody --output s.melody
that 'is bin 0' test "$(numbers s.melody | sort -u | tr -d ' ')" = 0
check 'one sample' 0 '' '' -- encode --input one.wav --as melody --output o.melody
that 'fills a window too' shape_is o.melody 1 235
check 'of 30 s' 0 '' '' -- encode --input high.wav --as melody --duration 30 --output b.melody
that 'is one window' shape_is b.melody 1 235
check 'of 60 s' 0 '' '' -- encode --input sides.wav --as melody --duration 60 --output c.melody
that 'are three windows' shape_is c.melody 3 235
that 'whose step is known' recipe_has c.melody '\"stride_frames\":900'
check 'a limit' 1 '' 'the melody of a piece of 3 windows needs .*; 4\.00 MB allowed' -- encode --input sides.wav --as melody --duration 60 --memory 4M
check 'no melody for a text model' 1 '' "follows no melody: use a melody model" -- "$BIN/encode-audio" --model "$MODEL" --input tone.wav --as melody --output x

# --- refusals ---
check 'no such file' 1 '' "'missing.wav'" -- encode --input missing.wav --as tokens --output no.tokens
check 'no audio' 1 '' "'again.tokens'" -- encode --input again.tokens --as tokens --output no.tokens
check 'a truncated file' 1 '' "'cut.wav'" -- encode --input cut.wav --as melody --output no.tokens
check 'a file without sound' 1 '' "'none.wav'" -- encode --input none.wav --as tokens --output no.tokens
check 'samples that are no numbers' 1 '' "'nan.wav' holds a sample that is not a finite number, at frame 3[0-9][0-9]" -- encode --input nan.wav --as tokens --output no.tokens
check 'a full disk' 1 '' "'/dev/full'.*[Nn]o space left" -- encode --input tone.wav --as tokens --output /dev/full
check 'no such model' 1 '' "model 'nobody/nothing'" -- "$BIN/encode-audio" --model nobody/nothing --input tone.wav --as tokens --output no.tokens
that 'no failure left a file' test ! -e no.tokens
cat >jobs <<'END'
{"input": "tone.wav", "as": "tokens", "output": "j.tokens"}
{"input": "missing.wav", "as": "melody", "output": "no.melody"}
{"input": "tone.wav", "as": "melody", "duration": 31, "output": "j.melody"}
END
check 'jobs of both kinds, one of them bad' 1 '"output":"j.tokens","status":"done".*"frames":101.*"status":"failed".*"windows":2,"frames":235|"frames":235.*"windows":2' 'missing.wav' -- \
    "$BIN/encode-audio" --model "$MELODY_MODEL" --device cpu --jobs jobs
that 'the first is as by flags' cmp j.tokens again.tokens

# --- following and continuing ---
sample() { "$BIN/sample-tokens" --model "$MELODY_MODEL" --device cpu --condition c --output t.tokens "$@"; }
that 'a condition' "$BIN/encode-text" --model "$MELODY_MODEL" --prompt 'drums and bass' --output c
that 'no condition' "$BIN/encode-text" --model "$MELODY_MODEL" --prompt '' --output nothing
check 'a melody is followed' 0 '' '' -- sample --melody a.melody --duration 2 --output with.tokens
that 'the recipe says which' recipe_has with.tokens '\"melody\":{\"as\":\"melody\"'
check 'text only' 0 '' '' -- sample --duration 2 --output without.tokens
that 'is another take' test "$(numbers with.tokens | sha256sum)" != "$(numbers without.tokens | sha256sum)"
check 'a silent melody' 0 '' '' -- sample --melody s.melody --duration 2 --output silent.tokens
that 'is none' cmp <(numbers silent.tokens) <(numbers without.tokens)
check 'a melody without text' 0 '' '' -- sample --condition nothing --melody a.melody --duration 2 --output tune.tokens
check 'unconditional' 0 '' '' -- sample --condition nothing --duration 2 --output free.tokens
that 'is another take' test "$(numbers tune.tokens | sha256sum)" != "$(numbers free.tokens | sha256sum)"
check 'without guidance' 0 '' '' -- sample --melody a.melody --guidance 1 --duration 1
check 'two windows of a melody' 0 'in 2 windows' '' -- sample --melody c.melody --duration 40 --dry-run
check 'too few windows' 1 '' "'a.melody' has 1 window, 2 are needed: make it again with encode-audio --duration 48$" -- sample --melody a.melody --duration 40 --dry-run
check 'another stride' 1 '' "'c.melody' is for windows 18 s apart, these are 10 s apart: leave --extend-stride out" -- sample --melody c.melody --duration 40 --extend-stride 10 --dry-run
check 'prefixes are in the memory plan' 0 'prefixes +[1-9].*scratch' '' -- sample --melody a.melody --duration 5 --dry-run
check 'a melody for a text model' 2 '' "'--melody a.melody': '.*' follows no melody: use a melody model" -- "$BIN/sample-tokens" --model "$MODEL" --condition c --melody a.melody --output x
check 'a melody that is none' 1 '' "'c': format is 'leitmotif.condition/1', expected 'leitmotif.melody/1'" -- sample --melody c
printf '%s\n' '{"condition":"c","melody":"a.melody","duration":2,"output":"k1.tokens"}' '{"condition":"c","duration":2,"output":"k2.tokens"}' >jobs
check 'jobs with and without, side by side' 0 '("status":"done".*){2}' '' -- "$BIN/sample-tokens" --model "$MELODY_MODEL" --device cpu --jobs jobs
that 'each as alone' cmp with.tokens k1.tokens
that 'each as alone' cmp without.tokens k2.tokens

# --- splice: a chain of two continuations keeps its real beginning ---
check 'continued' 0 '' '' -- sample --continue again.tokens --duration 1 --output more.tokens
check 'and again' 0 '' '' -- sample --continue more.tokens --duration 1 --output most.tokens
that 'the first link is known' recipe_has most.tokens '\"continued_frames\":101'
decode() { "$BIN/decode-audio" --model "$MELODY_MODEL" --device cpu --tokens most.tokens "$@"; }
bytes_between() { tail -c +$((59 + 4 * $2)) "$1" | head -c $((4 * ($3 - $2))); } # WAV FIRST-SAMPLE END
ffmpeg -v error -nostdin -y -i tone.wav -c:a pcm_f32le float.wav
length=64320 fade=640
check 'decoded' 0 '' '' -- decode --output plain.wav
check 'spliced' 0 '' '' -- decode --splice tone.wav --output spliced.wav
that 'as long' test "$(stat -c %s plain.wav)" -eq "$(stat -c %s spliced.wav)"
tail -c $((4 * length)) float.wav >samples
that 'the original until the fade' cmp <(bytes_between spliced.wav 0 $((length - fade))) <(head -c $((4 * (length - fade))) samples)
that 'the continuation after it' cmp <(bytes_between spliced.wav $length 170000) <(bytes_between plain.wav $length 170000)
fade_between() { ! cmp -s <(bytes_between spliced.wav $((length - fade)) $length) <(bytes_between plain.wav $((length - fade)) $length); }
that 'in the fade neither' fade_between
check 'another rate' 0 '' "'high.wav' is not the file that was encoded" -- decode --splice high.wav --output other.wav
that 'as long' test "$(stat -c %s plain.wav)" -eq "$(stat -c %s other.wav)"
check 'one sample' 0 '' 'is not the file' -- decode --splice one.wav --output other.wav
check 'tokens that continue nothing' 1 '' "'--splice tone.wav': the tokens do not say that they continue anything" -- decode --tokens again.tokens --splice tone.wav --output no.wav
check 'an original that is missing' 1 '' "'--splice missing.wav': .*missing.wav" -- decode --splice missing.wav --output no.wav
check 'an original that is no sound' 1 '' "'again.tokens'" -- decode --splice again.tokens --output no.wav
that 'no refusal left a file' test ! -e no.wav
finish
