#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From nothing to sound: builds the image (which runs the quick tests), fills the cache, renders a clip by small and one by medium,
# and tests the image. What this machine cannot do is skipped with one line. Clips land in workspace/smoke/.
#
#   docker/smoke.sh                  with docker, else podman; for CUDA where a GPU is at hand
#   TORCH=cpu docker/smoke.sh        for a CPU all the same
#   LEITMOTIF_CACHE_VOLUME=FOLDER    your own cache of models (default: a volume named leitmotif-cache)
#   LEITMOTIF_BASE_IMAGE, LEITMOTIF_BUILD_ARGS: as of tests/full/container.sh
set -u
cd "$(dirname "$0")/.." || exit 1
CACHE=${LEITMOTIF_CACHE_VOLUME:-leitmotif-cache}
FAILED=0

ok() { echo "ok: $*"; }
skip() { echo "skip: $*"; }
bad() {
    echo "FAILED: $*"
    FAILED=1
}

find_engine() {
    local engine
    for engine in docker podman; do
        if "$engine" info >/dev/null 2>&1; then
            echo "$engine"
            return
        fi
    done
}

# The engine must be able to pass the GPU on, too; that is seen once there is an image.
choose_flavour() {
    if [ -n "${TORCH:-}" ]; then
        echo "$TORCH"
    elif nvidia-smi -L >/dev/null 2>&1; then
        echo cuda
    else
        echo cpu
    fi
}

build() {
    local arguments
    read -ra arguments <<<"${LEITMOTIF_BUILD_ARGS:-}"
    [ -z "${LEITMOTIF_BASE_IMAGE:-}" ] || arguments+=(--build-arg "BASE=$LEITMOTIF_BASE_IMAGE")
    "$ENGINE" build "${arguments[@]}" --build-arg "TORCH=$FLAVOUR" -t "$IMAGE" .
}

run() { "$ENGINE" run --rm "${GPUS[@]}" -v "$PWD/workspace:/workspace" -v "$CACHE:/cache" "$IMAGE" "$@"; }

# Gigabytes of memory that are free: the GPU's, else the machine's.
free_memory() {
    if [ ${#GPUS[@]} -gt 0 ]; then
        nvidia-smi --query-gpu=memory.free --format=csv,noheader,nounits | awk 'NR == 1 {print int($1 / 1024)}'
    else
        awk '/^MemAvailable:/ {print int($2 / 1048576)}' /proc/meminfo
    fi
}

clip() { # MODEL GIGABYTES
    local errors
    if ! errors=$(run fetch-model "$1" 2>&1 >/dev/null); then
        skip "$1: its weights are not in the cache and could not be fetched: ${errors##*$'\n'}"
    elif [ "$(free_memory)" -lt "$2" ]; then
        skip "$1: wants $2 GB of memory, $(free_memory) GB are free"
    elif run generate 'a heroic orchestral theme' --model "$1" --duration 5 --seed 1 --output "/workspace/smoke/$1.wav" --force; then
        ok "$1: workspace/smoke/$1.wav"
    else
        bad "$1: no clip"
    fi
}

ENGINE=$(find_engine)
if [ -z "$ENGINE" ]; then
    skip 'all: neither docker nor podman works here'
    exit 0
fi
FLAVOUR=$(choose_flavour)
IMAGE=leitmotif GPUS=()
if [ "$FLAVOUR" = cuda ]; then
    IMAGE=leitmotif:cuda GPUS=(--gpus all)
else
    skip 'the GPU: none is at hand, or TORCH=cpu was said'
fi
mkdir -p workspace/smoke

if build; then ok "the image '$IMAGE' builds, and passed the quick tests"; else
    bad "the image '$IMAGE' does not build"
    exit 1
fi
if [ "$FLAVOUR" = cuda ] && ! run --version >/dev/null 2>&1; then
    skip "the GPU: $ENGINE cannot pass it on (--gpus all); clips are made on the CPU"
    GPUS=()
fi
if run render /opt/leitmotif/pipelines/demo.yaml; then ok 'the demo: workspace/demo/index.html'; else bad 'the demo'; fi
clip small 4
clip medium 10

mkdir -p build/bin # the tests of the image need no programs of this machine
if [ "$FLAVOUR" = cuda ]; then
    skip 'tests/full/container.sh: it tests the image for CPUs'
elif LEITMOTIF_IMAGE=$IMAGE tests/full/container.sh; then ok 'the image passes its tests'; else bad 'the image fails its tests'; fi
exit $FAILED
