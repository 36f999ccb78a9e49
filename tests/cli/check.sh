#!/usr/bin/env bash
# leitmotif check and leitmotif new, as a user runs them. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
cd "$WORK" || exit 1
# No model but the project's own may be found, wherever this runs.
export HF_HUB_CACHE=$WORK/hub HUGGINGFACE_HUB_CACHE=$WORK/hub HF_HOME=$WORK/home XDG_CACHE_HOME=$WORK/xdg AUDIOCRAFT_CACHE_DIR=$WORK/audiocraft
leitmotif=$BIN/leitmotif

yaml() { # FILE LINE...
    local file=$1
    shift
    printf '%s\n' "$@" >"$file"
}

yaml good.yaml 'leitmotif: 1' "model: $MODEL" 'tracks:' '  a: {prompt: x, variations: 3}' '  b: heavy rain'
check "a good file" 0 '^good\.yaml: ok, 2 tracks, 4 results$' '' -- "$leitmotif" check good.yaml
yaml one.yaml 'leitmotif: 1' "model: $MODEL" 'tracks: {a: x}'
check "one track" 0 '^one\.yaml: ok, 1 track, 1 result$' '' -- "$leitmotif" check one.yaml
check "the demo of the project" 0 'demo\.yaml: ok, 4 tracks, 4 results' '' -- "$leitmotif" check "$PROJECT/pipelines/demo.yaml"
check "a missing model is a warning" 0 'game\.yaml: ok, 8 tracks, 10 results' \
    "game\.yaml:5:8: warning: .*medium.*fetch-model medium" -- "$leitmotif" check "$PROJECT/pipelines/game.yaml"

check "--show prints JSON" 0 '"name": "a_2"' '' -- "$leitmotif" check good.yaml --show
"$leitmotif" check good.yaml --show >first.json
that "--show is JSON of every result" python3 -c '
import json; p = json.load(open("first.json")); assert [r["name"] for r in p["results"]] == ["a_1", "a_2", "a_3", "b"]
assert p["title"] == "good" and p["results"][3]["prompt"] == "heavy rain" and p["results"][0]["duration"] == 10'
"$leitmotif" check --show good.yaml >second.json
that "--show is stable" cmp first.json second.json

yaml bad.yaml 'leitmotif: 1' 'titel: x' 'defaults: {duration: .nan}' 'tracks:' '  a: {prompt: x, duration: 0, loop: true}'
"$leitmotif" check bad.yaml 2>told
check "a file with problems" 2 '' '^bad\.yaml:2:1: ' -- "$leitmotif" check bad.yaml
cat >expected <<'LINES'
bad.yaml:2:1: unknown key 'titel' in the file (did you mean 'title'?)
bad.yaml:3:22: 'duration' must be a number from 0.02 to 14400 seconds, not '.nan'
bad.yaml:5:28: 'duration' must be a number from 0.02 to 14400 seconds, not '0'
bad.yaml:5:31: 'loop' is not supported by this version; remove it
LINES
that "all its problems are told, one a line, and nothing else" cmp expected told
check "--show of a bad file shows only problems" 2 '' 'bad\.yaml:2:1: ' -- "$leitmotif" check --show bad.yaml
check "a path in front of the problem is the one given" 2 '' "^\./bad\.yaml:2:1: " -- "$leitmotif" check ./bad.yaml

printf 'leitmotif: 1\ntracks:\n\ta: x\n' >tab.yaml
check "a tab" 2 '' '^tab\.yaml:3:1: not YAML: .*tab: indent with spaces' -- "$leitmotif" check tab.yaml
printf 'leitmotif: 1\ntracks: {a: "caf\xe9"}\n' >latin.yaml
check "not UTF-8" 2 '' '^latin\.yaml:2:17: byte 0xe9 is not valid UTF-8$' -- "$leitmotif" check latin.yaml
printf 'leitmotif: 1\ntracks: {a: "x\0y"}\n' >nul.yaml
check "a NUL" 2 '' '^nul\.yaml:2:15: byte 0x00 is a control character' -- "$leitmotif" check nul.yaml
printf '\xef\xbb\xbfleitmotif: 1\r\nmodel: %s\r\ntracks: {a: x}\r\n' "$MODEL" >windows.yaml
check "a byte order mark and CRLF" 0 'windows\.yaml: ok' '' -- "$leitmotif" check windows.yaml
: >empty.yaml
check "an empty file" 2 '' '^empty\.yaml:1:1: the file is empty$' -- "$leitmotif" check empty.yaml
yaml huge.yaml '# '"$(head -c 17000000 /dev/zero | tr '\0' x)"
check "a file of 17 MB" 1 '' "^leitmotif: .*'huge\.yaml'" -- "$leitmotif" check huge.yaml
{ printf 'leitmotif: 1\nmodel: %s\ntracks:\n' "$MODEL"; seq 10000 | sed 's/.*/  t&: {prompt: "number &", duration: 12}/'; } >many.yaml
check "10,000 tracks" 0 'ok, 10000 tracks' '' -- timeout 10 "$leitmotif" check many.yaml

yaml folder.yaml 'leitmotif: 1' 'model: ./nowhere' 'tracks: {a: x}'
check "a missing model folder is an error" 2 '' "^folder\.yaml:2:8: model '\./nowhere': there is no folder '\./\./nowhere'$" -- \
    "$leitmotif" check folder.yaml
check "a missing file" 1 '' "^leitmotif: cannot open 'nowhere\.yaml': No such file or directory$" -- "$leitmotif" check nowhere.yaml
check "a folder is no file" 1 '' "^leitmotif: .*'\.'" -- "$leitmotif" check .
check "no file given" 2 '' "^leitmotif: check takes one FILE" -- "$leitmotif" check
check "two files given" 2 '' "^leitmotif: check takes one FILE" -- "$leitmotif" check good.yaml bad.yaml
check "an unknown option" 2 '' "^leitmotif: unknown option '--shwo' \(did you mean '[-]*show'\?\)" -- "$leitmotif" check --shwo good.yaml
check "help" 0 'Usage: leitmotif check .*--show' '' -- "$leitmotif" check --help
if [ -c /dev/full ]; then
    check "a full stdout is a failure" 1 '' 'cannot write to stdout' -- bash -c "'$leitmotif' check good.yaml >/dev/full"
else
    skip "a full stdout is a failure" "there is no /dev/full"
fi

check "new writes a file" 0 '^my game\.yaml: written' '' -- "$leitmotif" new "my game.yaml"
check "what new writes is good" 0 'my game\.yaml: ok, 5 tracks, 7 results' '' -- "$leitmotif" check "my game.yaml"
that "its title comes from the file's name" grep -q '^title: my-game ' "my game.yaml"
echo mine >"my game.yaml"
check "new does not overwrite" 1 '' "^leitmotif: 'my game\.yaml' exists already; --force replaces it$" -- "$leitmotif" new "my game.yaml"
that "and leaves the file alone" grep -qx mine "my game.yaml"
check "new --force overwrites" 0 'written' '' -- "$leitmotif" new --force "my game.yaml"
check "and that is good again" 0 'ok' '' -- "$leitmotif" check "my game.yaml"
check "new store.yaml has another title" 0 'written' '' -- "$leitmotif" new store.yaml
check "which is good" 0 'ok' '' -- "$leitmotif" check store.yaml
check "new into a missing folder" 1 '' "^leitmotif: .*no/where" -- "$leitmotif" new no/where/x.yaml
check "new without a file" 2 '' '^leitmotif: new takes one FILE' -- "$leitmotif" new
finish
