#!/usr/bin/env bash
# The tables of docs/memory.md are what the programs plan: made anew with models of every published shape, whose weights are holes in
# files, on the fake GPU of tests/fake-gpu. Some 60 s, nearly all of it libtorch being opened 77 times. SPDX-License-Identifier: Apache-2.0
#
#   tests/docs/memory.sh --update   writes the tables into docs/memory.md
. "$(dirname "$0")/../cli/lib.sh"
. "$TESTS/fake-gpu/use.bash"
cd "$WORK" || exit 1
fake_gpu 'the tables of docs/memory.md' || { finish; exit; }
if ldd "$BIN/sample-tokens" | grep -q libasan; then
    skip 'the tables of docs/memory.md' 'they take a minute, and the plans have other tests that a sanitizer sees'
    finish
    exit
fi
BENCH=$(dirname "$BIN")/bench PAGE=$PROJECT/docs/memory.md
SHAPES=(small medium large melody melody-large stereo-small stereo-medium stereo-large stereo-melody stereo-melody-large audiogen)
TEXT=30 SECONDS_OF_A_TRACK=30 TRACKS=8
export FAKE_GPU_CONTEXT=450M FAKE_GPU_NAME='NVIDIA GeForce RTX 3080'
RESERVE=$((256 << 20)) CONTEXT=$((450 << 20)) # of tools/lib/nn/budget.c; assumed

little_endian() { printf "\\x$(printf %02x $(($1 & 255)))\\x$(printf %02x $(($1 >> 8)))\\0\\0\\0\\0\\0\\0"; } # below 65536, in 8 bytes
condition() { # FILE WIDTH: zeros
    local hidden=$((4 * TEXT * $2)) header
    header=$(printf '{"__metadata__":{"format":"leitmotif.condition/1"},"hidden":{"dtype":"F32","shape":[%d,%d],"data_offsets":[0,%d]},"ids":{"dtype":"I32","shape":[%d],"data_offsets":[%d,%d]}}' \
        $TEXT "$2" $hidden $TEXT $hidden $((hidden + 4 * TEXT)))
    { little_endian ${#header} && printf %s "$header" && head -c $((hidden + 4 * TEXT)) /dev/zero; } >"$1"
}
jobs_of() { # SHAPE COUNT: JSON lines
    local condition=base.condition i
    [ "$1" != audiogen ] || condition=large.condition
    for ((i = 0; i < $2; i++)); do echo "{\"condition\":\"$condition\",\"duration\":$SECONDS_OF_A_TRACK,\"output\":\"$1.$i\"}"; done
}
planned() { # MEMORY SHAPE TRACKS OPTIONS...: the first track's line of the plan
    jobs_of "$2" "$3" | FAKE_GPU_MEMORY=$1 "$BIN/sample-tokens" --model "./$2" --device cuda --dry-run --jobs - --quiet "${@:4}" 2>/dev/null | head -n 1
}
name_of() { [ "$1" = audiogen ] && echo audiogen-medium || echo "$1"; }

# a row a model, a column a GPU: tracks at once, or what the refusal advises
fit_of() { # SHAPE GIGABYTES
    planned "$2G" "$1" $TRACKS | jq -r 'if .status == "done" then .batch
        elif .error | test("; try ") then "`" + (.error | sub(".*; try "; "")) + "`"
        else "needs " + (.error | capture("needs (?<size>[0-9.]+ [GM]B)").size) end'
}
fits() {
    local shape memory
    echo '| model | 6 GB | 8 GB | 10 GB | 12 GB | 24 GB |'
    echo '|---|---|---|---|---|---|'
    for shape in "${SHAPES[@]}"; do
        printf '| %s |' "$(name_of "$shape")"
        for memory in 6 8 10 12 24; do printf ' %s |' "$(fit_of "$shape" $memory)"; done
        echo
    done
}

# a row a model and batch, in GB
PARTS='def gb: (. / 1073741824 * 100 | ceil) as $n | "\($n / 100 | floor).\($n % 100 + 100 | tostring[1:])";
    .memory | . as $memory | def sum($names): [$names[] | $memory[.] // 0] | add;
    sum(["embeddings", "text projection", "melody projection", "norms", "self-attention", "cross-attention", "feed-forward", "heads"]) as $weights |
    sum(["key/value cache"]) as $caches | sum(["text key/value cache", "prefixes"]) as $text |
    [$weights, $caches, $text, .total - $weights - $caches - $text - .libraries, .libraries, .total, .total + $beside] | map(gb) | join(" | ")'
parts() {
    local shape batch
    echo '| model | tracks | weights | caches | text | scratch | libraries | plan | with context and reserve |'
    echo '|---|---|---|---|---|---|---|---|---|'
    for shape in "${SHAPES[@]}"; do
        for batch in 1 4; do
            printf '| %s | %d | %s |\n' "$(name_of "$shape")" $batch "$(planned 80G "$shape" $batch --batch $batch |
                jq -r --argjson beside $((RESERVE + CONTEXT)) "$PARTS")"
        done
    done
}

# T5 and EnCodec, in MB
other_row() { # NAME PLAN-OF SHAPE TEXT GROUPS
    printf '| %s | %s |\n' "$1" "$("$BENCH/plans" --model "./$3" --text "$4" | jq -r ".\"$2\" as \$plan | [$5] | map(\$plan[.] // 0 | . / 1048576 | ceil) | join(\" | \")")"
}
others() {
    local text='"weights", "loading", "work", "libraries", "total"' codec='"weights", "loading", "chunks", "blocks", "libraries", "total"'
    case $1 in
    text)
        echo '| text encoder | weights | loading | work | libraries | plan |'
        echo '|---|---|---|---|---|---|'
        other_row 'T5-base, 30 tokens' encode-text small 30 "$text"
        other_row 'T5-base, 600 tokens' encode-text small 600 "$text"
        other_row 'T5-large (AudioGen), 30 tokens' encode-text audiogen 30 "$text"
        ;;
    codec)
        echo '| codec | weights | loading | chunks | blocks | libraries | plan |'
        echo '|---|---|---|---|---|---|---|'
        other_row 'decode-audio, 32 kHz' decode-audio small 30 "$codec"
        other_row 'decode-audio, 32 kHz stereo' decode-audio stereo-small 30 "$codec"
        other_row 'decode-audio, 16 kHz (AudioGen)' decode-audio audiogen 30 "$codec"
        other_row 'encode-audio, 32 kHz' encode-audio small 30 "$codec"
        ;;
    esac
}

# What programs say of too little.
refusals() {
    echo '```'
    FAKE_GPU_MEMORY=1G "$BIN/decode-audio" --model ./small --tokens tokens --output wav --device cuda 2>&1
    "$BIN/encode-text" --model ./small --prompt a --output condition --device cuda --memory 256M 2>&1
    FAKE_GPU_MEMORY=6G "$BIN/sample-tokens" --model ./large --condition base.condition --duration 30 --output tokens --device cuda --dry-run 2>&1 >plan
    FAKE_GPU_MEMORY=6G "$BIN/sample-tokens" --model ./melody-large --condition base.condition --duration 30 --output tokens --device cuda --dry-run 2>&1 >plan
    echo '```'
}

# What stands on the page after the line <!-- NAME -->.
on_page() { sed -n "/^<!-- $1 -->\$/,/^\$/p" "$PAGE" | sed '1d;$d'; }
compare() { # NAME: with the file of that name
    if [ "$UPDATE" = yes ]; then
        sed -i -e "/^<!-- $1 -->\$/,/^\$/{//!d}" -e "/^<!-- $1 -->\$/r $1" "$PAGE"
    fi
    that "docs/memory.md has '$1' as it is" diff <(on_page "$1") "$1"
}

UPDATE=no
[ "${1-}" != --update ] || UPDATE=yes
condition base.condition 768
condition large.condition 1024
for shape in "${SHAPES[@]}"; do
    check "a model of shape $shape" 0 '' '' -- "$BENCH/make-model" --sparse --shape "$shape" --tokenizer "$MODEL/spiece.model" --output "$shape"
done
that 'weights are no load for the disk' test "$(du -sm . | cut -f 1)" -lt 50
fits >fits
parts >parts
others text >text
others codec >codec
refusals >refusals
for table in fits parts text codec refusals; do compare $table; done

# --- the promise: 10 GiB in all ---
in_all() { awk -F' *[|] *' -v model="$1" -v tracks="$2" '$2 == model && $3 == tracks { print $(NF - 1) }' parts; }
that "medium at batch 4 is below 10 GB in all: $(in_all medium 4)" jq -ne "$(in_all medium 4) < 10"
that "large at batch 1 is below 10 GB in all: $(in_all large 1)" jq -ne "$(in_all large 1) < 10"
finish
