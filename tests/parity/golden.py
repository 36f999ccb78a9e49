#!/usr/bin/env python3
"""What the demo model makes of one prompt, as golden values. SPDX-License-Identifier: Apache-2.0

golden.py compare GOLDEN CONDITION TOKENS WAV VERSION.H   prints one TAP line a value
golden.py write   GOLDEN CONDITION TOKENS WAV VERSION.H   stores the values (after raising the result version of what changed)

A value that differs while its tool's result version is the stored one means that stored results of users would be
wrong: raise the version in tools/lib/base/version.h. Only the standard library is used.
"""
import array
import hashlib
import json
import math
import re
import struct
import sys

VERSIONS = {"ids": "ENCODE_TEXT", "hidden_rms": "ENCODE_TEXT", "codes_sha256": "SAMPLE_TOKENS", "wave_rms": "DECODE_AUDIO",
            "wave_peak": "DECODE_AUDIO", "wave_frames": "DECODE_AUDIO"}
TOLERANCE = 1e-4  # of numbers that float arithmetic of another machine may move; largest seen between gcc, clang, sanitizers: 0


def safetensors(path):
    data = open(path, "rb").read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    return {name: data[8 + length + t["data_offsets"][0]:8 + length + t["data_offsets"][1]]
            for name, t in header.items() if name != "__metadata__"}


def rms(values):
    return math.sqrt(sum(v * v for v in values) / len(values))


def wave_samples(path):
    data = open(path, "rb").read()
    at = data.index(b"data") + 8
    return array.array("f", data[at:at + struct.unpack("<I", data[at - 4:at])[0]])


def measure(condition, tokens, wave):
    condition, codes, samples = safetensors(condition), safetensors(tokens)["codes"], wave_samples(wave)
    return {"ids": list(array.array("i", condition["ids"])), "hidden_rms": rms(array.array("f", condition["hidden"])),
            "codes_sha256": hashlib.sha256(codes).hexdigest(), "wave_frames": len(samples), "wave_rms": rms(samples),
            "wave_peak": max(map(abs, samples))}


def versions(path):
    return {name: int(value) for name, value in re.findall(r"(\w+)_RESULT = (\d+)", open(path).read())}


def same(a, b):
    return abs(a - b) <= TOLERANCE * max(1, abs(b)) if isinstance(b, float) else a == b


def main(command, golden, condition, tokens, wave, version_header):
    now = {"values": measure(condition, tokens, wave), "versions": versions(version_header)}
    if command == "write":
        with open(golden, "w") as out:
            json.dump(now, out, indent=1, sort_keys=True)
            out.write("\n")
        return 0
    stored, bad = json.load(open(golden)), 0
    for number, (name, value) in enumerate(sorted(now["values"].items()), 1):
        tool = VERSIONS[name]
        good = same(value, stored["values"][name]) and now["versions"][tool] == stored["versions"][tool]
        bad += not good
        print(f"{'ok' if good else 'not ok'} {number} - golden {name}")
        if not good:
            print(f"# {value}, stored {stored['values'][name]}; raise {tool}_RESULT if that is meant, then: tests/parity/golden.sh --update")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
