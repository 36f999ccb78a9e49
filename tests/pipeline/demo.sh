#!/usr/bin/env bash
# The chain for real: the stage programs, the demo model, tracks of a second. The same tokens whatever is rendered beside them,
# nothing made twice, and killed in the middle it finishes. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"
ulimit -c 0
LEITMOTIF=$BIN/leitmotif
LOG=$WORK/log
WHOLE=$WORK/whole

# Each program behind a script that notes its name and process, and becomes it.
export LEITMOTIF_TOOLS=$WORK/tools
mkdir "$LEITMOTIF_TOOLS"
for name in encode-text sample-tokens decode-audio transcode verify; do
    printf '#!/bin/sh\necho "%s $$" >>"%s"\nexec "%s" "$@"\n' $name "$LOG" "$BIN/$name" >"$LEITMOTIF_TOOLS/$name"
done
chmod +x "$LEITMOTIF_TOOLS"/*

cat >"$WORK/game.yaml" <<'YAML'
leitmotif: 1
title: game
model: demo
seed: 7
defaults: {duration: 1}
outputs: [{format: ogg, rate: 44100, channels: 2}, {format: mp3, bitrate: 192k, rate: 44100}]
loudness: {target: -16, over: track}
verify: {max_silence: 3, loudness_tolerance: 3}
tracks:
  theme: orchestral, a bright and heroic theme
  stars: {prompt: "ambient, slow pads", variations: 2, duration: 0.6, guidance: 3.5}
YAML
cp "$WORK/game.yaml" "$WORK/changed.yaml"
sed -i 's/slow pads/wide pads/; s/variations: 2, //' "$WORK/changed.yaml"

render() { "$LEITMOTIF" render --workspace "$@"; }
programs() { cut -d' ' -f1 "$LOG" 2>/dev/null | sort -u | tr '\n' ' '; } # that were started since the log was emptied
results() { (cd "$1" && find . -name tokens.safetensors -o -name '*.ogg' -path './game/*' | sort); }

# Every token and release file of A is in B too, byte for byte.
within() { # A B
    local file
    [ -n "$(results "$1")" ] || return 1
    results "$1" | while read -r file; do cmp "$1/$file" "$2/$file" || exit 1; done
}
no_halves() { [ -z "$(find "$1" -name '*.part' -o -path '*/store/temporary/*')" ]; }

check 'everything' 0 'theme: 1.0 s, -1[0-9.]+ LUFS, theme.ogg theme.mp3, seed [0-9]+, made in .*stars_2: 0.6 s' 'page: ' -- render "$WHOLE" "$WORK/game.yaml"
that 'release files of every result' test "$(ls "$WHOLE"/game/*.ogg "$WHOLE"/game/*.mp3 | wc -l)" -eq 6
that 'no half file' no_halves "$WHOLE"

: >"$LOG"
begin=$(date +%s%N)
check 'again' 0 'theme: .*, reused' '.*' -- render "$WHOLE" "$WORK/game.yaml"
that 'starts no program' test -z "$(programs)"
that 'and takes less than a second' test $((($(date +%s%N) - begin) / 1000000)) -lt 1000

check 'one track alone, elsewhere' 0 'stars_2: .*made' '.*' -- render "$WORK/alone" "$WORK/game.yaml" stars_2
that 'has the same tokens and the same file' within "$WORK/alone" "$WHOLE"

command=$(grep -o 'leitmotif generate .*' "$WHOLE/game/report.json" | head -n 1 | sed 's/",*$//')
check "the report's command makes that take" 0 'seed [0-9]+, made' '.*' -- env -C "$WORK" PATH="$BIN:$PATH" LEITMOTIF_WORKSPACE="$WORK/generated" sh -c "$command"
that 'as a file' test -s "$WORK/theme.ogg"
that 'of the same tokens' within "$WORK/generated" "$WHOLE"

check 'plan after a change of one prompt' 0 'theme: up to date
.*1 of 2 results to make: encode-text 1, sample-tokens 1, decode-audio 1, transcode 1, verify 3' '' -- "$LEITMOTIF" plan --workspace "$WHOLE" "$WORK/changed.yaml"
: >"$LOG"
check 'render after it' 0 'theme: .*reused.*stars: .*made' 'removed .*/stars_1.ogg' -- render "$WHOLE" "$WORK/changed.yaml"
that 'starts each neural program once' test "$(grep -cE '^(encode-text|sample-tokens|decode-audio) ' "$LOG")" -eq 3
: >"$LOG"
sed -i 's/max_silence: 3/max_silence: 4/' "$WORK/changed.yaml"
check 'another limit' 0 'theme: .*made' '.*' -- render "$WHOLE" "$WORK/changed.yaml"
that 'is looked at by verify alone' test "$(programs)" = 'verify '
: >"$LOG"
sed -i 's/bitrate: 192k/bitrate: 128k/' "$WORK/changed.yaml"
check 'another bit rate' 0 'theme: .*made' '.*' -- render "$WHOLE" "$WORK/changed.yaml"
that 'is a matter of transcode and verify' test "$(programs)" = 'transcode verify '
check 'the first project again' 0 'stars_2: .*reused' '.*' -- render "$WHOLE" "$WORK/game.yaml"

# kill -9 of a program, and of leitmotif, while tokens are to be drawn
process_of() { sed -n "s/^$1 //p" "$LOG" | head -n 1; }
await() { # PROGRAM: until it has been started
    local tries
    for tries in $(seq 600); do
        [ -z "$(process_of "$1")" ] || return 0
        sleep 0.05
    done
    return 1
}
gone() { # PROCESS: within two seconds
    local tries
    for tries in $(seq 20); do
        grep -qs '^State:	[^ZX]' "/proc/$1/status" || return 0
        sleep 0.1
    done
    return 1
}

: >"$LOG"
render "$WORK/killed" -q "$WORK/game.yaml" >/dev/null 2>"$WORK/killed.err" &
renderer=$!
that 'sample-tokens is running' await sample-tokens
kill -9 "$(process_of sample-tokens)"
wait $renderer
that 'a killed program: the render fails' test $? -eq 1
that 'and says why' grep -q "'theme' failed: sample-tokens: died of signal 9" "$WORK/killed.err"
that 'it leaves no half file' no_halves "$WORK/killed"

: >"$LOG"
"$LEITMOTIF" render --workspace "$WORK/killed" -q "$WORK/game.yaml" >/dev/null 2>&1 &
renderer=$!
that 'it is running again' await sample-tokens
kill -9 $renderer
wait $renderer 2>/dev/null
that 'leitmotif killed: its program ends too' gone "$(process_of sample-tokens)"
check 'the next render finishes' 0 'theme: .*made' '.*' -- render "$WORK/killed" "$WORK/game.yaml"
that 'with the same tokens and files' within "$WORK/killed" "$WHOLE"
that 'all of them' test "$(ls "$WORK"/killed/game/*.ogg | wc -l)" -eq 3
that 'and no half file' no_halves "$WORK/killed"
finish
