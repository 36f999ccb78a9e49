#!/usr/bin/env bash
# --weights int8: damaged weights are told, not rounded away; and the program that measures what int8 loses. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
cd "$WORK" || exit 1
INT8=$(dirname "$BIN")/bench/int8
tokens() { "$BIN/sample-tokens" --device cpu --condition drums.condition --duration 0.2 --output x.tokens "$@"; }
that 'a condition to begin with' "$BIN/encode-text" --model "$TINY" --prompt 'drums and bass' --output drums.condition

# --- damaged weights ---
# One float16 of a tensor of a copy of the model.
damage() { # TENSOR INDEX BYTES
    local file=damaged/model.safetensors length offset
    rm -rf damaged
    cp -rL "$TINY" damaged
    length=$(od -An -N8 -t d8 "$file" | tr -d ' ')
    offset=$(head -c $((8 + length)) "$file" | tail -c "$length" | jq ".[\"$1\"].data_offsets[0]")
    printf "%b" "$3" | dd of="$file" bs=1 seek=$((8 + length + offset + 2 * $2)) conv=notrunc status=none
}
NOT_A_NUMBER='\x00\x7e' INFINITE='\x00\xfc'
layer=decoder.model.decoder.layers
for place in $layer.0.self_attn.v_proj:128:row\ 1 $layer.1.fc2:65535:row\ 127 $layer.1.encoder_attn.q_proj:0:row\ 0 decoder.lm_heads.3:65535:row\ 511; do
    IFS=: read -r name index row <<<"$place"
    for value in "$NOT_A_NUMBER" "$INFINITE"; do
        damage "$name.weight" "$index" "$value"
        check "$name with $value in int8" 1 '' "^sample-tokens: 'damaged': tensor '$name.weight' has a weight in $row that is not finite: the model is damaged, fetch it again$" -- \
            tokens --model damaged --weights int8
        check "$name with $value in f16" 1 '' "^sample-tokens: .*logits are not finite: its weights are damaged" -- tokens --model damaged
    done
done
for name in enc_to_dec_proj $layer.1.encoder_attn.k_proj; do # not in int8, whatever --weights says
    damage $name.weight 5 "$NOT_A_NUMBER"
    check "$name with int8 for the others" 1 '' "^sample-tokens: .*logits are not finite: its weights are damaged" -- tokens --model damaged --weights int8
done
that 'nothing was written' test ! -e x.tokens
damage decoder.lm_heads.3.weight 0 '\xff\x7b'
check 'the largest float16 is no damage' 0 '' '' -- tokens --model damaged --weights int8

# --- the measuring program ---
check 'bench/int8' 0 'tiny-text: 23 columns, 4 codebooks of 512 tokens, guidance 3\n.*int8, cache f32 +with +80 .*int8, cache f32 +guided +80 .*all but the heads +guided' '' -- \
    "$INT8" --model "$TINY" --condition drums.condition --duration 0.4
"$BIN/encode-text" --model "$TINY" --prompt '' --output nothing.condition
check 'of what is not guided' 0 'int8, cache f32 +with +80 ' '' -- "$INT8" --model "$TINY" --condition nothing.condition --duration 0.4
that 'there is one row of logits only' test "$(grep -cE 'without|guided' "$OUT")" -eq 0
check 'without a model' 2 '' '^int8: --model is missing' -- "$INT8" --condition drums.condition
check 'without a condition' 2 '' '^int8: --condition is missing' -- "$INT8" --model "$TINY"
check 'a condition that is not there' 1 '' "^int8: .*'nowhere'" -- "$INT8" --model "$TINY" --condition nowhere
check 'more than a window' 2 '' "^int8: '--duration 31' is longer than one window of 'tiny-text'" -- "$INT8" --model "$TINY" --condition drums.condition --duration 31
finish
