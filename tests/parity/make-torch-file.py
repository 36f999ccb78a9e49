#!/usr/bin/env python3
"""Writes a model that is in transformers' layout (model.safetensors) in the other layouts. SPDX-License-Identifier: Apache-2.0

make-torch-file.py hf         FOLDER OUT [--shards N] [--f32] [--zip64] [--transposed] [--safetensors]
make-torch-file.py audiocraft FOLDER OUT [--zip64] [--pointer NAME] [--pad-mode MODE] [--set KEY=VALUE]...

hf: pytorch_model.bin, or shards with an index; --transposed: matrices stored by columns, all in one storage;
--safetensors: safetensors files instead. audiocraft: state_dict.bin, compression_state_dict.bin, t5-base/. --pointer: the codec
in OUT/NAME in transformers' layout. --set: another value of the language model's xp.cfg. --zip64: every size and offset of the
archive in its ZIP64 fields. Only the standard library is used: its own pickler, with stand-ins for PyTorch's names.
"""
import argparse
import array
import collections
import functools
import io
import json
import math
import os
import pickle
import re
import shutil
import struct
import sys
import types
import zipfile

SIZES = {"F16": 2, "F32": 4, "BF16": 2, "I64": 8}
STORAGES = {"F16": "HalfStorage", "F32": "FloatStorage", "BF16": "BFloat16Storage", "I64": "LongStorage"}


def stand_ins():
    """Modules of PyTorch's names, which the pickler looks up; nothing of them is called."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    utils._rebuild_tensor_v2 = lambda *_: None
    utils._rebuild_tensor_v2.__module__, utils._rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2.__name__ = "_rebuild_tensor_v2"
    sys.modules.update({"torch": torch, "torch._utils": utils})
    return torch, utils


class Storage:
    def __init__(self, kind, data):
        self.kind, self.data = kind, data


class Tensor:
    def __init__(self, kind, shape, data, offset=0, stride=None, storage=None):
        self.kind, self.shape, self.data = kind, list(shape), data
        self.storage, self.offset, self.stride = storage or Storage(kind, data), offset, stride or row_major(shape)

    def __reduce__(self):
        arguments = (self.storage, self.offset, tuple(self.shape), tuple(self.stride), False, collections.OrderedDict())
        return sys.modules["torch._utils"]._rebuild_tensor_v2, arguments


def row_major(shape):
    return [math.prod(shape[i + 1:]) for i in range(len(shape))]


class Pickler(pickle.Pickler):
    def __init__(self, file, torch):
        super().__init__(file, 2)
        self.torch, self.storages = torch, []

    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        if value not in self.storages:
            self.storages.append(value)
        return ("storage", getattr(self.torch, STORAGES[value.kind]), str(self.storages.index(value)), "cpu",
                len(value.data) // SIZES[value.kind])


def torch_save(value, path, zip64=False):
    """What torch.save(value, path) writes: the same members, data at multiples of 64 bytes."""
    torch, _ = stand_ins()
    stream = io.BytesIO()
    pickler = Pickler(stream, torch)
    pickler.dump(value)
    root = os.path.splitext(os.path.basename(path))[0]
    members = [("data.pkl", stream.getvalue()), ("byteorder", b"little")]
    members += [(f"data/{i}", storage.data) for i, storage in enumerate(pickler.storages)]
    members += [("version", b"3\n"), (".data/serialization_id", b"0" * 40)]
    zipfile.ZIP64_LIMIT = -1 if zip64 else (1 << 31) - 1
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members:
            write_member(archive, f"{root}/{name}", data)
    if zip64:
        widen_end(path)


def write_member(archive, name, data):
    info = zipfile.ZipInfo(name)
    header = archive.fp.tell() + 30 + len(name) + 20  # 20: zipfile's own ZIP64 field
    info.extra = struct.pack("<2sH", b"FB", (60 - header) % 64) + b"Z" * ((60 - header) % 64)
    with archive.open(info, "w", force_zip64=True) as member:
        member.write(data)


def widen_end(path):
    """All ones in the end record, so that only the ZIP64 one says where the directory is."""
    with open(path, "r+b") as file:
        file.seek(-22 + 8, os.SEEK_END)
        file.write(b"\xff" * 12)


def read_model(folder):
    data = open(os.path.join(folder, "model.safetensors"), "rb").read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    return {name: Tensor(t["dtype"], t["shape"], data[8 + length + t["data_offsets"][0]:8 + length + t["data_offsets"][1]])
            for name, t in header.items()}


def as_float32(tensor):
    if tensor.kind != "F16":
        return tensor
    count = len(tensor.data) // 2
    return Tensor("F32", tensor.shape, array.array("f", struct.unpack(f"<{count}e", tensor.data)).tobytes())


def by_columns(tensors):
    """The same values as views: one storage a type, matrices transposed in it."""
    parts, result = {}, {}
    storages = {kind: Storage(kind, b"") for kind in SIZES}
    for name, tensor in tensors.items():
        data, size, stride = tensor.data, SIZES[tensor.kind], tensor.stride
        if len(tensor.shape) == 2:
            values = array.array({2: "H", 4: "I", 8: "Q"}[size], data)
            rows, columns = tensor.shape
            data, stride = b"".join(values[c::columns].tobytes() for c in range(columns)), [1, rows]
        chunk = parts.setdefault(tensor.kind, bytearray())
        result[name] = Tensor(tensor.kind, tensor.shape, None, len(chunk) // size, stride, storages[tensor.kind])
        chunk += data
    for kind, chunk in parts.items():
        storages[kind].data = bytes(chunk)
    return result


def write_safetensors(path, tensors):
    header, at = {}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": tensor.kind, "shape": tensor.shape, "data_offsets": [at, at + len(tensor.data)]}
        at += len(tensor.data)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(tensor.data for tensor in tensors.values())


def write_json(path, value):
    with open(path, "w") as file:
        json.dump(value, file, indent=1)


def copy(folder, out, *names):
    os.makedirs(out, exist_ok=True)
    for name in names:
        shutil.copyfile(os.path.join(folder, name), os.path.join(out, name))


def write_hf(args):
    tensors = read_model(args.folder)
    copy(args.folder, args.out, "config.json", "generation_config.json", "spiece.model")
    if args.f32:
        tensors = {name: as_float32(tensor) for name, tensor in tensors.items()}
    if args.transposed:
        tensors = by_columns(tensors)
    stem, ending = ("model", "safetensors") if args.safetensors else ("pytorch_model", "bin")
    weight_map, names = {}, sorted(tensors)
    for shard in range(args.shards):
        part = f"-{shard + 1:05}-of-{args.shards:05}" if args.shards > 1 else ""
        chosen = collections.OrderedDict((name, tensors[name]) for name in names[shard::args.shards])
        path = os.path.join(args.out, f"{stem}{part}.{ending}")
        write_safetensors(path, chosen) if args.safetensors else torch_save(chosen, path, args.zip64)
        weight_map.update({name: os.path.basename(path) for name in chosen})
    if args.shards > 1:
        write_json(os.path.join(args.out, f"{stem}.{ending}.index.json"), {"metadata": {}, "weight_map": weight_map})


LANGUAGE_NAMES = [
    (r"^decoder\.model\.decoder\.embed_tokens", "emb"), (r"^decoder\.lm_heads", "linears"), (r"fc([12])\.", r"linear\1."),
    (r"^decoder\.model\.decoder\.layer_norm", "out_norm"), (r"^decoder\.model\.decoder\.layers", "transformer.layers"),
    (r"self_attn_layer_norm", "norm1"), (r"encoder_attn_layer_norm", "norm_cross"), (r"final_layer_norm", "norm2"),
    (r"encoder_attn", "cross_attention"), (r"q_proj\.weight", "in_proj_weight"),
    (r"^enc_to_dec_proj", "condition_provider.conditioners.description.output_proj")]
CODEC_NAMES = [(r"^audio_encoder\.", ""), (r"coder\.layers", "coder.model"),
               (r"quantizer\.layers\.(\d+)\.codebook", r"quantizer.vq.layers.\1._codebook")]


def rename(name, rules):
    return functools.reduce(lambda new, rule: re.sub(*rule, new), rules, name)


def language_state(tensors):
    state = collections.OrderedDict()
    for name, tensor in tensors.items():
        if not re.match(r"decoder\.|enc_to_dec_proj\.", name) or ".k_proj." in name or ".v_proj." in name:
            continue
        if ".q_proj." in name:
            packed = [tensors[name.replace("q_proj", f"{part}_proj")] for part in "qkv"]
            tensor = Tensor(tensor.kind, [3 * tensor.shape[0], tensor.shape[1]], b"".join(part.data for part in packed))
        state[rename(name, LANGUAGE_NAMES)] = tensor
    return state


def codec_state(tensors, ratios):
    state = collections.OrderedDict()
    for name, tensor in tensors.items():
        layer = re.match(r"audio_encoder\.decoder\.layers\.(\d+)\.conv\.", name)
        kind = "convtr" if layer and 0 < int(layer[1]) < 3 * ratios + 3 else "conv"
        if name.startswith("audio_encoder."):
            state[rename(name, CODEC_NAMES).replace(".conv.", f".{kind}.{kind}.")] = tensor
    return state


def language_config(config):
    decoder, channels = config["decoder"], config["decoder"].get("audio_channels", 1)
    codebooks = decoder["num_codebooks"]
    return {
        "sample_rate": config["audio_encoder"]["sampling_rate"], "channels": channels, "lm_model": "transformer_lm",
        "interleave_stereo_codebooks": {"use": channels == 2, "per_timestep": False},
        "codebooks_pattern": {"modeling": "delay", "delay": {"delays": [q // channels for q in range(codebooks)],
                                                             "flatten_first": 0, "empty_initial": 0}},
        "transformer_lm": {
            "dim": decoder["hidden_size"], "num_heads": decoder["num_attention_heads"], "hidden_scale": 4, "n_q": codebooks,
            "num_layers": decoder["num_hidden_layers"], "card": decoder["vocab_size"], "dropout": 0.0, "activation": "gelu",
            "norm": "layer_norm", "norm_first": True, "bias_ff": False, "bias_attn": False, "bias_proj": False,
            "past_context": None, "causal": True, "memory_efficient": True, "layer_scale": None,
            "positional_embedding": "sin", "cross_attention": False, "qk_layer_norm": False, "kv_repeat": 1},
        "classifier_free_guidance": {"inference_coef": 3.0},
        "fuser": {"cross_attention_pos_emb": False, "sum": [], "input_interpolate": [], "prepend": [], "cross": ["description"]},
        "conditioners": {"description": {"model": "t5", "t5": {"name": "t5-base", "normalize_text": False}}},
        "dataset": {"segment_duration": 30}}


def codec_config(codec, pad_mode):
    return {
        "sample_rate": codec["sampling_rate"], "channels": 1, "compression_model": "encodec",
        "encodec": {"autoencoder": "seanet", "quantizer": "rvq", "sample_rate": "${sample_rate}", "channels": "${channels}",
                    "causal": False, "renormalize": False},
        "seanet": {
            "dimension": codec["hidden_size"], "channels": "${channels}", "causal": "${encodec.causal}", "norm": "weight_norm",
            "n_filters": codec["num_filters"], "n_residual_layers": 1, "ratios": codec["upsampling_ratios"], "compress": 2,
            "activation": "ELU", "activation_params": {"alpha": 1.0}, "kernel_size": 7, "true_skip": True, "lstm": 2,
            "residual_kernel_size": 3, "last_kernel_size": 7, "dilation_base": 2, "pad_mode": pad_mode,
            "disable_norm_outer_blocks": 0, "encoder": {}, "decoder": {"trim_right_ratio": 1.0, "final_activation": None}},
        "rvq": {"n_q": 4, "bins": codec["codebook_size"]}}


def as_yaml(value, indent=""):
    """Block style for maps, as the published files have it."""
    lines = []
    for key, item in value.items():
        nested = isinstance(item, dict) and item
        text = "\n" + as_yaml(item, indent + "  ") if nested else " " + json.dumps(item).replace('"', "")
        lines.append(f"{indent}{key}:{text}")
    return "\n".join(lines)


def set_value(config, setting):
    path, value = setting.split("=", 1)
    *parents, key = path.split(".")
    for parent in parents:
        config = config.setdefault(parent, {})
    config[key] = json.loads(value)


def write_audiocraft(args):
    tensors, config = read_model(args.folder), json.load(open(os.path.join(args.folder, "config.json")))
    text, codec, language = os.path.join(args.out, "t5-base"), config["audio_encoder"], language_config(config)
    for setting in args.set:
        set_value(language, setting)
    copy(args.folder, text, "spiece.model")
    write_json(os.path.join(text, "config.json"), config["text_encoder"])
    write_safetensors(os.path.join(text, "model.safetensors"), {
        name.removeprefix("text_encoder."): t for name, t in tensors.items() if name.startswith("text_encoder.")})
    save = functools.partial(torch_save, zip64=args.zip64)
    save({"best_state": language_state(tensors), "xp.cfg": as_yaml(language), "version": "1.4.0a2", "exported": True},
         os.path.join(args.out, "state_dict.bin"))
    if args.pointer:
        part = os.path.join(args.out, os.path.basename(args.pointer))
        os.makedirs(part, exist_ok=True)
        write_json(os.path.join(part, "config.json"), codec)
        torch_save(collections.OrderedDict((name.removeprefix("audio_encoder."), t) for name, t in tensors.items()
                                           if name.startswith("audio_encoder.")), os.path.join(part, "pytorch_model.bin"))
        content = {"pretrained": args.pointer, "exported": True, "version": "1.4.0a2"}
    else:
        content = {"best_state": codec_state(tensors, len(codec["upsampling_ratios"])),
                   "xp.cfg": as_yaml(codec_config(codec, args.pad_mode))}
    save(content, os.path.join(args.out, "compression_state_dict.bin"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("layout", choices=("hf", "audiocraft"))
    parser.add_argument("folder")
    parser.add_argument("out")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--pointer")
    parser.add_argument("--pad-mode", default="reflect")
    parser.add_argument("--set", action="append", default=[])
    for flag in ("f32", "zip64", "transposed", "safetensors"):
        parser.add_argument(f"--{flag}", action="store_true")
    args = parser.parse_args()
    write_hf(args) if args.layout == "hf" else write_audiocraft(args)


if __name__ == "__main__":
    main()
