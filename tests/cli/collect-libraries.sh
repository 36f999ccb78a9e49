#!/usr/bin/env bash
# docker/collect-libraries: which libraries an image gets, over a fake installation of libtorch. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
COLLECT=$PROJECT/docker/collect-libraries
cd "$WORK" || exit 1

library() { # PATH NEEDED...: an empty shared library that is linked with those, wherever they are
    local path=$1 needed=() name
    shift
    for name; do needed+=("-l:$name"); done
    mkdir -p "${path%/*}"
    gcc -shared -o "$path" -Wl,-soname,"${path##*/}" -Wl,--no-as-needed -Lwheel/torch/lib -Lwheel/nvidia/cu13/lib -Lwheel/nvidia/cudnn/lib \
        -Labsent "${needed[@]}" -x c /dev/null
}
taken() { (cd "$1" && find . -type f -name '*.so*' | sed 's#.*/##' | sort | tr '\n' ' '); }
nothing_else() { [ "$(taken "$1")" = "$2" ] || { taken "$1" && false; }; }

# A build for CPUs
library wheel/torch/lib/libc10.so libm.so.6
library wheel/torch/lib/libgomp.so.1
library wheel/torch/lib/libtorch_cpu.so libc10.so libgomp.so.1
library wheel/torch/lib/libtorch.so libtorch_cpu.so
library wheel/torch/lib/libtorch_python.so libtorch.so
mkdir -p wheel/torch/include wheel/torch-2.dist-info/licenses && touch wheel/torch/include/torch.h wheel/torch/__init__.py wheel/torch-2.dist-info/licenses/LICENSE
check 'a build for CPUs' 0 '' '' -- "$COLLECT" libtorch wheel image cpu
that 'is taken without the rest of the wheel' nothing_else image 'libc10.so libgomp.so.1 libtorch.so libtorch_cpu.so '
that 'no header, no Python' test -z "$(find image -name '*.h' -o -name '*.py')"
that 'with its licence' test -e image/licences/torch-2.dist-info/licenses/LICENSE
that 'at the place where it was' test -x image/torch/lib/libtorch_cpu.so
check 'it does for no GPU' 1 '' "^collect-libraries: 'wheel' holds a build for CPUs: TORCH=cuda needs one for CUDA$" -- "$COLLECT" libtorch wheel image cuda

# A build for CUDA
for name in libcudart.so.13 libcupti.so.13 libnvrtc-builtins.so.13.0 libcufft.so.12 libcublasLt.so.13 libcusolver.so.12; do library wheel/nvidia/cu13/lib/$name; done
library wheel/nvidia/cu13/lib/libcublas.so.13 libcublasLt.so.13
library wheel/nvidia/cu13/lib/libnvrtc.so.13
for name in libcudnn_ops.so.9 libcudnn_cnn.so.9 libcudnn_adv.so.9 libcudnn.so.9; do library wheel/nvidia/cudnn/lib/$name; done
library wheel/torch/lib/libtorch_cpu.so libc10.so libgomp.so.1 libcupti.so.13 libcudart.so.13
library wheel/torch/lib/libc10_cuda.so libc10.so libcudart.so.13
library wheel/torch/lib/libtorch_cuda.so libc10_cuda.so libtorch_cpu.so libcublas.so.13 libcudnn.so.9 libcufft.so.12 libnvrtc.so.13
library wheel/torch/lib/libcaffe2_nvrtc.so libnvrtc.so.13
library wheel/torch/lib/libtorch_cuda_linalg.so libtorch_cuda.so libcusolver.so.12
library wheel/torch/lib/libtorch.so libtorch_cpu.so libtorch_cuda.so
rm -r image
check 'a build for CUDA' 0 '' '' -- "$COLLECT" libtorch wheel image cuda
that 'with what it is linked with, and what cuDNN and NVRTC open later' nothing_else image "libc10.so libc10_cuda.so libcaffe2_nvrtc.so libcublas.so.13 \
libcublasLt.so.13 libcudart.so.13 libcudnn.so.9 libcudnn_adv.so.9 libcudnn_cnn.so.9 libcudnn_ops.so.9 libcufft.so.12 libcupti.so.13 libgomp.so.1 \
libnvrtc-builtins.so.13.0 libnvrtc.so.13 libtorch.so libtorch_cpu.so libtorch_cuda.so "
that 'where RPATH finds it' test -e image/nvidia/cu13/lib/libcublasLt.so.13 -a -e image/nvidia/cudnn/lib/libcudnn_cnn.so.9
rm -r image
check 'its half for CPUs' 0 '' '' -- "$COLLECT" libtorch wheel image cpu
that 'with the two that it is linked with' nothing_else image 'libc10.so libcudart.so.13 libcupti.so.13 libgomp.so.1 libtorch.so libtorch_cpu.so '

library absent/libnccl.so.2
library wheel/torch/lib/libtorch_cuda.so libc10_cuda.so libnccl.so.2
check 'a library that is nowhere' 1 '' "^collect-libraries: 'libnccl.so.2' is needed and not in '.*/wheel': install its package$" -- "$COLLECT" libtorch wheel other cuda

# Programs
check 'what the programs need' 0 '' '' -- "$COLLECT" programs place "$BIN/leitmotif" "$BIN/fetch-model"
that 'are libraries' test -e "$(echo place/lib/libjansson.so.*)" -a -e "$(echo place/lib/libcurl*.so.4)"
that "glibc's own are the system's" test -z "$(find place/lib -name 'libc.so*' -o -name 'ld-linux*' -o -name 'libm.so*')"
gcc -o broken -x c - -Wl,--no-as-needed -Labsent -l:libnccl.so.2 <<<'int main(void) { return 0; }'
check 'a program without one of its libraries' 1 '' "libnccl.so.2 => not found
collect-libraries: a library is not there$" -- "$COLLECT" programs place ./broken

check 'no folder of libtorch' 1 '' "^collect-libraries: 'place' holds no torch/lib/libtorch.so$" -- "$COLLECT" libtorch place image cpu
check 'no such flavour' 1 '' "^collect-libraries: 'rocm' is no flavour: say cpu or cuda$" -- "$COLLECT" libtorch wheel image rocm
check 'nothing to do' 1 '' "^collect-libraries: '' is nothing to collect: say libtorch or programs$" -- "$COLLECT"
finish
