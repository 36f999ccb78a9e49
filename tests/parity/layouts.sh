#!/usr/bin/env bash
# One model in every layout gives the same condition, tokens and sound, byte by byte; and what is wrong with a layout is said.
# The model's own layout is held against the reference by the other scripts here. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"
cd "$WORK" || exit 1
MAKE="$TESTS/parity/make-torch-file.py"
export HF_HUB_CACHE=$WORK/hub HOME=$WORK
unset HF_HOME XDG_CACHE_HOME AUDIOCRAFT_CACHE_DIR
made() { python3 "$MAKE" "$1" "$TINY" "$2" "${@:3}"; }

results() { # MODEL NAME: the three stages; metadata names the model, so that arrays alone are compared
    "$BIN/encode-text" --model "$1" --device cpu --prompt 'calm piano' --output "$2.condition" &&
        "$BIN/sample-tokens" --model "$1" --device cpu --threads 1 --condition "$2.condition" --duration 0.5 --seed 3 --output "$2.tokens" &&
        "$BIN/decode-audio" --model "$1" --device cpu --threads 1 --tokens "$2.tokens" --output "$2.wav"
}
same() { # NAME
    local file
    for file in condition tokens; do
        python3 -c 'import sys
def arrays(path):
    data = open(path, "rb").read()
    return data[8 + int.from_bytes(data[:8], "little"):]
sys.exit(arrays(sys.argv[1]) != arrays(sys.argv[2]))' "own.$file" "$1.$file" || return
    done
    cmp own.wav "$1.wav"
}
that 'the stored layout' results "$TINY" own
layout() { # NAME KIND OPTIONS...
    that "made: $*" made "$2" "$1" "${@:3}"
    that "runs" results "$1" "$1"
    that "gives the same" same "$1"
}
layout bin-shards hf --shards 3 --f32 --zip64
layout bin-columns hf --transposed
layout safetensors-shards hf --shards 2 --f32 --safetensors
layout craft audiocraft
made audiocraft craft-zip64 --zip64 --pointer facebook/encodec_32khz

# Parts in the hub's cache, and the model by its name there.
snapshot() { # REPOSITORY FOLDER
    mkdir -p "hub/models--$1/snapshots/abc" "hub/models--$1/refs" && printf abc >"hub/models--$1/refs/main" && mv "$2"/* "hub/models--$1/snapshots/abc/"
}
snapshot google-t5--t5-base craft-zip64/t5-base
snapshot facebook--encodec_32khz craft-zip64/encodec_32khz
rmdir craft-zip64/*/
check 'the parts come from the cache' 0 '' 'another model' -- "$BIN/decode-audio" --model craft-zip64 --device cpu --threads 1 --tokens own.tokens --output cached.wav
that 'gives the same sound' cmp own.wav cached.wav
snapshot facebook--musicgen-small craft-zip64
that 'the model comes from there, too' results small named
that 'gives the same' same named
rm -r hub/models--google-t5--t5-base
check 'a missing text encoder is named with the places and the command' 1 '' \
    "needs 't5-base', which is not in '.*/t5-base', '.*hub'.*; fetch it with: fetch-model t5-base" -- \
    "$BIN/encode-text" --model small --prompt x --output x.condition

# Both layouts in one folder: the one of fewer bytes, if it is whole.
cp -r bin-shards both && cp -r craft/* both/
that 'of two layouts the smaller' results both both
that 'gives the same' same both
rm -r both/t5-base
printf x >both/state_dict.bin
check 'the other if that is not whole' 0 '' 'another model' -- "$BIN/decode-audio" --model both --device cpu --threads 1 --tokens own.tokens --output both2.wav
that 'gives the same sound' cmp own.wav both2.wav

decode() { check "$1" 1 '' "$3" -- "$BIN/decode-audio" --model "$2" --tokens own.tokens --output x.wav; }
made audiocraft zeros --pad-mode constant
check 'padding with zeros is read from the file' 0 '' 'another model' -- "$BIN/decode-audio" --model zeros --tokens own.tokens --output zeros.wav
that 'and changes the sound' bash -c '! cmp -s own.wav zeros.wav'
made audiocraft replicate --pad-mode replicate
decode 'other padding is refused' replicate "pad_mode is 'replicate', expected 'reflect' or 'constant'"
refused() { # SETTING REASON
    rm -rf changed
    made audiocraft changed --set "$1"
    decode "$1" changed "$2"
}
refused 'transformer_lm.norm_first=false' "state_dict.bin': xp.cfg: transformer_lm.norm_first is false, and only true"
refused 'transformer_lm.qk_layer_norm=true' 'qk_layer_norm is true, and only false'
refused 'transformer_lm.wonder=7' 'transformer_lm.wonder is set and not known'
refused 'transformer_lm.dim="${transformer_lm.dim}"' 'which leads nowhere'
refused 'transformer_lm.num_heads=3' "in the terms of a config.json: decoder.hidden_size is 128 with 3 heads"
refused 'codebooks_pattern.delay.delays=[0,1,2,2]' 'delays are not 0, 1, 2, 3'
refused 'codebooks_pattern.modeling="parallel"' 'only "delay" is supported'
refused 'fuser.prepend=["description"]' 'wire the model in a way that is not supported'
refused 'conditioners.self_wav.model="style"' 'musicgen-style follows an excerpt.s style by a second network'
refused 'conditioners.description.t5.name="../t5"' "is '../t5', which is no name of a repository"
made audiocraft old --set codebooks_pattern.modeling=null --set 'transformer_lm.q_modeling="delay"' --set dataset.segment_duration=10 \
    --set classifier_free_guidance.inference_coef=2.5
check 'an early file is read' 0 '' '' -- \
    "$BIN/sample-tokens" --model old --device cpu --condition own.condition --duration 0.5 --output old.tokens
that 'its window and stride are its own' grep -aq '\\"stride_frames\\":300,.*\\"window_frames\\":500' old.tokens
that 'so is its guidance' grep -aq '\\"guidance\\":2.5' old.tokens

# Hostile and foreign files.
mkdir legacy && cp "$TINY/config.json" "$TINY/spiece.model" legacy/
printf '\x80\x02\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.' >legacy/pytorch_model.bin
decode 'a file of old is refused with advice' legacy "legacy/pytorch_model.bin': written by PyTorch before 1.6.*model.safetensors"
mkdir evil && cp "$TINY/config.json" "$TINY/spiece.model" evil/
python3 - evil/pytorch_model.bin <<'PYTHON'
import os, pickle, sys, zipfile
class Evil:
    def __reduce__(self):
        return os.system, ("touch executed",)
with zipfile.ZipFile(sys.argv[1], "w") as archive:
    archive.writestr("x/data.pkl", pickle.dumps({"a": Evil()}, 2))
PYTHON
decode 'a pickle that calls is refused' evil "evil/pytorch_model.bin': the pickle calls 'posix.system', which no model needs; it is not executed"
that 'and nothing was executed' test ! -e executed
head -c 100000 bin-columns/pytorch_model.bin >evil/pytorch_model.bin
decode 'half a file' evil "evil/pytorch_model.bin': no whole ZIP archive"
python3 -c 'import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as archive: archive.writestr("x/data.pkl", b"\x80\x02}." + bytes(999))' evil/pytorch_model.bin
decode 'a compressed archive' evil "member 'x/data.pkl': it is compressed"
rm evil/pytorch_model.bin craft/compression_state_dict.bin
decode 'no weights' evil "holds no weights: neither 'model.safetensors' nor 'pytorch_model.bin'"
decode 'half of audiocraft' craft "holds 'state_dict.bin' but no 'compression_state_dict.bin'"
finish
