#!/usr/bin/env bash
# The demo model's golden values, all in golden.json: golden.sh compares, golden.sh --update stores. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"
HERE=$(cd "$(dirname "$0")" && pwd)
cd "$WORK" || exit 1
"$BIN/encode-text" --model "$MODEL" --prompt "synthwave, dreamy and nostalgic" --output condition &&
    "$BIN/sample-tokens" --threads 1 --model "$MODEL" --condition condition --duration 2 --seed 1 --cache f32 --output tokens &&
    "$BIN/decode-audio" --model "$MODEL" --tokens tokens --output wave.wav || exit 1
command=compare
[ "${1:-}" = --update ] && command=write
python3 "$HERE/golden.py" $command "$HERE/golden.json" condition tokens wave.wav "$PROJECT/tools/lib/base/version.h"
