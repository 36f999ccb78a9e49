#!/usr/bin/env bash
# docker/install-dependencies.sh where all packages are there: which libtorch is in use after it. Installs nothing. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
cd "$WORK" || exit 1
. "$PROJECT/docker/versions.env"
export LIBTORCH_FOLDER=$WORK/libtorch PATH=$WORK/few:$PATH
unset TORCH
mkdir -p few project/docker libtorch/"$TORCH_VERSION"-{cpu,cuda}/torch/lib
touch libtorch/"$TORCH_VERSION"-{cpu,cuda}/torch/lib/libtorch.so
cp "$PROJECT"/docker/{install-dependencies.sh,versions.env} project/docker
printf '#!/bin/sh\necho install ok installed\n' >few/dpkg-query
printf '#!/bin/sh\nexec "$@"\n' >few/sudo
chmod +x few/*
in_use() { test "$(cat project/libtorch.path)" = "$LIBTORCH_FOLDER/$TORCH_VERSION-$1"; }
install() { check "$1" 0 "$2" '' -- "${@:3}" project/docker/install-dependencies.sh; }

install 'for CPUs by default' 'packages: all there.*\(cpu\): there' env
that 'which is in use' in_use cpu
install 'for GPUs' '\(cuda\): there' env TORCH=cuda
that 'which is in use then' in_use cuda
install 'once more' '\(cuda\): there' env
that 'what is in use stays' in_use cuda
install 'no libtorch' 'done' env TORCH=none
that 'changes nothing' in_use cuda
install 'back' '\(cpu\): there' env TORCH=cpu
that 'is possible' in_use cpu
check 'another' 1 '' "TORCH cannot be 'rocm': use cpu, cuda or none$" -- env TORCH=rocm project/docker/install-dependencies.sh
finish
