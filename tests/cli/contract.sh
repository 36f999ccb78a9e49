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
finish
