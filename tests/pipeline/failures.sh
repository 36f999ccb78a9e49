#!/usr/bin/env bash
# What fails, what goes on all the same, and what is said. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"
. "$(dirname "$0")/fakes/setup.bash"
ulimit -c 0

anew
check 'one job fails' 1 'theme: .*made' "'battle' failed: encode-text: told to fail.*leitmotif: 1 of 4 results failed; '.*/report.json' says why" \
    -- env FAKE_FAIL='encode-text fast' "$LEITMOTIF" render "$WORK/game.yaml"
that 'the others are made' test "$(ls "$GAME"/*.ogg | wc -l)" -eq 3
that 'nothing depends on what failed' started 'encode-text 3' 'sample-tokens 3' 'decode-audio 3'
that 'the report says why' grep -q 'encode-text: told to fail' "$GAME/report.json"
that 'the info file says why' grep -q 'told to fail' "$GAME/soundtrack_info.txt"
that 'no half file stays' no_halves
rm "$FAKE_LOG"
check 'the next render makes the rest' 0 'battle: .*made' '.*' -- "$LEITMOTIF" render "$WORK/game.yaml"
that 'and only that' started 'encode-text 1' 'sample-tokens 1' 'decode-audio 1'

rm "$FAKE_LOG"
check 'a failure loses nothing' 1 '' "4 of 4 results failed" -- env FAKE_REFUSE=sample-tokens "$LEITMOTIF" render --force "$WORK/game.yaml"
that 'the files of the earlier render stay' test "$(ls "$GAME"/*.ogg | wc -l)" -eq 4
that 'the report says what they are' grep -q '"earlier_files"' "$GAME/report.json"
check 'the next render has them again' 0 '.*' '.*' -- "$LEITMOTIF" render "$WORK/game.yaml"
that 'and the report nothing earlier' bash -c "! grep -q earlier_files '$GAME/report.json'"

anew
check 'fail-fast' 1 '' "'battle' failed: encode-text: told to fail.*'theme' failed: .*: stopped before it was made" \
    -- env FAKE_FAIL='encode-text fast' "$LEITMOTIF" render --fail-fast "$WORK/game.yaml"
that 'nothing is started after the failure' started 'encode-text 3'
check 'the next render makes all' 0 'battle: .*made' '.*' -- "$LEITMOTIF" render --fail-fast "$WORK/game.yaml"

anew
check 'verify finds a file bad' 1 'theme: .*made' "'battle' failed: verify battle.ogg: silent for 3.5 s" -- env FAKE_BAD=battle.ogg "$LEITMOTIF" render "$WORK/game.yaml"
that 'it is not released' test ! -e "$GAME/battle.ogg"
that 'the report has the finding' grep -q 'silent for 3.5 s' "$GAME/report.json"
rm "$FAKE_LOG"
check 'the verdict is stored' 1 'theme: .*reused' "'battle' failed: verify battle.ogg: silent for 3.5 s" -- "$LEITMOTIF" render "$WORK/game.yaml"
that 'without looking again' idle
check 'plan says so' 0 'battle: failed before, and would again: verify battle.ogg: silent' '' -- "$LEITMOTIF" plan "$WORK/game.yaml"

anew
check 'a program that refuses all' 1 '' "'theme' failed: sample-tokens: 'demo' needs 7.9 GB; 6.0 GB allowed.*4 of 4 results failed" \
    -- env FAKE_REFUSE=sample-tokens "$LEITMOTIF" render "$WORK/game.yaml"
check 'a program that dies' 1 'explore_1: .*made' "'explore_2' failed: decode-audio: died of signal 9" -- env FAKE_DIE='decode-audio 3' "$LEITMOTIF" render "$WORK/game.yaml"
that 'what it had made stays' test "$(ls "$GAME"/*.ogg | wc -l)" -eq 2
check 'and is not made again' 0 'battle: .*made' '.*' -- "$LEITMOTIF" render "$WORK/game.yaml"
that 'every result is there' complete

anew
sed -i 's/{format: ogg}/{format: mp3, bitrate: 192k}/' "$WORK/game.yaml" # the model's 16 kHz allow 160 at most
check 'check tells that a model does not fit the outputs' 0 'ok' "warning: .*model 'demo', mp3 at 16000 Hz cannot have a bit rate of 192 kbit/s: .*give the output a 'rate'" -- "$LEITMOTIF" check "$WORK/game.yaml"
check 'render refuses it' 2 '' "leitmotif: '.*game.yaml': with model 'demo', mp3 at 16000 Hz cannot" -- "$LEITMOTIF" render "$WORK/game.yaml"
that 'before any work' idle
anew
"$LEITMOTIF" render -q "$WORK/game.yaml" >/dev/null

mkdir "$WORK/tools"
check 'no programs' 1 '' "cannot run '.*/tools/encode-text': .*\\\$LEITMOTIF_TOOLS" -- env LEITMOTIF_TOOLS="$WORK/tools" "$LEITMOTIF" render --force "$WORK/game.yaml"
cp "$LEITMOTIF_TOOLS/stage-program" "$WORK/tools/encode-text"
check 'not all programs: nothing is started' 1 '' "cannot run '.*/tools/sample-tokens'" -- env LEITMOTIF_TOOLS="$WORK/tools" "$LEITMOTIF" render --force "$WORK/game.yaml"
echo '#!/nowhere' >"$WORK/tools/encode-text"
for name in sample-tokens decode-audio transcode verify; do cp "$WORK/tools/encode-text" "$WORK/tools/$name"; done
chmod +x "$WORK/tools"/*
check 'a program that cannot run' 1 '' "'theme' failed: encode-text: cannot run '.*'" -- env LEITMOTIF_TOOLS="$WORK/tools" "$LEITMOTIF" render --force "$WORK/game.yaml"
printf '#!/bin/sh\nexit 0\n' >"$WORK/tools/encode-text"
check 'a program that says nothing' 1 '' "'theme' failed: encode-text: ended without making it" -- env LEITMOTIF_TOOLS="$WORK/tools" "$LEITMOTIF" render --force "$WORK/game.yaml"
printf '#!/bin/sh\ncat >/dev/null\necho "{\\"job\\":1,\\"status\\":\\"done\\"}"; echo "{broken"; echo "{\\"job\\":99}"\n' >"$WORK/tools/encode-text"
check 'a program that lies' 1 '' "encode-text' said that it was done, but wrote no 'condition.safetensors'" -- env LEITMOTIF_TOOLS="$WORK/tools" "$LEITMOTIF" render --force "$WORK/game.yaml"

cat >"$WORK/tools/encode-text" <<'TOOL'
#!/bin/sh
n=0
while read -r line; do
    n=$((n + 1))
    file=$(echo "$line" | sed 's/.*"output":"\([^"]*\)".*/\1/')
    printf '{"job":%d,"status":"failed","error":"cannot write '"'%s'"': full"}\n' $n "$file"
done
exit 1
TOOL
check 'a program that names its temporary file' 1 '' "'theme' failed: encode-text: cannot write '$LEITMOTIF_WORKSPACE/store/[0-9a-f]{2}/[0-9a-f]{62}/condition.safetensors': full" \
    -- env LEITMOTIF_TOOLS="$WORK/tools" "$LEITMOTIF" render --force "$WORK/game.yaml"
cp "$GAME/report.json" "$WORK/report.json"
check 'and does so again' 1 '' 'full' -- env LEITMOTIF_TOOLS="$WORK/tools" "$LEITMOTIF" render --force "$WORK/game.yaml"
that 'is reported in the same bytes' cmp "$GAME/report.json" "$WORK/report.json"

echo >"$WORK/file"
check 'a workspace that is a file' 1 '' "cannot make folder '.*/file" -- "$LEITMOTIF" render --workspace "$WORK/file" "$WORK/game.yaml"
check 'a workspace that cannot be written' 1 '' "cannot make folder '/proc/" -- "$LEITMOTIF" render --workspace /proc/leitmotif "$WORK/game.yaml"
anew
mkdir -p "$GAME/theme.ogg"
check 'a release file that cannot be written' 1 'battle: .*made' "'theme' failed: cannot write '.*/theme.ogg': it is a folder" -- "$LEITMOTIF" render "$WORK/game.yaml"
if [ -e /dev/full ]; then
    check 'stdout that cannot be written' 1 '' 'cannot write to stdout: (an earlier line was lost|No space left on device)$' -- sh -c '"$0" render "$1" battle >/dev/full' "$LEITMOTIF" "$WORK/game.yaml"
fi

anew
mkdir "$WORK/small"
if mount -t tmpfs -o size=64k,nr_inodes=40 tmpfs "$WORK/small" 2>/dev/null; then
    check 'a full disk' 1 '' 'No space left on device' -- env LEITMOTIF_WORKSPACE="$WORK/small/ws" "$LEITMOTIF" render "$WORK/game.yaml"
    mount -o remount,size=32M,nr_inodes=10000 "$WORK/small"
    check 'with room again it finishes' 0 'battle: ' '.*' -- env LEITMOTIF_WORKSPACE="$WORK/small/ws" "$LEITMOTIF" render "$WORK/game.yaml"
    LEITMOTIF_WORKSPACE=$WORK/small/ws
    that 'no half file stays there' no_halves
    umount "$WORK/small"
else
    skip 'a full disk' 'cannot mount a small file system here'
fi
finish
