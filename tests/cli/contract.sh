#!/usr/bin/env bash
# What all stage programs share (base/tool.h), asked of each of them. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
cd "$WORK" || exit 1
encode=("$BIN/encode-text" --model "$TINY")
sample=("$BIN/sample-tokens" --model "$TINY" --duration 1 --greedy)
decode=("$BIN/decode-audio" --model "$TINY")
transcode=("$BIN/transcode") verify=("$BIN/verify")

"${encode[@]}" --prompt x --output in.condition && "${sample[@]}" --condition in.condition --output in.tokens &&
    "${decode[@]}" --tokens in.tokens --output in.wav || exit 1

mkfifo pipe
waits_not() { # NAME COMMAND...
    local name=$1
    shift
    check "$name does not wait for a pipe" 1 '.*' "^[a-z-]*: cannot [a-z]* 'pipe': (it is )?no" -- timeout 10 "$@"
}
waits_not sample-tokens "${sample[@]}" --condition pipe --output out
waits_not 'sample-tokens --continue' "${sample[@]}" --condition in.condition --continue pipe --output out
waits_not decode-audio "${decode[@]}" --tokens pipe --output out
waits_not transcode "${transcode[@]}" --input pipe --output out.ogg
waits_not verify "${verify[@]}" pipe

# A closed stderr must not lend its number to the result.
check 'stderr closed' 0 '' '' -- bash -c '"$@" 2>&-' _ "${decode[@]}" --tokens in.tokens --output closed.wav --progress json
that 'no message went into the result' cmp in.wav closed.wav
check 'all three closed' 0 '' '' -- bash -c '"$@" <&- >&- 2>&-' _ "${decode[@]}" --tokens in.tokens --output closed.wav --progress json
that 'nor now' cmp in.wav closed.wav
check 'stdout closed' 1 '' '^verify: cannot write to stdout: Bad file descriptor$' -- bash -c '"$@" >&-' _ "${verify[@]}" in.wav
check 'stdin closed' 1 '' "^decode-audio: cannot read 'stdin': Bad file descriptor$" -- bash -c '"$@" <&-' _ "${decode[@]}" --jobs -
check 'a full stdout' 1 '' '^verify: cannot write to stdout: No space left on device$' -- bash -c '"$@" >/dev/full' _ "${verify[@]}" in.wav
check 'a reader that went away' SIGPIPE '.*' '' -- bash -c '(sleep 0.2; exec "$@") | true; exit "${PIPESTATUS[0]}"' _ "${verify[@]}" in.wav

for program in encode sample decode; do
    declare -n command=$program
    case $program in encode) job=(--prompt '') ;; sample) job=(--condition none) ;; decode) job=(--tokens none) ;; esac
    for word in gpu cuda: cuda:-1 cuda:1x ''; do
        check "$program: device '$word'" 2 '' "'$word' is no device: say auto, cpu, cuda or cuda:N$" -- "${command[@]}" "${job[@]}" --output out --device "$word"
    done
done

ln -s one.condition link.condition && : >one.condition
for other in one.condition ./one.condition ../"${WORK##*/}"/one.condition link.condition; do
    printf '{"prompt": "x", "output": "%s"}\n' one.condition "$other" >lines
    check "one output twice, as $other" 2 '' "^encode-text: two results would be written to '.*/one\.condition'$" -- "${encode[@]}" --jobs lines
done
that 'and nothing was done' test ! -s one.condition
printf '{"prompt": "x", "output": "/dev/null"}\n%.0s' 1 2 >lines
check 'what is no file may take many results' 0 '"job":2,"output":"/dev/null","status":"done"' '' -- "${encode[@]}" --jobs lines
printf '{"prompt": "x\\u0000y", "output": "out"}' >lines
check 'a NUL in a job' 2 '' "^encode-text: 'lines' line 1 holds a NUL character" -- "${encode[@]}" --jobs lines
printf '\n  \r\n{"prompt": "x", "output": "out"}\r\n\n{"prompt": "x" "output": "out"}' >lines
check 'a fault is told by the line of the file' 2 '' "^encode-text: 'lines' line 5 is not valid JSON: .* \(column [0-9]+\)$" -- "${encode[@]}" --jobs lines
: >lines
check 'no jobs' 0 '' '' -- "${encode[@]}" --jobs lines

spared() { # FILE COMMAND...
    cp "$1" before
    check "${2##*/} does not replace its input" 2 '' "'\./$1' cannot be both input and output" -- "${@:2}"
    that 'which is as it was' cmp before "$1"
}
printf 'x' >prompt.txt
spared prompt.txt "${encode[@]}" --prompt-file prompt.txt --output ./prompt.txt
spared in.condition "${sample[@]}" --condition in.condition --output ./in.condition
spared in.tokens "${sample[@]}" --condition in.condition --continue in.tokens --output ./in.tokens
spared in.condition "${sample[@]}" --section 0=in.condition --output ./in.condition
spared in.tokens "${decode[@]}" --tokens in.tokens --output ./in.tokens
spared in.wav "${transcode[@]}" --input in.wav --output ./in.wav
spared in.wav "${verify[@]}" in.wav --report ./in.wav
spared in.tokens "${sample[@]}" --condition in.condition --melody in.tokens --output ./in.tokens
spared in.wav "${decode[@]}" --tokens in.tokens --splice in.wav --output ./in.wav
spared in.wav "$BIN/encode-audio" --model "$MODEL" --as tokens --input in.wav --output ./in.wav
check 'encode-audio: a word that is no device' 2 '' "'warp' is no device" -- "$BIN/encode-audio" --model "$MODEL" --as tokens --input in.wav --output o --device warp
finish
