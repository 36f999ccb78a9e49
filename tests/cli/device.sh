#!/usr/bin/env bash
# --device: what auto chooses and says, and what a GPU that cannot be used is refused for. The GPUs are fake: a driver, and a
# libtorch that says it is built for CUDA 13.0 around the real one for CPUs. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
cd "$WORK" || exit 1
encode=("$BIN/encode-text" --model "$TINY" --prompt x --output out)
cpu_only='no CUDA in this libtorch'

installed=$(cat "$PROJECT/libtorch.path" /opt/leitmotif/libtorch.path 2>/dev/null | head -n 1)
real=$installed/torch/lib
if [ ! -e "$real/libtorch_cpu.so" ] || [ -e "$real/libtorch_cuda.so" ]; then
    skip '--device' 'libtorch.path names no libtorch for CPUs'
    finish
    exit
fi

check 'auto by default: there is nothing to choose' 0 '' '' -- "${encode[@]}"
check 'auto, asked for' 0 '' "^device auto: cpu \($cpu_only\)$" -- "${encode[@]}" --device auto
check 'quiet' 0 '' '' -- "${encode[@]}" --device auto --quiet
check 'cpu' 0 '' '' -- "${encode[@]}" --device cpu
check 'a GPU' 1 '' "^encode-text: cannot use device 'cuda:1': $cpu_only; use --device cpu$" -- "${encode[@]}" --device cuda:1
"${encode[@]}" || exit 1
sample=("$BIN/sample-tokens" --model "$TINY" --condition out --output tokens --duration 1)
check 'sample-tokens by default' 0 '' '' -- "${sample[@]}"
check 'sample-tokens, asked for auto' 0 '' "^device auto: cpu \((no NVIDIA driver is here.*|$cpu_only)\)$" -- "${sample[@]}" --device auto
check 'with an engine that has no other' 0 '' '^device auto: cpu \(' -- "${sample[@]}" --device auto --engine cpu
check 'quiet, too' 0 '' '' -- "${sample[@]}" --device auto --quiet
check 'a render tells it once for all its programs' 0 '.' "^device auto: cpu \($cpu_only\)$" -- \
    "$BIN/leitmotif" generate 'calm piano' --model demo --duration 0.5 --seed 1 --output calm.wav --workspace w
check 'and nothing where nothing is computed' 0 'reused' '' -- \
    "$BIN/leitmotif" generate 'calm piano' --model demo --duration 0.5 --seed 1 --output calm.wav --workspace w --force

fake_driver() { # CUDA-VERSION INIT-RESULT GPUS
    mkdir -p driver
    gcc -shared -fPIC -o driver/libcuda.so.1 -x c - <<C
#include <stdio.h>
int cuInit(unsigned flags) { return flags ? 1 : $2; }
int cuDeviceGetCount(int *count) { *count = $3; return 0; }
int cuDriverGetVersion(int *version) { *version = $1; return 0; }
int cuDeviceGetName(char *name, int size, int index) { snprintf(name, size, "Fake GPU %d", index); return 0; }
C
}
mkdir torch
gcc -shared -fPIC -o torch/libtorch.so -x c - -Wl,--no-as-needed -L"$real" -ltorch_cpu -Wl,-rpath,"$real" -Wl,--allow-shlib-undefined <<'C'
int aoti_torch_get_current_cuda_stream(void) { return 0; }
int cudaRuntimeGetVersion(int *version) { *version = 13000; return 0; }
C
export LEITMOTIF_LIBTORCH=$WORK/torch
check 'no driver' 0 '' "^device auto: cpu \(no NVIDIA driver is here.*\)$" -- "${encode[@]}"
check 'and a GPU asked for' 1 '' "cannot use device 'cuda': no NVIDIA driver is here.*; use --device cpu$" -- "${encode[@]}" --device cuda
export LD_LIBRARY_PATH=$WORK/driver
fake_driver 12040 0 1
check 'an old driver' 0 '' "^device auto: cpu \(NVIDIA's driver is too old: it is for CUDA 12.4, this libtorch for 13.0: install a newer one\)$" -- "${encode[@]}"
check 'and a GPU asked for' 1 '' "cannot use device 'cuda': NVIDIA's driver is too old: .*; use --device cpu$" -- "${encode[@]}" --device cuda
fake_driver 13000 100 0
check 'no GPU' 0 '' "^device auto: cpu \(no GPU is visible to NVIDIA's driver\)$" -- "${encode[@]}"
fake_driver 13000 0 0
check 'none of several' 0 '' "^device auto: cpu \(no GPU is visible to NVIDIA's driver\)$" -- "${encode[@]}"
fake_driver 13000 803 1
check 'a driver that does not start' 0 '' "^device auto: cpu \(NVIDIA's driver refuses to start \(cuInit: 803\)\)$" -- "${encode[@]}"
fake_driver 13010 0 2
check 'more GPUs than there are' 1 '' "cannot use device 'cuda:2': there are 2 GPUs, the first is cuda:0$" -- "${encode[@]}" --device cuda:2
check 'a GPU is taken' 1 '' '^device auto: cuda:0 \(Fake GPU 0\)
encode-text: ' -- "${encode[@]}" # which cannot compute
gcc -shared -o driver/libcuda.so.1 -x c /dev/null
check 'another library of that name' 0 '' '^device auto: cpu \(libcuda.so.1 is not NVIDIA.s driver\)$' -- "${encode[@]}"
finish
