#!/usr/bin/env bash
# --device: what auto chooses and says, what a GPU that cannot be used is refused for, and every program on one. The GPUs are
# fake (tests/fake-gpu). SPDX-License-Identifier: Apache-2.0
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

# With a libtorch for GPUs.
. "$TESTS/fake-gpu/use.bash"
fake_gpu 'GPUs' || { finish; exit; }
idle="$cpu_only: install one with TORCH=cuda, as docs/gpu.md says"
without_cuda() { env -u LEITMOTIF_LIBTORCH "$@"; }
check 'a GPU, and a libtorch for CPUs' 0 '' "^device auto: cpu \($idle\)$" -- without_cuda "${encode[@]}"
check 'and the GPU asked for' 1 '' "^encode-text: cannot use device 'cuda': $idle; use --device cpu$" -- without_cuda "${encode[@]}" --device cuda
check 'sample-tokens says it, too' 0 '' "^device auto: cpu \($idle\)$" -- without_cuda "${sample[@]}" --device auto
no_driver() { env -u LD_LIBRARY_PATH "$@"; }
check 'no driver' 0 '' '^device auto: cpu \(no NVIDIA driver is here.*\)$' -- no_driver "${encode[@]}"
check 'and a GPU asked for' 1 '' "cannot use device 'cuda': no NVIDIA driver is here.*; use --device cpu$" -- no_driver "${encode[@]}" --device cuda
old="NVIDIA's driver 535.104.05 is too old for this libtorch: it serves CUDA 12.4, and 13.0 is needed: install a newer one"
export FAKE_GPU_CUDA=12040 FAKE_GPU_DRIVER=535.104.05
check 'an old driver' 0 '' "^device auto: cpu \($old\)$" -- "${encode[@]}"
check 'and a GPU asked for' 1 '' "^encode-text: cannot use device 'cuda': $old; use --device cpu$" -- "${encode[@]}" --device cuda
unset FAKE_GPU_CUDA FAKE_GPU_DRIVER
none="no GPU is visible to NVIDIA's driver"
check 'no GPU' 0 '' "^device auto: cpu \($none\)$" -- env FAKE_GPU_INIT=100 "${encode[@]}"
check 'none of several' 0 '' "^device auto: cpu \($none\)$" -- env FAKE_GPU_COUNT=0 "${encode[@]}"
check 'a driver that does not start' 0 '' "^device auto: cpu \(NVIDIA's driver refuses to start \(cuInit: 803\)\)$" -- env FAKE_GPU_INIT=803 "${encode[@]}"
check 'one GPU only' 1 '' "^encode-text: cannot use device 'cuda:1': there is 1 GPU, the first is cuda:0$" -- "${encode[@]}" --device cuda:1
check 'more GPUs than there are' 1 '' "cannot use device 'cuda:2': there are 2 GPUs, the first is cuda:0$" -- env FAKE_GPU_COUNT=2 "${encode[@]}" --device cuda:2
check 'a GPU without memory' 0 '' '^device auto: cpu \(.*CUDA out of memory.*\)$' -- env FAKE_GPU_MEMORY=450M "${encode[@]}"
check 'and asked for' 1 '' "^encode-text: cannot use device 'cuda': .*CUDA out of memory" -- env FAKE_GPU_MEMORY=450M "${encode[@]}" --device cuda
other='libtorch [0-9.]+ has no kernels for Fake GPU, which is too old or too new for it: install another build'
check 'a GPU of another generation' 0 '' "^device auto: cpu \\($other\\)$" -- env FAKE_GPU_KERNELS=none "${encode[@]}"
check 'and asked for' 1 '' "^encode-text: cannot use device 'cuda': $other; use --device cpu$" -- env FAKE_GPU_KERNELS=none "${encode[@]}" --device cuda
mkdir driver && gcc -shared -o driver/libcuda.so.1 -x c /dev/null
check 'another library of that name' 0 '' '^device auto: cpu \(libcuda.so.1 is not NVIDIA.s driver\)$' -- env LD_LIBRARY_PATH="$WORK/driver" "${encode[@]}"
check 'the CPU, though there is a GPU' 0 '' '' -- "${encode[@]}" --device cpu
that 'which stays untouched' [ "$(fake_report allocations)" -eq 0 ]

# Every program that computes, on a GPU.
check 'a GPU is taken' 0 '' '^device auto: cuda:0 \(NVIDIA Nothing 2000\)$' -- env FAKE_GPU_NAME='NVIDIA Nothing 2000' "${encode[@]}"
check 'the second of two' 0 '' '' -- env FAKE_GPU_COUNT=2 "${encode[@]}" --device cuda:1
that 'and computes' [ "$(fake_report operations)" -gt 20 ]
sample+=(--weights f32 --cache f32 --engine torch)
check 'sample-tokens takes it' 0 '' '^device auto: cuda:0 \(Fake GPU\)' -- "${sample[@]}" --device auto
check 'and as asked' 0 '' '' -- "${sample[@]}" --device cuda
check 'or not' 0 '' '' -- "${sample[@]}" --device cpu --output tokens.cpu
codes() { tail -c $((4 * 50 * 4)) "$1"; } # 4 books, 50 frames, I32
that 'the same tokens' cmp <(codes tokens) <(codes tokens.cpu)
needed=$("${sample[@]}" --device cuda --dry-run | awk '/^total/ {print $2}')
check 'within what it says that it needs, libraries and all' 0 '' '' -- env FAKE_GPU_WORKSPACE=32M "${sample[@]}" --device cuda --memory "$needed"
check 'far too little by --memory is a matter of the plan' 1 '' '^sample-tokens: .* needs [0-9.]+ MB for one track of 1 s; 0\.01 KB allowed; no setting makes it fit: use a smaller model, or give --memory [0-9]+M or more$' -- \
    env FAKE_GPU_WORKSPACE=32M "${sample[@]}" --device cuda --memory 1
check 'for auto, too' 1 '' '^device auto: cuda:0 \(Fake GPU\)\n[^\n]* 30\.00 MB allowed; ' -- env FAKE_GPU_WORKSPACE=32M "${sample[@]}" --device auto --memory 30M
check 'decode-audio' 0 '' '' -- "$BIN/decode-audio" --model "$TINY" --tokens tokens --output audio.wav --device cuda
check 'encode-audio, tokens' 0 '' '' -- "$BIN/encode-audio" --model "$TINY" --input audio.wav --as tokens --output again --device cuda
that 'all of them computed there' [ "$(grep -cE '"operations": [1-9][0-9]' "$FAKE_GPU_REPORT")" -ge 7 ]
check 'encode-audio, a melody, for which nothing computes there' 0 '' '' -- "$BIN/encode-audio" --model "$TESTS/parity/tiny-melody" --input audio.wav --as melody --output melody --device cuda
that 'did nothing that a GPU would not forgive' [ -z "$(grep -v '"violations": \[\]' "$FAKE_GPU_REPORT")" ]
that 'and freed what they took' [ -z "$(grep -v '"live_bytes": 0,' "$FAKE_GPU_REPORT")" ]
finish
