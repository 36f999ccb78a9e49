#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""repositories.py TINY FOLDER: made-up repositories for server.py, of the tiny model's files."""
import json
import os
import shutil
import struct
import sys

tiny, folder = sys.argv[1:3]


def repository(name, *files):
    os.makedirs(os.path.join(folder, name))
    for file in files:
        shutil.copy(os.path.join(tiny, file), os.path.join(folder, name))


def put(name, content):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(content)


def noise(length, seed):
    return bytes((seed + i * i // 7 + i // 251) & 255 for i in range(length))


SMALL = ("config.json", "generation_config.json", "spiece.model")
repository("acme/tiny", *SMALL, "model.safetensors")
repository("acme/new-name", *SMALL, "model.safetensors")
repository("facebook/musicgen-small", *SMALL, "model.safetensors")

# Shards, of which the index names the one that holds everything.
repository("acme/shards", *SMALL)
shutil.copy(os.path.join(tiny, "model.safetensors"), os.path.join(folder, "acme/shards/model-00001-of-00001.safetensors"))
with open(os.path.join(tiny, "model.safetensors"), "rb") as weights:
    header = json.loads(weights.read(struct.unpack("<Q", weights.read(8))[0]))
names = [name for name in header if name != "__metadata__"]
index = {"metadata": {"total_size": 1}, "weight_map": {name: "model-00001-of-00001.safetensors" for name in names}}
put("acme/shards/model.safetensors.index.json", json.dumps(index).encode())
repository("acme/hostile", *SMALL)
put("acme/hostile/model.safetensors.index.json", b'{"weight_map": {"a": "../../tiny/model.safetensors"}}')
repository("acme/hole", *SMALL)
put("acme/hole/model.safetensors.index.json", b'{"weight_map": {"a": "model-00001-of-00002.safetensors"}}')

# Pickles in transformers' form; contents that nothing here reads.
repository("acme/pickle", *SMALL)
put("acme/pickle/pytorch_model.bin", noise(50000, 1))

# Both forms: audiocraft's with its companions is smaller than transformers'; and one whose codec is a pointer.
for name, codec in ("acme/both", 70000), ("acme/pointer", 589):
    repository(name, *SMALL, "model.safetensors")
    put(name + "/state_dict.bin", noise(300000, 2))
    put(name + "/compression_state_dict.bin", noise(codec, 3))
repository("facebook/audiogen-medium")
repository("acme/alone")
put("acme/alone/state_dict.bin", noise(300000, 9))
put("acme/alone/compression_state_dict.bin", noise(70000, 3))
put("facebook/audiogen-medium/state_dict.bin", noise(200000, 4))
put("facebook/audiogen-medium/compression_state_dict.bin", noise(70000, 5))
repository("t5-base", "config.json", "spiece.model")
put("t5-base/model.safetensors", noise(100000, 6))
repository("t5-large", "config.json", "spiece.model")
put("t5-large/model.safetensors", noise(120000, 7))
repository("facebook/encodec_32khz", "config.json")
put("facebook/encodec_32khz/model.safetensors", noise(90000, 8))
repository("acme/empty")
