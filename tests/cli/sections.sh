#!/usr/bin/env bash
# sample-tokens --section, and pieces of many windows: a change falls on its frame, the music goes on over it, and memory does not
# grow with the duration. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
cd "$WORK" || exit 1
sample() { "$BIN/sample-tokens" --model "$TINY" --device cpu --seed 3 "$@"; }
encode() { "$BIN/encode-text" --model "$TINY" --prompt "$1" --output "$2"; }

# The codes of a tokens file, a number a line.
codes() { # FILE
    local header
    header=$(od -An -N8 -t d8 "$1")
    od -An -v -w4 -t d4 -j $((8 + header)) "$1"
}
same() { cmp <(codes "$1") <(codes "$2"); }
starts() { # FILE: the frames of its sections, by its recipe
    grep -ao 'frame\\":[0-9]*,\|frame\\":[0-9]*}' "$1" | tr -dc '0-9\n' | tr '\n' ' '
}

encode 'drums and bass' a.condition
encode 'a slow piano melody' b.condition
encode '' c.condition

# A piece whose changes carry all that is there already is a chain of continuations.
check 'three sections, one of a single frame' 0 '' '' -- sample --condition a.condition --section 0.62=b.condition --section 0.64=c.condition --duration 1.23 --output piece.tokens
that 'begin where they should' test "$(starts piece.tokens)" = '0 31 32 '
sample --condition a.condition --duration 0.62 --output 1.tokens
sample --condition b.condition --duration 0.02 --continue 1.tokens --output 2.tokens
sample --condition c.condition --duration 0.59 --continue 2.tokens --output 3.tokens
that 'are what continuing one after another gives' same piece.tokens 3.tokens
check 'sections of a continuation count new seconds' 0 '' '' -- sample --condition b.condition --section 0.02=c.condition --duration 0.61 --continue 1.tokens --output new.tokens
that 'to the same end' same new.tokens 3.tokens
that 'and its frame is of the whole piece' test "$(starts new.tokens)" = '0 0 32 ' # the first is of what is continued
check 'sums of decimals' 0 '' '' -- sample --condition a.condition --section 0.1=b.condition --section 0.30000000000000004=a.condition --section 0.58=b.condition --duration 0.6 --output sums.tokens
that 'fall on their frames' test "$(starts sums.tokens)" = '0 5 15 29 '

# The demo model: windows of 10 s.
for name in tune wind; do "$BIN/encode-text" --model "$MODEL" --prompt "a $name" --output $name.condition; done
demo() { "$BIN/sample-tokens" --quiet --model "$MODEL" --device cpu --guidance 1 "$@"; }
check 'a change at the end of a window' 0 '' '' -- demo --condition tune.condition --section 10=wind.condition --duration 10.2 --output edge.tokens
demo --condition tune.condition --duration 10 --output 1.tokens
demo --condition wind.condition --duration 0.2 --continue 1.tokens --output 2.tokens
that 'is a continuation, too' same edge.tokens 2.tokens
check 'adds no window' 0 'in 2 windows' '' -- demo --condition tune.condition --section 10=wind.condition --duration 10.2 --dry-run
check 'a change just before it does' 0 'in 3 windows' '' -- demo --condition tune.condition --section 2=wind.condition --section 9.98=tune.condition --duration 10.2 --dry-run

# --- a melody model ---
MELODY=$TESTS/parity/tiny-melody
demo --condition tune.condition --duration 2 --output tune.tokens
"$BIN/decode-audio" --quiet --model "$MODEL" --tokens tune.tokens --output tune.wav
follow() { "$BIN/sample-tokens" --model "$MELODY" --device cpu --melody tune.melody "$@"; }
that 'a melody' "$BIN/encode-audio" --model "$MELODY" --as melody --input tune.wav --output tune.melody
for name in a b; do "$BIN/encode-text" --model "$MELODY" --prompt "prompt $name" --output m$name.condition; done
check 'sections under a melody' 0 '' '' -- follow --condition ma.condition --section 0.5=mb.condition --duration 1 --output followed.tokens
follow --condition ma.condition --duration 0.5 --output 1.tokens
follow --condition mb.condition --duration 0.5 --continue 1.tokens --output 2.tokens
that 'are what continuing gives' same followed.tokens 2.tokens

# --- refusals ---
refuse() { # NAME PATTERN FLAGS...
    local name=$1 pattern=$2
    shift 2
    check "$name" 2 '' "^sample-tokens: '--section $pattern" -- sample --condition a.condition --output x.tokens "$@"
    that 'in one line' test "$(wc -l <"$ERR")" -eq 1
}
refuse 'two at one time' '5=b.condition. starts no later than the one before it' --section 5=b.condition --section 5=b.condition
refuse 'not rising' '4=b.condition. starts no later than the one before it' --section 5=b.condition --section 4=b.condition
refuse 'in the first frame' '0.01=b.condition. starts in the same frame as the section before it: they are 0.02 s apart at least' --section 0.01=b.condition
refuse 'in one frame' '1.0[0-9]*=c.condition. starts in the same frame' --section 1=b.condition --section 1.019=c.condition
refuse 'at the end' '2=b.condition. starts at or after the end: --duration is 2 s' --duration 2 --section 2=b.condition
refuse 'after the last frame' '2=b.condition. starts after the last frame: --duration 2.01 is 100 frames of 0.02 s' --duration 2.01 --section 2=b.condition
refuse 'not a number' 'nan=b.condition.: .nan. is no number of seconds' --section nan=b.condition
refuse 'before the beginning' '-1=b.condition.: .-1. is no number of seconds' --section=-1=b.condition
check 'a file that is not there' 1 '' "^sample-tokens: .*'none.condition'" -- sample --condition a.condition --section 1=none.condition --output x.tokens

# --- memory ---
planned() { sample --condition a.condition --duration "$1" --dry-run | sed -n 's/^total *\([0-9]*\).*/\1/p'; }
that 'no more is planned for four hours than for a minute' test -n "$(planned 60)" -a "$(planned 60)" = "$(planned 14400)"
peak() { # SECONDS: the most memory that sampling so much takes, in KiB
    python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' "$BIN/sample-tokens" --quiet --model "$MODEL" --device cpu --guidance 1 --extend-stride 8 \
        --condition tune.condition --section 1=wind.condition --duration "$1" --output long.tokens
}
if [ -n "${ASAN_OPTIONS:-}" ]; then
    skip 'no more is taken for twice the duration' 'a sanitizer keeps what was freed'
else
    short=$(peak 11) whole=$(peak 22)
    # Largest seen: 2.8 MiB more (36 s after 12).
    that "no more is taken for twice the duration ($short and $whole KiB)" test "$whole" -lt $((short + 4096))
fi
finish
