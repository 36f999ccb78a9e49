#!/usr/bin/env bash
# Greedy tokens of the programs, from the prompt on, against stored ones of transformers: guided, plain, continued.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"
folder=${LEITMOTIF_PARITY:-$TINY}
folder=$(cd "$folder" && pwd)
cd "$WORK" || exit 1

# The numbers of an integer array in a safetensors file, one a line.
numbers() { # FILE ARRAY BYTES
    local length header range
    length=$(od -An -N8 -t d8 "$1" | tr -d ' ')
    header=$(head -c $((8 + length)) "$1" | tail -c "$length")
    range=$(grep -o "\"$2\":{[^}]*}" <<<"$header" | grep -o '"data_offsets": *\[[0-9, ]*\]' | tr -dc '0-9,')
    od -An -v -w"$3" -t d"$3" -j $((8 + length + ${range%,*})) -N $((${range#*,} - ${range%,*})) "$1" | tr -d ' '
}
frames() { echo $(($(numbers "$folder/reference.safetensors" "$1" 8 | wc -l) / codebooks)); }
seconds() { awk "BEGIN {print $1 / 50}"; }
equal() { # ARRAY FILE
    numbers "$folder/reference.safetensors" "$1" 8 >expected
    numbers "$2" codes 4 >made
    [ -s expected ] && diff expected made
}
codebooks=$(grep -o '"num_codebooks": *[0-9]*' "$folder/config.json" | tr -dc 0-9)
sample() { "$BIN/sample-tokens" --model "$folder" --device cpu --cache f32 --condition prompt.condition "$@"; }

that 'the condition' "$BIN/encode-text" --model "$folder" --device cpu --prompt '80s pop track with bassy drums and synth' --output prompt.condition
for engine in torch cpu; do
    for weights in f32 f16; do
        check "greedy, engine $engine, weights $weights" 0 '' '' -- sample --engine $engine --weights $weights --greedy --duration "$(seconds "$(frames greedy.codes)")" --output greedy.tokens
        that 'equals the reference' equal greedy.codes greedy.tokens
    done
done
for engine in torch cpu; do
    check "greedy without guidance, engine $engine" 0 '' '' -- sample --engine $engine --temperature 0 --guidance 1 --duration "$(seconds "$(frames greedy_nocfg.codes)")" --output plain.tokens
    that 'equals the reference' equal greedy_nocfg.codes plain.tokens
done

# The tokens to continue, as a tokens file: the program's own, greedy, are not what the reference continued.
prompt=$(frames continuation.prompt)
header="{\"__metadata__\":{\"format\":\"leitmotif.tokens/1\"},\"codes\":{\"dtype\":\"I32\",\"shape\":[$codebooks,$prompt],\"data_offsets\":[0,$((4 * codebooks * prompt))]}}"
while [ $((${#header} % 8)) -ne 0 ]; do header="$header "; done
bytes() { # NUMBER COUNT: little-endian
    local i
    for ((i = 0; i < $2; i++)); do printf "\\x$(printf %02x $((($1 >> (8 * i)) & 255)))"; done
}
{
    bytes ${#header} 8
    printf %s "$header"
    numbers "$folder/reference.safetensors" continuation.prompt 8 | while read -r code; do bytes "$code" 4; done
} >prompt.tokens
for engine in torch cpu; do
    check "continued, engine $engine" 0 '' '' -- sample --engine $engine --greedy --continue prompt.tokens --duration "$(seconds $(($(frames continuation.codes) - prompt)))" --output continued.tokens
    that 'equals the reference' equal continuation.codes continued.tokens
done
finish
