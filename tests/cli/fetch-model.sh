#!/usr/bin/env bash
# fetch-model against a hub on loopback that misbehaves as told. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
fetch=$BIN/fetch-model
cd "$WORK" || exit 1
unset HF_HOME HF_TOKEN HF_TOKEN_PATH HF_HUB_OFFLINE XDG_CACHE_HOME AUDIOCRAFT_CACHE_DIR http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy
export HOME=$WORK/home HF_HUB_CACHE=$WORK/cache LEITMOTIF_RETRY_SECONDS=0.02 HF_HUB_DOWNLOAD_TIMEOUT=1 NO_PROXY='*'
mkdir home state && : >state/faults

python3 "$TESTS/fetch/repositories.py" "$TINY" hub || exit 1
python3 "$TESTS/fetch/server.py" hub state 240 &
SERVER=$!
trap 'kill $SERVER 2>/dev/null; rm -rf "$WORK"' EXIT
for _ in $(seq 100); do [ -e state/hub ] && break || sleep 0.1; done
HF_ENDPOINT=$(cat state/hub)
export HF_ENDPOINT
COMMIT=0123456789abcdef0123456789abcdef01234567

faults() { printf '%s\n' "$@" >state/faults.new && mv state/faults.new state/faults; } # LINE...: as of server.py; none: no faults
fresh() { # [LINE...]: an empty cache, an empty log, these faults
    rm -rf cache
    : >state/log
    faults "$@"
}
none() { if grep -Eq -- "$1" "${2:-state/log}"; then return 1; fi; } # PATTERN [FILE]: no line has it
folder_of() { echo "cache/models--${1/\//--}"; }
snapshot() { echo "$(folder_of "$1")/snapshots/$COMMIT"; }
same() { cmp "hub/$1/$2" "$(snapshot "$1")/$2"; }                     # REPOSITORY FILE: arrived as it is
holds() { [ "$(ls "$(snapshot "$1")" | tr '\n' ' ')" = "$2 " ]; }     # REPOSITORY FILES: these and no others
no_model() { ! "$BIN/encode-text" --model "$1" --prompt a --output x.st && [ ! -e "$(folder_of "$1")/refs/main" ]; }
no_incomplete() { [ -z "$(find cache -name '*.incomplete' -o -name '*.part')" ]; }
sound() { # every blob has the content of its name; nothing is half done
    local blob name
    for blob in cache/models--*/blobs/*; do
        name=$(basename "$blob")
        case ${#name} in 64) echo "$name  $blob" | sha256sum -c --quiet || return 1 ;; 40) [ "$(git hash-object --no-filters "$blob")" = "$name" ] || return 1 ;; *) return 1 ;; esac
    done
}
if ! command -v git >/dev/null; then
    git() { { printf 'blob %d\0' "$(stat -c %s "$3")" && cat "$3"; } | sha1sum | cut -d ' ' -f 1; }
fi

# --- what it says of itself ---
check '--help' 0 'MODEL.*--cache-dir.*--endpoint.*--offline.*--progress.*--quiet' '' -- "$fetch" --help
check '--version' 0 '^fetch-model [0-9.]+$' '' -- "$fetch" --version

# --- misuse ---
check 'no model' 2 '' "^fetch-model: a model is missing" -- "$fetch"
check 'a name that is none' 2 '' "^fetch-model: 'meduim' is no model's name .did you mean 'medium'" -- "$fetch" meduim
check 'a path' 2 '' "'../x' is no model's name" -- "$fetch" ../x
check 'demo' 2 '' "'demo' comes with the project's files" -- "$fetch" demo
check 'a model that nothing runs' 2 '' "'facebook/musicgen-style' cannot be used" -- "$fetch" facebook/musicgen-style
check 'a revision that is none' 2 '' "'../x' is no revision" -- "$fetch" small --revision ../x
check 'an endpoint that is none' 2 '' "'ftp://x' is no endpoint: give a URL" -- "$fetch" small --endpoint ftp://x
check 'an unknown option' 2 '' "did you mean 'offline'" -- "$fetch" small --offlin
check 'a waiting time that is none' 2 '' "LEITMOTIF_RETRY_SECONDS is 'soon'" -- env LEITMOTIF_RETRY_SECONDS=soon "$fetch" small
that 'nothing was asked of the hub' test ! -s state/log

# --- the usual way ---
fresh
check 'a model' 0 '' "fetching 'acme/tiny': 4.9 MB to download, from '$HF_ENDPOINT' into '$WORK/cache'.*licence unknown.*'acme/tiny' is in '$WORK/cache/models--acme--tiny/snapshots/$COMMIT'" -- "$fetch" acme/tiny
for file in config.json generation_config.json spiece.model model.safetensors; do that "$file arrived" same acme/tiny $file; done
that 'the links are relative' test "$(readlink "$(snapshot acme/tiny)/config.json")" = "../../blobs/$(basename "$(readlink "$(snapshot acme/tiny)/config.json")")"
that 'the reference is the commit, without a newline' test "$(od -c "$(folder_of acme/tiny)/refs/main" | tail -n 1)" = 0000050 -a "$(cat "$(folder_of acme/tiny)/refs/main")" = $COMMIT
that 'what is not there is noted' test -e "$(folder_of acme/tiny)/.no_exist/$COMMIT/preprocessor_config.json"
that 'every blob has the content of its name' sound
that 'content came from the storage host' grep -q '^storage GET /acme/tiny/model.safetensors .* 200$' state/log
check 'the model works from that cache' 0 '' '' -- "$BIN/encode-text" --model acme/tiny --prompt 'slow drums' --output a.st
check 'as from its own folder' 0 '' '' -- "$BIN/encode-text" --model "$TINY" --prompt 'slow drums' --output b.st
that 'to the same condition' cmp a.st b.st
: >state/log
check 'again' 0 '' "^'acme/tiny' is in" -- "$fetch" acme/tiny
that 'asks for descriptions only' none GET
: >state/log
check '--offline' 0 '' "^'acme/tiny' is in" -- "$fetch" --offline acme/tiny
check 'HF_HUB_OFFLINE' 0 '' '' -- env HF_HUB_OFFLINE=Yes "$fetch" --quiet acme/tiny
check 'offline, what is not there' 1 '' "^fetch-model: 'acme/shards' is not whole in '$WORK/cache' and nothing is fetched offline: missing is 'config.json'; or 'state_dict.bin'; run it without --offline" -- "$fetch" --offline acme/shards
that 'none of these used the network' test ! -s state/log
mv "$(snapshot acme/tiny)/model.safetensors" away
check 'offline, weights missing' 1 '' "missing is 'model.safetensors'" -- "$fetch" --offline acme/tiny
: >state/log
check 'a link that is gone' 0 '' '' -- "$fetch" --quiet acme/tiny
that 'is made again without a download' none GET
truncate -s 1000 "$(folder_of acme/tiny)/blobs/$(basename "$(readlink away)")"
check 'a blob of another size' 0 '' '' -- "$fetch" --quiet acme/tiny
that 'is fetched again' same acme/tiny model.safetensors

fresh
check 'a short name' 0 '' "fetching 'facebook/musicgen-small'.*'facebook/musicgen-small': CC-BY-NC 4.0: not for commercial use" -- "$fetch" small
check 'is found by it' 0 '' '' -- "$BIN/encode-text" --model small --prompt a --output x.st
fresh
check 'before it is there, programs say how to get it' 1 '' "fetch it with: fetch-model small" -- "$BIN/encode-text" --model small --prompt a --output x.st
check '--cache-dir' 0 '' '' -- "$fetch" --quiet acme/tiny --cache-dir other/place
that 'is where it goes' test -e other/place/models--acme--tiny/refs/main -a ! -e cache
check 'HF_HOME' 0 '' '' -- env -u HF_HUB_CACHE HF_HOME="$WORK/hf" "$fetch" --quiet acme/tiny
that 'has it in hub/' test -e hf/hub/models--acme--tiny/refs/main
check 'no cache is named' 0 '' '' -- env -u HF_HUB_CACHE "$fetch" --quiet acme/tiny
that 'the usual place' test -e home/.cache/huggingface/hub/models--acme--tiny/refs/main
rm -rf home/.cache
check '--endpoint' 1 '' "cannot fetch 'config.json' of 'acme/tiny' from 'http://127.0.0.1:9':.*5 times in a row" -- "$fetch" acme/tiny --endpoint http://127.0.0.1:9/
check '--revision' 0 '' '' -- "$fetch" --quiet acme/tiny --revision refs/pr/1
that 'has its own reference' test "$(cat "$(folder_of acme/tiny)/refs/refs/pr/1")" = $COMMIT -a ! -e "$(folder_of acme/tiny)/refs/main"
check 'a commit' 0 '' '' -- "$fetch" --quiet acme/tiny --revision $COMMIT
that 'has no reference' test ! -e "$(folder_of acme/tiny)/refs/$COMMIT"
check 'a renamed repository' 0 '' '' -- "$fetch" --quiet acme/old-name
that 'is kept under the name that was asked for' cmp "hub/acme/new-name/model.safetensors" "$(snapshot acme/old-name)/model.safetensors"
check '--progress json' 0 '' '"stage":"fetch".*"done":4919[0-9]*,"total":4919[0-9]*,.*"rate":[0-9]' -- "$fetch" --progress json acme/tiny --cache-dir c2
check '--progress bar' 0 '' '100 %.*left.*MB/s  acme/tiny' -- "$fetch" --progress bar acme/tiny --cache-dir c3
printf '%s\n' '{"model": "acme/tiny"}' '{"model": "acme/none"}' >many.jobs
check '--jobs' 1 '"job":1,"status":"done".*"folder":"'"$WORK"'/cache/models--acme--tiny/snapshots/.*"job":2,"status":"failed"' 'acme/none' -- "$fetch" --jobs many.jobs

# --- the smallest sufficient set ---
fresh
check 'shards' 0 '' '' -- "$fetch" --quiet acme/shards
check 'work' 0 '' '' -- "$BIN/encode-text" --model acme/shards --prompt 'slow drums' --output x.st
that 'nothing is asked twice' test "$(grep -c HEAD state/log)" -eq 8
check 'pickles where there is nothing else' 0 '' '' -- "$fetch" --quiet acme/pickle
that 'with the small files' holds acme/pickle 'config.json generation_config.json pytorch_model.bin spiece.model'
check "audiocraft's form where it is smaller" 0 '' "fetching 'acme/both': 730.7 kB to.*weights of 't5-base': Apache-2.0" -- "$fetch" acme/both
that 'alone' holds acme/both 'compression_state_dict.bin state_dict.bin'
that 'with its text encoder' holds t5-base 'config.json model.safetensors spiece.model'
: >state/log
check 'offline it is whole' 0 '' '' -- "$fetch" --quiet --offline acme/both
check 'and again' 0 '' '' -- "$fetch" --quiet acme/both
that 'without a download' none GET
check 'a codec that is a pointer' 0 '' '' -- "$fetch" --quiet acme/pointer
that 'comes from its own repository' holds facebook/encodec_32khz 'config.json model.safetensors'
check 'AudioGen' 0 '' '' -- "$fetch" --quiet audiogen-medium
that 'has the large text encoder' same t5-large model.safetensors
mv hub/t5-base hub/hidden
check 'a text encoder that the hub does not have' 1 '' "'acme/alone' at '$HF_ENDPOINT' holds no model in a form known here: it has no 'config.json'; or 't5-base/config.json', 't5-base/spiece.model', 't5-base/model.safetensors'" -- "$fetch" acme/alone --cache-dir c4
check 'does not stand in the way of the other form' 0 '' '' -- "$fetch" --quiet acme/both --cache-dir c4
that 'which is taken' test -e "c4/models--acme--both/snapshots/$COMMIT/model.safetensors"
mv hub/hidden hub/t5-base
mkdir hub/google-t5 && cp -r hub/t5-base hub/google-t5/ && cp -r "$(folder_of t5-base)" c4/models--google-t5--t5-base
check 'a text encoder that is there by its other name' 0 '' "'acme/alone': 370.0 kB to download" -- "$fetch" acme/alone --cache-dir c4
that 'is not fetched again' test ! -e c4/models--t5-base/refs
check 'a text encoder alone' 0 '' '' -- "$fetch" --quiet t5-base
check 'an index with a path in it' 1 '' "'model.safetensors.index.json' of 'acme/hostile' names a file '../../tiny/model.safetensors', which is no plain name" -- "$fetch" acme/hostile
check 'an index of shards that are not there' 1 '' "holds no model in a form known here: it has no 'model-00001-of-00002.safetensors'; or 'state_dict.bin'" -- "$fetch" acme/hole
check 'a repository without a model' 1 '' "'acme/empty' at '$HF_ENDPOINT' holds no model in a form known here: it has no 'config.json'" -- "$fetch" acme/empty
that 'all blobs are sound' sound
fresh
"$fetch" --quiet acme/tiny && cp -r "$(folder_of acme/tiny)" "$(folder_of acme/both)"
check 'the form that is there already' 0 '' '' -- "$fetch" --quiet acme/both
that 'is the smallest' test ! -e "$(snapshot acme/both)/state_dict.bin"

# --- refusals, each once and in one line ---
refused() { # NAME FAULT PATTERN [MODEL]
    fresh "$2"
    check "$1" 1 '' "^fetch-model: $3" -- "$fetch" --quiet "${4:-acme/tiny}"
    that "$1: one line" test "$(wc -l <"$ERR")" -eq 1
    that "$1: no model" no_model acme/tiny
}
refused 'no such repository' '' "'$HF_ENDPOINT' has no 'acme/nothing' open to all; check the name, or set HF_TOKEN if it is private" acme/nothing
refused 'no such revision' 'norevision *' "'acme/tiny' has no revision 'main'; give another --revision"
refused 'gated' 'gated *' "'acme/tiny' is gated: accept its terms at $HF_ENDPOINT/acme/tiny, then set HF_TOKEN"
refused 'forbidden' 'status-403 *' "'$HF_ENDPOINT' forbids reading 'config.json' of 'acme/tiny'"
refused 'not allowed' 'status-401 spiece.model' "'$HF_ENDPOINT' has no 'acme/tiny' open to all"
refused 'an answer that makes no sense' 'status-418 *' "'$HF_ENDPOINT' answers HTTP status 418 for 'config.json' of 'acme/tiny'"
refused 'a server in trouble' 'status-500 *' "cannot fetch 'config.json' of 'acme/tiny' from '$HF_ENDPOINT': HTTP status 500, 5 times in a row; run it again later"
that 'was asked five times' test "$(wc -l <state/log)" -eq 5
refused 'a server that wants an hour' 'retry-after-3600 *' ".*HTTP status 429, and it asks to wait 3600 s"
that 'was asked once' test "$(wc -l <state/log)" -eq 1
refused 'no commit' 'no-commit *' "'$HF_ENDPOINT' names no commit of 'acme/tiny'; is it a hub"
refused 'a commit that is a path' 'bad-commit *' "'$HF_ENDPOINT' names no commit"
refused 'an ETag that is a path' 'bad-etag *' "'config.json' of 'acme/tiny' has the ETag '../../../[0-9a-f]*', which is no hash"
refused 'another host describes' 'elsewhere *' "'$HF_ENDPOINT' sends on to 'http://127.0.0.1:[0-9]+' without describing 'config.json'"
refused 'redirects in a circle' 'loop *' "'$HF_ENDPOINT' redirects more than 10 times"
refused 'more than the disk holds' 'huge model.safetensors' "'acme/tiny' needs 140737.* GB and '.*/cache' has [0-9.]* [GMk]B free"
that 'is not begun' none GET
fresh
check 'a token the hub refuses' 1 '' "'$HF_ENDPOINT' has no 'acme/nothing' that your token may read" -- env HF_TOKEN=hf_secret "$fetch" acme/nothing
check 'a token that no header holds' 1 '' "the hub token holds a character" -- env HF_TOKEN=$'hf\r\nX: y' "$fetch" acme/tiny

# --- wrong content never becomes a model ---
for fault in 'bad-hash model.safetensors' 'corrupt model.safetensors' 'corrupt config.json' 'bad-hash spiece.model'; do
    refused "$fault" "$fault" "'${fault#* }' of 'acme/tiny' has the .*, not [0-9a-f]+ as the hub says: removed; fetch it again"
    that "$fault: nothing is left of it" no_incomplete
done
that 'no file is named as weights' test -z "$(find cache -name '*.safetensors')"
faults ''
check 'then it works' 0 '' '' -- "$fetch" --quiet acme/tiny
refused 'a size too large' 'bad-size model.safetensors' "'model.safetensors' of 'acme/tiny' was announced with 4658446 bytes and comes with 4658436"
refused 'a size too large of a small file' 'bad-size config.json' "'config.json' of 'acme/tiny' was announced with"

# --- the network fails, and it gets there all the same ---
survives() { # NAME STDERR FAULT...
    local name=$1 stderr=$2
    shift 2
    fresh "$@"
    check "$name" 0 '' "$stderr" -- "$fetch" acme/tiny
    that "$name: whole" same acme/tiny model.safetensors
    that "$name: nothing left over" no_incomplete
}
survives 'too many requests' "HTTP status 429; trying again in 1.0 s" 'retry-after-1 spiece.model 1'
survives 'a server in trouble for a while' 'HTTP status 503; trying again' 'status-503 config.json 2' 'get-status-502 model.safetensors 2'
survives 'storage asks to wait' 'HTTP status 503; trying again in 1.0 s' 'get-retry-after-1 model.safetensors 1'
survives 'connections that drop' "'model.safetensors' of 'acme/tiny': .*trying again" 'drop model.safetensors 6' 'drop spiece.model 3'
that 'the rest is asked for' grep -q 'storage GET /acme/tiny/model.safetensors auth=no range=2329218- 206' state/log
survives 'connections that drop at once' 'trying again' 'drop-start model.safetensors 3'
survives 'a connection that stands still' 'Operation too slow.*; trying again' 'stall model.safetensors 1'
survives 'a server that knows no ranges' 'trying again' 'drop model.safetensors 1' 'no-range model.safetensors'
survives 'another part than asked for' 'the server sends another part than asked for; trying again' 'drop model.safetensors 1' 'bad-range model.safetensors 1'
survives 'a range that is refused' 'the server has no byte 2329218; trying again' 'drop model.safetensors 1' 'range-416 model.safetensors 1'
survives 'an address that expired' 'HTTP status 403; trying again' 'expired model.safetensors 2'
survives 'a redirect that is none' '.*' 'direct model.safetensors'
fresh 'drop-start model.safetensors'
check 'connections that always drop' 1 '' "cannot fetch 'model.safetensors' of 'acme/tiny' from 'http://127.0.0.1:[0-9]+': .*, 5 times in a row; run it again later: what is there is kept" -- "$fetch" acme/tiny
that 'is no model' no_model acme/tiny
fresh 'long-length model.safetensors'
check 'more is announced on the way' 1 '' "was announced with 4658436 bytes and comes with 4658441" -- "$fetch" --quiet acme/tiny

# --- the token ---
fresh
HF_TOKEN=hf_secret check 'with a token' 0 '' '' -- "$fetch" --quiet acme/tiny
that 'the hub gets it every time' none '^hub .*auth=no'
that 'storage never does' none '^storage .*auth=yes'
that 'and was asked' grep -q '^storage GET' state/log
fresh 'elsewhere *'
check 'another host describes' 1 '' 'sends on to' -- env HF_TOKEN=hf_secret "$fetch" acme/tiny
that 'it was not even asked' none '^storage'
fresh && echo 'hf_file' >token
HF_TOKEN_PATH=token check 'with a token from a file' 0 '' '' -- "$fetch" --quiet acme/tiny
that 'the hub gets that' none '^hub .*auth=no'
fresh && mkdir -p hf && echo 'hf_home' >hf/token
check 'with a token from HF_HOME' 0 '' '' -- env -u HF_TOKEN HF_HOME="$WORK/hf" "$fetch" --quiet acme/tiny
that 'the hub gets that too' none '^hub .*auth=no'
fresh
check 'without one' 0 '' '' -- "$fetch" --quiet acme/tiny
that 'none is sent' none 'auth=yes'

# --- killed at any byte, full disks, two at once ---
fresh 'slow model.safetensors'
bytes=0 killed=0
for moment in 0.01 0.05 0.1 0.15 0.2 0.25 0.3 0.3 0.4; do
    "$fetch" --quiet acme/tiny & pid=$!
    sleep $moment
    kill -9 $pid 2>/dev/null && killed=$((killed + 1))
    wait $pid 2>/dev/null
    now=$(cat cache/models--acme--tiny/blobs/*.incomplete 2>/dev/null | wc -c)
    [ "$now" -ge "$bytes" ] || echo "# $now bytes after $bytes"
    bytes=$now
    [ ! -e "$(folder_of acme/tiny)/refs/main" ] || break
done
that 'killed several times' test $killed -ge 5
that 'it is no model yet' no_model acme/tiny
that 'something was there' test "$bytes" -gt 0
faults
check 'then it goes on' 0 '' 'are there' -- "$fetch" acme/tiny
that 'where it was' grep -Eq 'model.safetensors auth=no range=[0-9]+- 206' state/log
that 'and is whole' same acme/tiny model.safetensors
that 'with nothing left over' no_incomplete
# At chosen bytes, as a kill would leave them: the first, the last, all of them, and more than all.
for bytes in 0 1 4658435 4658436 5000000; do
    fresh && mkdir -p "$(folder_of acme/tiny)/blobs"
    name=$(sha256sum <"$TINY/model.safetensors" | cut -d ' ' -f 1)
    cp "$TINY/model.safetensors" "$(folder_of acme/tiny)/blobs/$name.incomplete"
    chmod u+w "$(folder_of acme/tiny)/blobs/$name.incomplete"
    truncate -s $bytes "$(folder_of acme/tiny)/blobs/$name.incomplete"
    check "broken off after $bytes bytes" 0 '' '' -- "$fetch" --quiet acme/tiny
    that "whole after $bytes bytes" same acme/tiny model.safetensors
done
fresh
check 'a disk that fills' 1 '' "cannot write '.*incomplete': File too large; what is there is kept" -- bash -c "ulimit -f 2000; exec '$fetch' --quiet acme/tiny"
that 'is no model' no_model acme/tiny
check 'with room it goes on' 0 '' '' -- "$fetch" --quiet acme/tiny
that 'from there' grep -q 'range=2048000- 206' state/log
fresh 'slow model.safetensors'
"$fetch" --quiet acme/tiny 2>first & first=$!
"$fetch" --quiet acme/tiny 2>second & second=$!
wait $first && wait $second
that 'two at once both succeed' test $? -eq 0 -a ! -s first -a ! -s second
that 'and download once' test "$(grep -c '^storage GET /acme/tiny/model.safetensors' state/log)" -eq 1
that 'to a whole model' same acme/tiny model.safetensors
that 'all blobs are sound then' sound
fresh
mkdir -p "$(folder_of acme/tiny)/blobs" && chmod a-w "$(folder_of acme/tiny)/blobs"
if [ "$(id -u)" -eq 0 ]; then skip 'a cache that cannot be written' 'root may write anywhere'; else
    check 'a cache that cannot be written' 1 '' "^fetch-model: cannot write '.*Permission denied" -- "$fetch" --quiet acme/tiny
fi
check 'a cache that is a file' 1 '' "^fetch-model: cannot make folder" -- "$fetch" acme/tiny --cache-dir many.jobs
finish
