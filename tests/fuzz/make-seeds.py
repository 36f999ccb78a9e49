#!/usr/bin/env python3
"""Good model folders of a few kilobytes for the fuzzer, in every layout. SPDX-License-Identifier: Apache-2.0

make-seeds.py MODEL OUT      MODEL: a folder in transformers' layout, for its config.json; tensors are few and tiny
"""
import json
import os
import shutil
import struct
import subprocess
import sys

MAKE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "parity", "make-torch-file.py")
LAYER = "decoder.model.decoder.layers.0."
NAMES = [LAYER + f"{kind}.{part}_proj.weight" for kind in ("self_attn", "encoder_attn") for part in ("q", "k", "v", "out")]
NAMES += [LAYER + "fc1.weight", "decoder.lm_heads.0.weight", "enc_to_dec_proj.bias", "text_encoder.shared.weight",
          "text_encoder.encoder.final_layer_norm.weight", "audio_encoder.decoder.layers.0.conv.weight_g",
          "audio_encoder.decoder.layers.3.conv.bias", "audio_encoder.quantizer.layers.0.codebook.embed"]


def main(model, out):
    base = os.path.join(out, "safetensors")
    os.makedirs(base)
    for name in ("config.json", "generation_config.json"):
        shutil.copyfile(os.path.join(model, name), os.path.join(base, name))
    open(os.path.join(base, "spiece.model"), "wb").close()  # not read here
    shapes = {name: [2, 2] if name.endswith("weight") else [3] for name in NAMES}
    header, at, data = {}, 0, b""
    for name, shape in shapes.items():
        size = 2 * (4 if len(shape) == 2 else 3)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [at, at + size]}
        data, at = data + bytes(range(size)), at + size
    text = json.dumps(header).encode()
    with open(os.path.join(base, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
    for name, options in (("bin", ["hf"]), ("shards", ["hf", "--shards", "2", "--transposed"]),
                          ("safetensors-shards", ["hf", "--shards", "2", "--safetensors"]), ("zip64", ["hf", "--zip64"]),
                          ("audiocraft", ["audiocraft"]), ("pointer", ["audiocraft", "--pointer", "facebook/encodec_32khz"])):
        subprocess.run([sys.executable, MAKE, options[0], base, os.path.join(out, name), *options[1:]], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
