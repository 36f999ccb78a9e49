#!/usr/bin/env bash
# What is made, what is not made again, and why: leitmotif over stage programs that only pretend.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"
. "$(dirname "$0")/fakes/setup.bash"

anew
check 'plan before the first render' 0 '^theme: make, not made yet: encode-text, sample-tokens, decode-audio, transcode, verify
.*4 of 4 results to make: encode-text 3, sample-tokens 4, decode-audio 4, transcode 4, verify 8$' '' -- "$LEITMOTIF" plan "$WORK/game.yaml"
that 'plan starts no program' idle
that 'plan makes no workspace' test ! -e "$LEITMOTIF_WORKSPACE"

check 'first render' 0 'theme: 10.0 s, theme.ogg, seed [0-9]+, made in' 'page: .*/game/index.html' -- "$LEITMOTIF" render "$WORK/game.yaml"
that 'a line for each result' test "$(grep -c ', made in ' "$OUT")" -eq 4
that 'each neural program ran once, for all' started 'encode-text 3' 'sample-tokens 4' 'decode-audio 4'
that 'every result is there' complete
that 'a report' test -s "$GAME/report.json"
that 'an info file' test -s "$GAME/soundtrack_info.txt"

snapshot >"$WORK/first"
rm "$FAKE_LOG"
ls -i --full-time "$GAME"/*.ogg >"$WORK/before"
check 'plan with nothing to do' 0 'theme: up to date
.*0 of 4 results to make$' '' -- "$LEITMOTIF" plan "$WORK/game.yaml"
check 'second render' 0 'theme: 10.0 s, theme.ogg, seed [0-9]+, reused' 'page:' -- "$LEITMOTIF" render "$WORK/game.yaml"
that 'the second render starts no program' idle
ls -i --full-time "$GAME"/*.ogg >"$WORK/after"
that 'equal release files are left alone' cmp "$WORK/before" "$WORK/after"
snapshot >"$WORK/second"
that 'the second render changes nothing' cmp "$WORK/first" "$WORK/second"
check 'quiet' 0 'theme: ' '' -- "$LEITMOTIF" render --quiet "$WORK/game.yaml"

sed -i 's/fast drums/slow drums/' "$WORK/game.yaml"
check 'plan after a change of one prompt' 0 'theme: up to date
.*battle: make, its recipe changed: encode-text, sample-tokens, decode-audio, transcode, verify
  prompt: "fast drums" -> "slow drums"
.*1 of 4 results to make: encode-text 1, sample-tokens 1, decode-audio 1, transcode 1, verify 2$' '' -- "$LEITMOTIF" plan "$WORK/game.yaml"
check 'render after it' 0 'theme: .*reused
.*battle: .*made in' '.*' -- "$LEITMOTIF" render "$WORK/game.yaml"
that 'makes that track alone' started 'encode-text 1' 'sample-tokens 1' 'decode-audio 1'
that 'transcodes it alone' test "$(starts transcode)" -eq 1

rm "$FAKE_LOG"
sed -i 's/slow drums/fast drums/' "$WORK/game.yaml"
check 'back to the old prompt' 0 'battle: .*reused' '.*' -- "$LEITMOTIF" render "$WORK/game.yaml"
that 'starts nothing: it is still stored' idle

sed -i 's/{format: ogg}/{format: ogg, quality: 3}/' "$WORK/game.yaml"
check 'plan after a change of outputs' 0 'make, its recipe changed: transcode, verify
  outputs: .*4 of 4 results to make: transcode 4, verify 4$' '' -- "$LEITMOTIF" plan "$WORK/game.yaml"
check 'render after it' 0 'theme: .*made' '.*' -- "$LEITMOTIF" render "$WORK/game.yaml"
that 'starts no neural program' started

anew
sed -i 's/{format: ogg}/{format: ogg}, {format: flac}/; 2a verify: {max_silence: 2}' "$WORK/game.yaml"
"$LEITMOTIF" render -q "$WORK/game.yaml" >/dev/null
sed -i 's/max_silence: 2/max_silence: 3/' "$WORK/game.yaml"
check 'plan says once what differs for two files' 0 'theme: make, its recipe changed: verify
  max-silence: 2.0 -> 3.0
explore_1: make' '' -- "$LEITMOTIF" plan "$WORK/game.yaml"

anew
"$LEITMOTIF" render -q "$WORK/game.yaml" >/dev/null
rm "$FAKE_LOG"
echo mine >"$GAME/foreign.ogg"
project
check 'plan tells what it would remove' 0 "remove '.*/game/battle.ogg'" '' -- "$LEITMOTIF" plan "$WORK/game.yaml"
check 'a track left the project' 0 'theme: ' "removed '.*/battle.ogg'" -- "$LEITMOTIF" render "$WORK/game.yaml"
that 'its file is removed' test ! -e "$GAME/battle.ogg"
that 'a foreign file is left alone' test "$(cat "$GAME/foreign.ogg")" = mine

anew
check 'one track of all' 0 '^battle: .*made in' '.*' -- "$LEITMOTIF" render "$WORK/game.yaml" battle
that 'it alone has a line' test "$(wc -l <"$OUT")" -eq 1
that 'nothing else is made' started 'encode-text 1' 'sample-tokens 1' 'decode-audio 1'
check 'a track is all its variations' 0 '^explore_1: .*
explore_2: ' '.*' -- "$LEITMOTIF" render "$WORK/game.yaml" explore
that 'and no more' test "$(wc -l <"$OUT")" -eq 2
check 'one variation' 0 '^explore_2: .*reused$' '.*' -- "$LEITMOTIF" render "$WORK/game.yaml" explore_2
that 'and no other' test "$(wc -l <"$OUT")" -eq 1
that 'files of tracks not asked for stay' test -s "$GAME/battle.ogg"
check 'unknown track' 2 '' "has no track 'batle' \(did you mean 'battle'\?\)" -- "$LEITMOTIF" render "$WORK/game.yaml" batle

sed -i 's/fast drums/slow drums/; s/calm pads/wide pads/' "$WORK/game.yaml"
"$LEITMOTIF" render -q "$WORK/game.yaml" battle >/dev/null
check 'plan still says what changed of tracks not asked for' 0 'theme: make, not made yet: .*explore_2: make, its recipe changed: [a-z, -]*
  prompt: "calm pads" -> "wide pads"' '' -- "$LEITMOTIF" plan "$WORK/game.yaml"
sed -i 's/slow drums/fast drums/; s/wide pads/calm pads/' "$WORK/game.yaml"

rm "$FAKE_LOG"
check 'forced' 0 'battle: .*made in' '.*' -- "$LEITMOTIF" render --force "$WORK/game.yaml" battle
that 'makes everything of it again' started 'encode-text 1' 'sample-tokens 1' 'decode-audio 1'

"$LEITMOTIF" render -q "$WORK/game.yaml" >/dev/null
snapshot >"$WORK/first"
rm "$FAKE_LOG"
rm "$(find "$LEITMOTIF_WORKSPACE/store" -name tokens.safetensors | head -n 1)"
: >"$(find "$LEITMOTIF_WORKSPACE/store" -name audio.wav | head -n 1)"
check 'plan sees a lost and an emptied result' 0 'no longer stored.*sample-tokens 1, decode-audio 1$|no longer stored.*decode-audio 1, sample-tokens 1$' '' -- "$LEITMOTIF" plan "$WORK/game.yaml"
check 'and render makes them again' 0 '.*' '.*' -- "$LEITMOTIF" render "$WORK/game.yaml"
that 'and nothing else' started 'sample-tokens 1' 'decode-audio 1'
snapshot >"$WORK/second"
that 'with the same content' cmp "$WORK/first" "$WORK/second"

rm "$FAKE_LOG" "$GAME/theme.ogg"
check 'plan sees a lost release file' 0 'theme: copy its release files' '' -- "$LEITMOTIF" plan "$WORK/game.yaml"
check 'and render copies it' 0 'theme: .*reused' '.*' -- "$LEITMOTIF" render "$WORK/game.yaml"
that 'without any program' idle
that 'it is there' test -s "$GAME/theme.ogg"

anew
check 'progress for programs' 0 '.*' '^\{"job":1,"jobs":3,"stage":"encode-text","done":1,"total":3' -- "$LEITMOTIF" render --progress json "$WORK/game.yaml"
check 'another model for all' 1 '' "model 'large' is not in .*fetch-model large" -- env HF_HUB_CACHE="$WORK" HOME="$WORK" "$LEITMOTIF" render --model large "$WORK/game.yaml"
check 'plan without the model' 1 '' "fetch-model large" -- env HF_HUB_CACHE="$WORK" HOME="$WORK" "$LEITMOTIF" plan --model large "$WORK/game.yaml"
check 'no file' 2 '' 'render takes a FILE' -- "$LEITMOTIF" render
check 'a missing file' 1 '' "cannot open '.*/none.yaml'" -- "$LEITMOTIF" render "$WORK/none.yaml"
check 'no device' 2 '' "'--device gpu': expected" -- "$LEITMOTIF" render --device gpu "$WORK/game.yaml"
echo '  bad: {promt: x}' >>"$WORK/game.yaml"
check 'an invalid file' 2 '' "game.yaml:[0-9]+:[0-9]+: .*promt.*prompt" -- "$LEITMOTIF" render "$WORK/game.yaml"
check 'unknown command' 2 '' "unknown command 'rendr' \(did you mean 'render'\?\)" -- "$LEITMOTIF" rendr
check 'no command' 2 '' 'a command is missing' -- "$LEITMOTIF"
check 'help' 0 'Usage: leitmotif COMMAND.*render .*plan .*check .*new .*generate ' '' -- "$LEITMOTIF" --help
check 'help of a command' 0 'leitmotif render - .*--fail-fast' '' -- "$LEITMOTIF" render --help
check 'version' 0 '^leitmotif [0-9.]+$' '' -- "$LEITMOTIF" --version
finish
