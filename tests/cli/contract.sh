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
finish
