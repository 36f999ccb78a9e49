#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""MusicGen's decoder in plain eager PyTorch: what Leitmotif's steps are held against. Needs torch and nothing else.

    bench/torch-eager.py --model FOLDER [--batch 1,4] [--text 10,150] [--frames 500] [--device cuda]    steps per second, as JSON
    bench/torch-eager.py --model FOLDER --check FOLDER/reference.safetensors [--device cpu]             is its arithmetic right?

Wherever the usual implementations differ it does what is faster: float16 throughout (as transformers does when asked for
it), queries, keys and values in one product and none of its own checks that wait for the device (as audiocraft could), keys and
values of the text computed once (as transformers does), fused attention. The cache grows by torch.cat; guidance is a batch of two
rows a track; tokens are drawn as audiocraft draws them, temperature 1 and top-k 250. FOLDER has a text model as transformers
stores it: config.json and model*.safetensors.
"""
import argparse
import glob
import json
import math
import mmap
import os
import struct
import sys
import time

import torch
from torch.nn import functional

TYPES = {"F16": torch.float16, "F32": torch.float32, "BF16": torch.bfloat16, "I64": torch.int64, "I32": torch.int32}
GUIDANCE, TOP_K = 3.0, 250


def read_safetensors(path):
    """All tensors of a file: views of a private mapping, which they keep alive."""
    with open(path, "rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    length = struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        dtype = TYPES[entry["dtype"]]
        flat = torch.frombuffer(data, dtype=dtype, count=(end - begin) // dtype.itemsize, offset=8 + length + begin)
        tensors[name] = flat.view(entry["shape"])
    return tensors


def position_table(count, width):
    """[count, width]: cosines, then sines; the frequencies' exponent is over half - 1."""
    half = width // 2
    rates = torch.exp(torch.arange(half, dtype=torch.float32) * -(math.log(10000) / (half - 1)))
    angles = torch.arange(count, dtype=torch.float32)[:, None] * rates[None]
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class Layer:
    def __init__(self, take, prefix, heads):
        def projection(name):
            return take(f"{prefix}.{name}_proj.weight")

        self.heads = heads
        self.norms = [
            (take(f"{prefix}.{name}.weight"), take(f"{prefix}.{name}.bias"))
            for name in ("self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm")
        ]
        self.self_in = torch.cat([projection(f"self_attn.{part}") for part in "qkv"])
        self.self_out = take(f"{prefix}.self_attn.out_proj.weight")
        self.cross_query = projection("encoder_attn.q")
        self.cross_text = torch.cat([projection(f"encoder_attn.{part}") for part in "kv"])
        self.cross_out = take(f"{prefix}.encoder_attn.out_proj.weight")
        self.feed_in, self.feed_out = take(f"{prefix}.fc1.weight"), take(f"{prefix}.fc2.weight")

    def split(self, x):  # [rows, T, d] -> [rows, heads, T, 64]
        return x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)

    def norm(self, x, which):
        return functional.layer_norm(x, x.shape[-1:], *self.norms[which], 1e-5)

    def begin(self, text):  # text [rows, N, d]
        self.text = [self.split(part) for part in functional.linear(text, self.cross_text).chunk(2, dim=-1)]
        self.past = None

    def step(self, x):  # x [rows, 1, d]
        q, k, v = (self.split(part) for part in functional.linear(self.norm(x, 0), self.self_in).chunk(3, dim=-1))
        if self.past is not None:
            k, v = torch.cat([self.past[0], k], dim=2), torch.cat([self.past[1], v], dim=2)
        self.past = (k, v)
        x = x + functional.linear(self.join(functional.scaled_dot_product_attention(q, k, v)), self.self_out)
        q = self.split(functional.linear(self.norm(x, 1), self.cross_query))
        x = x + functional.linear(self.join(functional.scaled_dot_product_attention(q, *self.text)), self.cross_out)
        return x + functional.linear(functional.gelu(functional.linear(self.norm(x, 2), self.feed_in)), self.feed_out)

    @staticmethod
    def join(x):
        return x.transpose(1, 2).flatten(2)


class Decoder:
    def __init__(self, folder, device, dtype):
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            config = json.load(file)["decoder"]
        tensors = {}
        for path in sorted(glob.glob(os.path.join(folder, "model*.safetensors"))):
            tensors.update(read_safetensors(path))

        def take(name):
            return tensors[name].to(device=device, dtype=dtype)

        base = "decoder.model.decoder"
        self.device, self.dtype = device, dtype
        self.codebooks, self.vocabulary = config["num_codebooks"], config["vocab_size"]
        self.embeddings = [take(f"{base}.embed_tokens.{k}.weight") for k in range(self.codebooks)]
        self.layers = [Layer(take, f"{base}.layers.{i}", config["num_attention_heads"]) for i in range(config["num_hidden_layers"])]
        self.last_norm = (take(f"{base}.layer_norm.weight"), take(f"{base}.layer_norm.bias"))
        self.heads = [take(f"decoder.lm_heads.{k}.weight") for k in range(self.codebooks)]
        self.text_matrix, self.text_bias = take("enc_to_dec_proj.weight"), take("enc_to_dec_proj.bias")
        self.positions = position_table(2048, config["hidden_size"]).to(device=device, dtype=dtype)
        self.delays = [k // config.get("audio_channels", 1) for k in range(self.codebooks)]

    def begin(self, hidden):
        """hidden [B, N, T5's width]; rows: B conditional ones, then as many null ones, whose text is zero after the projection."""
        text = functional.linear(hidden.to(device=self.device, dtype=self.dtype), self.text_matrix, self.text_bias)
        for layer in self.layers:
            layer.begin(torch.cat([text, torch.zeros_like(text)]))
        self.position = 0

    def step(self, ids):
        """ids [B, K] of one column -> logits [2 B, K, vocabulary]."""
        ids = torch.cat([ids, ids])
        x = self.positions[self.position]
        for k in range(self.codebooks):
            x = x + functional.embedding(ids[:, k], self.embeddings[k])
        x = x[:, None]
        self.position += 1
        for layer in self.layers:
            x = layer.step(x)
        x = functional.layer_norm(x, x.shape[-1:], *self.last_norm, 1e-5)[:, 0]
        return torch.stack([functional.linear(x, head) for head in self.heads], dim=1)

    def columns(self, frames):
        return 1 + frames + max(self.delays)

    def valid(self, frames):
        """[S, K]: where a column has a token of its own, and not the special one."""
        valid = torch.zeros(self.columns(frames), self.codebooks, dtype=torch.bool)
        for k, delay in enumerate(self.delays):
            valid[1 + delay : 1 + delay + frames, k] = True
        return valid.to(self.device)

    def sequence(self, batch, frames):
        """[B, S, K], the special token everywhere."""
        return torch.full((batch, self.columns(frames), self.codebooks), self.vocabulary, dtype=torch.int64, device=self.device)


def guide(logits):
    with_text, without = logits.chunk(2)
    return without + (with_text - without) * GUIDANCE


def draw(guided):
    """[B, K, vocabulary] -> [B, K]"""
    shares = torch.softmax(guided, dim=-1)
    least = torch.topk(shares, min(TOP_K, shares.shape[-1]), dim=-1).values[..., -1:]
    shares = shares * (shares >= least)
    shares = shares / shares.sum(dim=-1, keepdim=True)
    return torch.multinomial(shares.flatten(0, 1), 1).view(guided.shape[:2])


def likeliest(guided):
    return guided.argmax(dim=-1)


def generate(decoder, hidden, frames, choose):
    """Codes [B, K, frames]."""
    decoder.begin(hidden)
    sequence, valid = decoder.sequence(hidden.shape[0], frames), decoder.valid(frames)
    for column in range(1, sequence.shape[1]):
        chosen = choose(guide(decoder.step(sequence[:, column - 1])).float())
        sequence[:, column] = torch.where(valid[column], chosen, decoder.vocabulary)
    return torch.stack([sequence[:, 1 + delay : 1 + delay + frames, k] for k, delay in enumerate(decoder.delays)], dim=1)


def wait(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure(decoder, batch, text, frames):
    try:
        return measured(decoder, batch, text, frames)
    except torch.cuda.OutOfMemoryError:
        return {"tracks": batch, "text_tokens": text, "skipped": "out of memory"}


def measured(decoder, batch, text, frames):
    hidden = torch.randn(batch, text, decoder.text_matrix.shape[1], generator=torch.Generator().manual_seed(1))
    generate(decoder, hidden, frames, draw)  # to warm up: the allocator has every size of the growing cache then
    wait(decoder.device)
    start = time.perf_counter()
    generate(decoder, hidden, frames, draw)
    wait(decoder.device)
    seconds = time.perf_counter() - start
    steps = decoder.columns(frames) - 1
    return {"tracks": batch, "text_tokens": text, "frames": frames, "steps": steps, "seconds": seconds,
            "steps_per_second": steps / seconds, "track_steps_per_second": batch * steps / seconds}


def check(decoder, path, tolerance):
    """Teacher-forced logits and greedy tokens against what transformers computed in float32 (tests/parity)."""
    stored = read_safetensors(path)
    hidden, codes = stored["prompt.0.t5"][None], stored["lm.codes"]
    frames = codes.shape[1]
    sequence, valid = decoder.sequence(1, frames), decoder.valid(frames)
    for k, delay in enumerate(decoder.delays):
        sequence[0, 1 + delay : 1 + delay + frames, k] = codes[k].to(decoder.device)
    decoder.begin(hidden)
    # The reference has logits after the columns that are fed to it, the last one included.
    logits = torch.stack([decoder.step(sequence[:, column]) for column in range(stored["lm.logits"].shape[2])], dim=2)
    difference = (logits.float().cpu() - stored["lm.logits"]).abs().max().item()
    expected = stored["greedy.codes"]
    greedy = generate(decoder, hidden, expected.shape[1], likeliest)[0].cpu()
    equal = (greedy == expected).all(dim=0).long().cumprod(dim=0).sum().item()
    passed = difference <= tolerance and (decoder.dtype != torch.float32 or equal == expected.shape[1])
    return passed, {"largest_difference": difference, "tolerance": tolerance, "logits_deviation": stored["lm.logits"].std().item(),
                    "greedy_frames_equal": equal, "greedy_frames": expected.shape[1], "passed": passed}


def numbers(text):
    return [int(number) for number in text.split(",")]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--batch", type=numbers, default=[1], metavar="N,...")
    parser.add_argument("--text", type=numbers, default=[10], metavar="TOKENS,...")
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", choices=["float16", "float32"], help="default: float16 on a GPU, float32 on a CPU")
    parser.add_argument("--threads", type=int, help="of PyTorch on a CPU")
    parser.add_argument("--check", metavar="REFERENCE")
    parser.add_argument("--tolerance", type=float, help="of logits that are checked")
    return parser.parse_args()


@torch.inference_mode()
def main():
    options = arguments()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    half = options.dtype == "float16" or (options.dtype is None and device.type == "cuda")
    decoder = Decoder(options.model, device, torch.float16 if half else torch.float32)
    report = {"torch": torch.__version__, "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
              "dtype": "float16" if half else "float32"}
    passed = True
    if options.check:
        # Largest differences seen on a CPU, of tiny models and one of the small shape: float32 8.6e-6, float16 8.4e-3.
        tolerance = options.tolerance or (1e-1 if half else 1e-4)
        passed, report["check"] = check(decoder, options.check, tolerance)
    else:
        report["steps"] = [measure(decoder, batch, text, options.frames) for text in options.text for batch in options.batch]
    print(json.dumps(report))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
