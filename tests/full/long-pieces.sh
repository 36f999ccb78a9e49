#!/usr/bin/env bash
# Ten minutes take no more memory than one, from tokens to sound, and have the length that was asked for.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"
cd "$WORK" || exit 1

peak() { # COMMAND...: the most memory that it takes, in KiB
    python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' "$@"
}
sample() { # SECONDS: sections of half of it
    peak "$BIN/sample-tokens" --quiet --model "$TINY" --device cpu --guidance 1 --condition a.condition --section $(($1 / 2))=b.condition --duration "$1" --output "$1.tokens"
}
decode() { peak "$BIN/decode-audio" --quiet --model "$TINY" --device cpu --tokens "$1.tokens" --output "$1.wav"; }

"$BIN/encode-text" --model "$TINY" --prompt drums --output a.condition
"$BIN/encode-text" --model "$TINY" --prompt piano --output b.condition
# Largest seen: 2.2 MiB more for ten minutes (engine torch; cpu: 0.1), of which the tokens are 0.4.
minute=$(sample 60) ten=$(sample 600)
that "sampling ten minutes takes no more memory than one ($minute and $ten KiB)" test "$ten" -lt $((minute + 6144))
minute=$(decode 60) ten=$(decode 600)
that "nor does decoding them ($minute and $ten KiB)" test "$ten" -lt $((minute + 6144))
check 'they last ten minutes' 0 '"passed":true' '' -- "$BIN/verify" --expect-duration 600 --duration-tolerance 0.001 --max-silence 600 600.wav
check 'and can be continued' 0 '' '' -- "$BIN/sample-tokens" --quiet --model "$TINY" --device cpu --guidance 1 --condition a.condition --duration 2 --continue 600.tokens --output 602.tokens
that 'by two seconds' grep -aq '"frames\\":30100,' 602.tokens
finish
