#!/usr/bin/env bash
# Tracks that follow a melody, and tracks that continue others or an audio file: which programs run, with what, and what
# is made again. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"
. "$(dirname "$0")/fakes/setup.bash"
export HF_HUB_CACHE=$WORK/hub HF_HOME=$WORK/home XDG_CACHE_HOME=$WORK/xdg AUDIOCRAFT_CACHE_DIR=$WORK/audiocraft
cd "$WORK" || exit 1

# Models by their configuration alone: the fakes open no weights.
model() { # FOLDER MODEL_TYPE RATE RATIOS
    mkdir -p "$1"
    cat >"$1/config.json" <<JSON
{"model_type": "$2", "text_encoder": {"model_type": "t5"}, "decoder": {"num_codebooks": 4},
 "audio_encoder": {"model_type": "encodec", "sampling_rate": $3, "codebook_size": 2048, "upsampling_ratios": $4,
  "use_causal_conv": false, "use_conv_shortcut": false}}
JSON
    echo "weights of $1" >"$1/model.safetensors"
}
model m/follows musicgen_melody 32000 '[8,5,4,4]'
model m/plain musicgen 32000 '[8,5,4,4]'
model m/effects musicgen 16000 '[8,5,4,2]'
mkdir tunes
echo 'a tune' >tunes/one.wav
echo 'another' >tunes/two.wav

tracks() { # [LINE...]: an empty workspace, and a project of these tracks
    rm -rf "$LEITMOTIF_WORKSPACE" "$FAKE_LOG"
    { printf '%s\n' 'leitmotif: 1' 'title: game' 'model: m/plain' 'outputs: [{format: ogg}]' 'tracks:' && printf '  %s\n' "$@"; } >game.yaml
}
render() { "$LEITMOTIF" render "$@"; }

recipes() { # PROGRAM: every stored recipe of a program, sorted
    find "$LEITMOTIF_WORKSPACE/store" -name recipe.json -exec grep -hs "\"tool\":\"$1\"" {} + | sort
}
result_of() { # NAME STAGE: the key of a result's stage, by the report
    python3 -c 'import json, sys; print(next(r["keys"][sys.argv[2]] for r in json.load(open(sys.argv[3]))["results"] if r["name"] == sys.argv[1]))' "$1" "$2" "$GAME/report.json"
}
input_of() { # KEY OPTION: the result that an option of a stored recipe names
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["inputs"][sys.argv[2]][0])' "$LEITMOTIF_WORKSPACE/store/${1:0:2}/${1:2}/recipe.json" "$2"
}

# --- a melody ---
tracks 'ocarina: {model: m/follows, melody: tunes/one.wav, prompt: a flute, duration: 12}' \
    'harp: {model: m/follows, melody: tunes/two.wav, prompt: a harp}' 'free: {model: m/follows, prompt: no melody}'
check 'plan of melodies' 0 '^ocarina: make, not made yet: encode-text, encode-audio, sample-tokens, decode-audio, transcode, verify..*free: make, not made yet: encode-text, sample-tokens, decode-audio, .*3 of 3 results to make: encode-text 3, encode-audio 2, sample-tokens 3' '' \
    -- "$LEITMOTIF" plan game.yaml
check 'render of melodies' 0 'ocarina: .*made' '.*' -- render game.yaml
that 'each program runs once' started 'encode-text 3' 'encode-audio 2' 'sample-tokens 3' 'decode-audio 3'
hash=$(sha256sum <tunes/one.wav | cut -d' ' -f1)
recipes encode-audio >told
that 'the recipe has the content of the file' grep -qE '"files":\{"input":"'"$hash"'"\},"inputs":\{\},"model":"[0-9a-f]{64}","options":\{"as":"melody","duration":12.0\}' told
that 'and no path' bash -c '! grep -q tunes told'
that 'the tokens take the melody' test "$(input_of "$(result_of ocarina sample-tokens)" melody)" = "$(result_of ocarina 'encode-audio melody')/encoded.safetensors"
that 'the program is told the path' grep -rqs 'encode-audio .*"input":"./tunes/one.wav"' "$LEITMOTIF_WORKSPACE/store" --include=encoded.safetensors
that 'the report names it' grep -q '"melody": "tunes/one.wav"' "$GAME/report.json"
that 'the page names it' grep -q '<dt>melody</dt><dd>tunes/one.wav</dd>' "$GAME/index.html"
that 'the command names it' grep -q -- '--melody ./tunes/one.wav --seed' "$GAME/report.json"
that 'the file says so' grep -aq 'melody one.wav' "$GAME/ocarina.ogg"
rm "$FAKE_LOG"
check 'again' 0 'ocarina: .*reused' '.*' -- render game.yaml
that 'nothing runs' idle
touch tunes/one.wav
check 'a touched file' 0 'ocarina: .*reused' '.*' -- render game.yaml
that 'changes nothing' idle
echo 'a new tune' >tunes/one.wav
check 'plan after a change of one melody' 0 'ocarina: make, its recipe changed: encode-audio, sample-tokens, decode-audio, transcode, verify.  input: "[0-9a-f]{50,}.* -> .*1 of 3 results to make' '' -- "$LEITMOTIF" plan game.yaml
check 'render after it' 0 'harp: .*reused.*.ocarina: .*made' '.*' -- render game.yaml
that 'makes that track alone' started 'encode-audio 1' 'sample-tokens 1' 'decode-audio 1'
tracks 'a: {model: m/follows, melody: tunes/one.wav, prompt: x}' 'b: {model: m/follows, melody: ./tunes/../tunes/one.wav, prompt: y}'
check 'one melody by two names' 0 'a: .*made' '.*' -- render game.yaml
that 'is encoded once' started 'encode-text 2' 'encode-audio 1' 'sample-tokens 2' 'decode-audio 2'

tracks 'a: {model: m/follows, melody: tunes/none.wav, prompt: x}'
check 'a melody that is missing: check' 2 '' "^game\.yaml:6:33: 'melody': cannot open '\./tunes/none\.wav': No such file or directory$" -- "$LEITMOTIF" check game.yaml
check 'a melody that is missing: render' 2 '' "game\.yaml:6:33: 'melody': cannot open" -- render game.yaml
that 'nothing runs' idle
tracks 'a: {melody: tunes/one.wav, prompt: x}'
check 'no melody model: check' 2 '' "^game\.yaml:6:15: 'melody': 'plain' is no melody model; use one, such as 'model: melody', or remove the key$" -- "$LEITMOTIF" check game.yaml
check 'no melody model: render' 2 '' "game\.yaml:6:15: .*no melody model.*.leitmotif: 'game\.yaml': 1 problem" -- render game.yaml
check 'no melody model: plan' 2 '' "game\.yaml:6:15: .*no melody model" -- "$LEITMOTIF" plan game.yaml
check '--model decides' 0 'a: .*made' '.*' -- render --model ./m/follows game.yaml
tracks 'a: {melody: tunes/one.wav, prompt: x, model: nobody/nothing}'
check 'a model that is not here: check' 0 'ok' 'game\.yaml:6:48: warning: .*nobody/nothing' -- "$LEITMOTIF" check game.yaml

mkdir tools
cp -P "$LEITMOTIF_TOOLS"/* tools/
rm tools/encode-audio
printf '#!/bin/bash\necho "while it was used" >tunes/one.wav\nexec "%s/encode-audio" "$@"\n' "$LEITMOTIF_TOOLS" >tools/encode-audio
chmod +x tools/encode-audio
tracks 'a: {model: m/follows, melody: tunes/one.wav, prompt: x}'
check 'a file that changes on the way' 1 '' "'a' failed: encode-audio melody: '\./tunes/one\.wav' changed while it was used; render again" \
    -- env LEITMOTIF_TOOLS="$WORK/tools" "$LEITMOTIF" render game.yaml
check 'the next render' 0 'a: .*made' '.*' -- render game.yaml

check 'generate with a melody' 0 'one.ogg, seed 1, made' '' -- "$LEITMOTIF" generate --model ./m/follows --melody tunes/one.wav --seed 1 -o one.ogg x
check 'generate: no melody model' 2 '' "^leitmotif: '--melody': 'plain' is no melody model; use one, such as --model melody$" -- "$LEITMOTIF" generate --model ./m/plain --melody tunes/one.wav -o two.ogg x
check 'generate does not replace its melody' 2 '' "'tunes/one.wav' cannot be both input and output" -- "$LEITMOTIF" generate --model ./m/follows --melody tunes/one.wav --force -o tunes/one.wav x
check 'generate: no file' 1 '' "^leitmotif: '--melody': cannot open 'none.wav': No such file" -- "$LEITMOTIF" generate --model ./m/follows --melody none.wav -o two.ogg x

# --- continued tracks ---
tracks 'c: {prompt: third, duration: 4.05, continue: b}' 'b: {prompt: second, duration: 3.37, continue: a}' 'a: {prompt: first, duration: 2.01}' \
    'other: {prompt: beside it}'
check 'plan of a chain' 0 '4 of 4 results to make: encode-text 4, sample-tokens 4, decode-audio 4, transcode 4, verify 8$' '' -- "$LEITMOTIF" plan game.yaml
check 'render of a chain' 0 'c: .*made' '.*' -- render game.yaml
that 'runs in three waves, and decodes all at once' started 'encode-text 4' 'sample-tokens 2' 'sample-tokens 1' 'sample-tokens 1' 'decode-audio 4'
that 'b continues a' test "$(input_of "$(result_of b sample-tokens)" continue)" = "$(result_of a sample-tokens)/tokens.safetensors"
that 'c continues b' test "$(input_of "$(result_of c sample-tokens)" continue)" = "$(result_of b sample-tokens)/tokens.safetensors"
recipes verify >told
that 'a is expected to last as long as was asked' grep -q 'a.ogg.*"expect-duration":2.0099' told
that 'b as long as both, in whole frames' grep -q 'b.ogg.*"expect-duration":5.3600000' told
that 'c as long as all three' grep -q 'c.ogg.*"expect-duration":9.4000000' told
that 'new seconds are what is sampled' grep -q '"duration":3.37' <(recipes sample-tokens)
that 'there is no command for b' python3 -c '
import json, sys; r = {r["name"]: r for r in json.load(open(sys.argv[1]))["results"]}
assert r["b"]["command"] is None and r["b"]["settings"]["continue"] == "a" and r["a"]["settings"]["continue"] is None and r["a"]["command"]' "$GAME/report.json"
that 'the page says why' grep -q 'Made again by a render of the project only: it continues a\.' "$GAME/index.html"
rm "$FAKE_LOG"
sed -i 's/second/2nd/' game.yaml
check 'a change in the middle' 0 '^a: .*reused.*.other: .*reused' '.*' -- render game.yaml
that 'and of what comes after' test "$(grep -cE '^[bc]: .*made in' "$OUT")" -eq 2
that 'makes what comes after again' started 'encode-text 1' 'sample-tokens 1' 'sample-tokens 1' 'decode-audio 2'

tracks 'c: {prompt: third, continue: b}' 'b: {prompt: second, continue: a}' 'a: first' 'other: beside it'
check 'plan of one track of a chain' 0 '^b: make, not made yet: encode-text, sample-tokens, decode-audio, transcode, verify.a: make what others need of it, not made yet: encode-text, sample-tokens.1 of 1 results to make: encode-text 2, sample-tokens 2, decode-audio 1, transcode 1, verify 2$' '' -- "$LEITMOTIF" plan game.yaml b
check 'render of it' 0 '^b: .*made' '.*' -- render game.yaml b
that 'makes only what is needed' started 'encode-text 2' 'sample-tokens 1' 'sample-tokens 1' 'decode-audio 1'
that 'the track it continues is not published' test ! -e "$GAME/a.ogg"
that 'the report says that it was not made' python3 -c '
import json, sys; r = {r["name"]: r["status"] for r in json.load(open(sys.argv[1]))["results"]}
assert r == {"a": "not_made", "b": "done", "c": "not_made", "other": "not_made"}, r' "$GAME/report.json"
rm "$FAKE_LOG"
check 'again by force' 0 'b: .*made' '.*' -- render --force game.yaml b
that 'makes it alone: the other was not asked for' started 'encode-text 1' 'sample-tokens 1' 'decode-audio 1'
rm "$FAKE_LOG"
rm -r "$LEITMOTIF_WORKSPACE/store/$(result_of a sample-tokens | sed 's#^..#&/#')"
check 'without the tokens that it continued' 0 'b: .*reused' '.*' -- render game.yaml b
that 'it is there all the same' idle
check 'then what continues it' 0 '^c: .*made' '.*' -- render game.yaml c
that 'takes its tokens' started 'encode-text 1' 'sample-tokens 1' 'decode-audio 1'

tracks 'c: {prompt: third, continue: b}' 'b: {prompt: second, continue: a}' 'a: {prompt: first, seed: 5}' 'other: beside it'
check 'a failure at the beginning' 1 'other: .*made' "'b' failed: 'a', which it continues: sample-tokens: told to fail" \
    -- env FAKE_FAIL='sample-tokens "seed":5' "$LEITMOTIF" render game.yaml
that 'what does not depend on it is made' test "$(ls "$GAME"/*.ogg)" = "$GAME/other.ogg"
check 'plan after it' 0 '3 of 4 results to make: sample-tokens 3, decode-audio 3' '' -- "$LEITMOTIF" plan game.yaml
rm "$FAKE_LOG"
check 'the next render makes the rest' 0 'c: .*made' '.*' -- render game.yaml
that 'in three waves' started 'sample-tokens 1' 'sample-tokens 1' 'sample-tokens 1' 'decode-audio 3'
tracks 'b: {prompt: second, continue: a}' 'a: {prompt: first, model: m/effects}'
check 'another codec' 2 '' "^game\.yaml:6:33: 'continue': 'a' is by 'effects' \(16000 Hz, .*, which 'plain' \(32000 Hz, .*\) cannot continue$" -- "$LEITMOTIF" check game.yaml
check 'another codec: render' 2 '' "game\.yaml:6:33: 'continue'" -- render game.yaml
check 'one model for all' 0 'b: .*made' '.*' -- render --model ./m/effects game.yaml
tracks 'b: {prompt: second, continue: a}' 'a: {prompt: first, model: nobody/nothing}' 'other: beside it'
check 'a missing model of a track that is needed' 1 '' "^leitmotif: model 'nobody/nothing' is not in " -- render game.yaml b
check 'of one that is not' 0 '^other: .*made' '.*' -- render game.yaml other
tracks 'b: {prompt: second, continue: a}' 'a: {prompt: first, continue: b}'
check 'a circle' 2 '' "^game\.yaml:6:33: 'continue': it goes round in a circle: 'b' -> 'a' -> 'b'; let one of them begin.leitmotif: 'game\.yaml': 1 problem$" -- render game.yaml
tracks 'x: {prompt: first, variations: 2}' 'y: {prompt: second, continue: x}' 'z: {prompt: second, continue: x_2}'
check 'variations' 0 'y: .*made' '.*' -- render game.yaml
that 'the first is meant' test "$(input_of "$(result_of y sample-tokens)" continue)" = "$(result_of x_1 sample-tokens)/tokens.safetensors"
that 'or the one that is named' test "$(input_of "$(result_of z sample-tokens)" continue)" = "$(result_of x_2 sample-tokens)/tokens.safetensors"
tracks 'end: {prompt: x, model: m/follows, melody: tunes/two.wav, continue: start, duration: 3}' 'start: {prompt: y, model: m/plain, duration: 5}'
check 'a melody for what continues' 0 'end: .*made' '.*' -- render game.yaml
that 'is encoded for the new seconds and a window before them' grep -q '"as":"melody","duration":33.0' <(recipes encode-audio)
that 'two models, each stage once for each' started 'encode-text 1' 'encode-text 1' 'encode-audio 1' 'sample-tokens 1' 'sample-tokens 1' 'decode-audio 1' 'decode-audio 1'

# --- a continued audio file ---
tracks 'c: {prompt: third, continue: b}' 'b: {prompt: second, continue: tunes/two.wav}' 'a: first'
check 'plan of a continued file' 0 'encode-text 3, encode-audio 1, sample-tokens 3' '' -- "$LEITMOTIF" plan game.yaml
check 'render of it' 0 'b: .*made' '.*' -- render game.yaml
that 'in two waves' started 'encode-text 3' 'encode-audio 1' 'sample-tokens 2' 'sample-tokens 1' 'decode-audio 3'
hash=$(sha256sum <tunes/two.wav | cut -d' ' -f1)
that 'it is encoded whole' grep -qE '"files":\{"input":"'"$hash"'"\},.*"options":\{"as":"tokens"\}' <(recipes encode-audio)
that 'b continues it' test "$(input_of "$(result_of b sample-tokens)" continue)" = "$(result_of b 'encode-audio tokens')/encoded.safetensors"
that 'its own sound is put back, also in what continues b' test "$(recipes decode-audio | grep -c '"files":{"splice":"'"$hash"'"}')" -eq 2
that 'nobody judges the tokens of the two' test "$(recipes verify | grep -c tokens.safetensors)" -eq 1
that 'no duration is expected of the two' test "$(recipes verify | grep 'expect-codec' | grep -vc 'expect-duration')" -eq 2
rm "$FAKE_LOG"
echo 'longer than before' >tunes/two.wav
check 'a change of the file' 0 '^a: .*reused' '.*' -- render game.yaml
that 'and of all that begins with it' test "$(grep -cE '^[bc]: .*made in' "$OUT")" -eq 2
that 'makes all that begins with it again' started 'encode-audio 1' 'sample-tokens 1' 'sample-tokens 1' 'decode-audio 2'
tracks 'b: {prompt: second, continue: tunes/too.wav}'
check 'neither track nor file' 2 '' "^game\.yaml:6:33: 'continue': there is no track 'tunes/too\.wav' and no file '\./tunes/too\.wav'$" -- "$LEITMOTIF" check game.yaml
finish
