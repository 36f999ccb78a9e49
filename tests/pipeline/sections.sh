#!/usr/bin/env bash
# Tracks with sections: which programs run and with what, and what is made again; then for real, with the demo model.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"
. "$(dirname "$0")/fakes/setup.bash"
export HF_HUB_CACHE=$WORK/hub HF_HOME=$WORK/home XDG_CACHE_HOME=$WORK/xdg AUDIOCRAFT_CACHE_DIR=$WORK/audiocraft
cd "$WORK" || exit 1
render() { "$LEITMOTIF" render game.yaml "$@"; }
plan() { "$LEITMOTIF" plan game.yaml; }
report() { # PYTHON: over r, the report's results by name
    python3 -c '
import json, sys
r = {result["name"]: result for result in json.load(open(sys.argv[1]))["results"]}
exec(sys.argv[2])' "$GAME/report.json" "$1"
}
recipe_of() { # NAME STAGE: the stored recipe
    local key
    key=$(python3 -c 'import json, sys; print(next(r["keys"][sys.argv[2]] for r in json.load(open(sys.argv[3]))["results"] if r["name"] == sys.argv[1]))' "$1" "$2" "$GAME/report.json")
    cat "$LEITMOTIF_WORKSPACE/store/${key:0:2}/${key:2}/recipe.json"
}

cat >game.yaml <<'YAML'
leitmotif: 1
title: game
model: demo
defaults: {duration: 7}
outputs: [{format: ogg}]
tracks:
  theme:
    sections:
      - {duration: 0.1, prompt: calm pads}
      - {duration: 0.2, prompt: loud brass}
      - {duration: 33.3, prompt: calm pads}
  plain: calm pads
YAML
check 'plan' 0 '^theme: make, not made yet: encode-text, sample-tokens, .*2 of 2 results to make: encode-text 2, sample-tokens 2, decode-audio 2' '' -- plan
check 'render' 0 'theme: .*made' '.*' -- render
that 'a prompt is encoded once, wherever it stands' started 'encode-text 2' 'sample-tokens 2' 'decode-audio 2'
that 'the program is told the starts, exact' grep -rqsE 'sample-tokens .*"section":\["0\.1=[^"]*/condition\.safetensors","0\.3=[^"]*/condition\.safetensors"\]' \
    "$LEITMOTIF_WORKSPACE/store" --include=tokens.safetensors
cat >sections.py <<'PY'
import json, sys
recipe = json.load(sys.stdin)
first, third = recipe["inputs"]["condition"][0], recipe["inputs"]["section"][1]
assert first == third != recipe["inputs"]["section"][0], recipe
assert recipe["options"]["section"] == [0.1, 0.3] and recipe["options"]["duration"] == 33.6, recipe
PY
that 'the recipe has the starts and the keys of the conditions' python3 sections.py < <(recipe_of theme sample-tokens)
that 'a track without has none' bash -c '! grep -q section' < <(recipe_of plain sample-tokens)
that 'the whole length is expected' grep -q '"expect-duration":33.6' < <(recipe_of theme 'verify theme.ogg')
that 'the tag names all of them' grep -q '"prompt=calm pads (0.1 s) | loud brass (0.2 s) | calm pads (33.3 s)"' < <(recipe_of theme transcode)
that 'the report has all of them' report '
assert [(s["start"], s["duration"], s["prompt"]) for s in r["theme"]["sections"]] == [(0, 0.1, "calm pads"), (0.1, 0.2, "loud brass"), (0.3, 33.3, "calm pads")]
keys = r["theme"]["keys"]
assert keys["encode-text"] == keys["encode-text section 3"] == r["plain"]["keys"]["encode-text"] != keys["encode-text section 2"]
assert r["theme"]["command"] is None and r["plain"]["sections"] is None and r["plain"]["command"]'
that 'so has the info file' grep -q '^  section   0.2 s: loud brass$' "$GAME/soundtrack_info.txt"
that 'so has the page' grep -q '<li><span>0.2 s</span> loud brass</li>' "$GAME/index.html"

rm "$FAKE_LOG"
check 'again' 0 'theme: .*reused' '.*' -- render
that 'nothing runs' idle
sed -i 's/loud brass/loud choir/' game.yaml
check 'plan after a change of one prompt' 0 'theme: make, its recipe changed: encode-text, sample-tokens, decode-audio, transcode, verify
  prompt: "loud brass" -> "loud choir"
.*plain: up to date
1 of 2 results to make: encode-text 1, sample-tokens 1, ' '' -- plan
check 'render after it' 0 'theme: .*made.*plain: .*reused|plain: .*reused.*theme: .*made' '.*' -- render
that 'makes that prompt and that track' started 'encode-text 1' 'sample-tokens 1' 'decode-audio 1'
rm "$FAKE_LOG"
sed -i 's/0.2,/0.3,/' game.yaml
check 'plan after a change of one duration' 0 'theme: make, its recipe changed: sample-tokens, decode-audio, transcode, verify
  duration: 33.6 -> 33.7
  section: \[0.1,0.3\] -> \[0.1,0.4\]
' '' -- plan
check 'render after it' 0 'theme: .*made' '.*' -- render
that 'encodes no prompt' started 'sample-tokens 1' 'decode-audio 1'
sed -i 's/33.3, prompt: calm pads/33.3, prompt: a quiet end/' game.yaml
check 'plan after a change of the one that shared its prompt' 0 'theme: make, its recipe changed: encode-text, .*
  prompt: "calm pads" -> "a quiet end"' '' -- plan
check 'a prompt that cannot be encoded' 1 'plain: .*reused' "'theme' failed: encode-text: told to fail" -- env FAKE_FAIL='encode-text a quiet end' "$LEITMOTIF" render game.yaml
check 'the next render' 0 'theme: .*made' '.*' -- render
that 'its sections have three conditions' report 'assert len({key for name, key in r["theme"]["keys"].items() if name.startswith("encode-text")}) == 3'
store_of() { find "$LEITMOTIF_WORKSPACE/store" -name recipe.json -exec grep -l "\"prompt\":\"$1\"" {} + | xargs dirname; }
rm -r "$(store_of 'a quiet end')"
check 'plan without a stored condition' 0 'theme: make, no longer stored, or not finished by the last render: encode-text
' '' -- plan

# --- one section is none; variations, continued, followed ---
tracks() { # LINE...: an empty workspace, and a project of these tracks
    rm -rf "$LEITMOTIF_WORKSPACE" "$FAKE_LOG"
    { printf '%s\n' 'leitmotif: 1' 'title: game' 'model: demo' 'outputs: [{format: ogg}]' 'tracks:' && printf '  %s\n' "$@"; } >game.yaml
}
tracks 'a: {prompt: rain, duration: 12}'
render >/dev/null 2>&1
sed -i 's/{prompt: rain, duration: 12}/{sections: [{duration: 12, prompt: rain}]}/' game.yaml
rm "$FAKE_LOG"
check 'a track with one section' 0 'a: .*made' '.*' -- render
that 'is the one without: its tokens are there' started
tracks 'a: {variations: 3, sections: [{duration: 2, prompt: x}, {duration: 2, prompt: y}]}' 'b: {continue: a_2, sections: [{duration: 1.5, prompt: z}, {duration: 0.5, prompt: x}]}'
check 'variations, and one of them continued' 0 'b: .*made' '.*' -- render
that 'three prompts, four takes' started 'encode-text 3' 'sample-tokens 3' 'sample-tokens 1' 'decode-audio 4'
that 'the starts are those of new seconds' grep -q '"section":\[1.5\]' < <(recipe_of b sample-tokens)
that 'the length is old plus new' grep -q '"expect-duration":6.0' < <(recipe_of b 'verify b.ogg')
that 'the page says how it is made again' grep -q 'only: it continues a_2\.' "$GAME/index.html"
mkdir m
echo '{"model_type": "musicgen_melody", "text_encoder": {"model_type": "t5"}, "decoder": {"num_codebooks": 4}, "audio_encoder": {"model_type": "encodec",
 "sampling_rate": 32000, "codebook_size": 2048, "upsampling_ratios": [8,5,4,4], "use_causal_conv": false, "use_conv_shortcut": false}}' >m/config.json
echo weights >m/model.safetensors
echo tune >tune.wav
tracks 'a: {model: ./m, melody: tune.wav, sections: [{duration: 40, prompt: x}, {duration: 2, prompt: y}]}'
check 'a melody under sections' 0 'a: .*made' '.*' -- render
that 'is encoded for all of them' grep -q '"as":"melody","duration":42.0' < <(recipe_of a 'encode-audio melody')
that 'and followed' grep -q '"melody":\["[^]]*\],"section":\["' < <(recipe_of a sample-tokens)

# --- for real ---
unset LEITMOTIF_TOOLS
tracks 'changing: {seed: 5, sections: [{duration: 0.62, prompt: calm pads}, {duration: 0.1, prompt: loud brass}, {duration: 0.51, prompt: calm pads}]}' \
    'calm: {seed: 5, prompt: calm pads, duration: 1.23}'
check 'the demo model' 0 '1.2 s' '.*' -- render
cat >tokens.py <<'PY'
import glob, json, struct, sys
codes, starts = {}, {}
for path in glob.glob(sys.argv[1] + "/store/*/*/tokens.safetensors"):
    data = open(path, "rb").read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    recipe = json.loads(header["__metadata__"]["recipe"])
    count, frames = header["codes"]["shape"]
    numbers = struct.unpack("<%di" % (count * frames), data[8 + length:][header["codes"]["data_offsets"][0]:][:4 * count * frames])
    name = "changing" if len(recipe["sections"]) > 1 else "calm"
    codes[name] = [numbers[q * frames:(q + 1) * frames] for q in range(count)]
    starts[name] = [(section["frame"], section["condition"]["prompt"]) for section in recipe["sections"]]
assert starts["changing"] == [(0, "calm pads"), (31, "loud brass"), (36, "calm pads")], starts
same = [all(codes["changing"][q][frame] == codes["calm"][q][frame] for q in range(len(codes["calm"]))) for frame in range(61)]
assert all(len(row) == 61 for row in codes["changing"] + codes["calm"])
assert all(same[:28]) and not all(same[31:36]), same  # the last 3 frames of a window know that it ends
PY
that 'the change falls on its frame, and nothing before it moves' python3 tokens.py "$LEITMOTIF_WORKSPACE"
that 'the release file is tagged' grep -aq 'calm pads (0.62 s) | loud brass (0.1 s) | calm pads (0.51 s)' "$GAME/changing.ogg"
finish
