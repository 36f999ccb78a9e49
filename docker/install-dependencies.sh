#!/usr/bin/env bash
# Installs what building, testing and running Leitmotif needs on Debian 12 or Ubuntu 24.04: packages by apt, libtorch by pip
# into a folder of its own. Run it as root, or as a user who may sudo. Running it again does only what is missing.
#
#   docker/install-dependencies.sh                 all of it; libtorch for CPUs, or the one for GPUs where that was installed before
#   TORCH=cuda docker/install-dependencies.sh      libtorch with its NVIDIA packages
#   TORCH=none docker/install-dependencies.sh      apt packages only
#   LIBTORCH_FOLDER=DIR                            where libtorch goes (default /opt/leitmotif/libtorch)
set -euo pipefail
project=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=docker/versions.env
. "$project/docker/versions.env"
LIBTORCH_FOLDER=${LIBTORCH_FOLDER:-/opt/leitmotif/libtorch}
# What is in use stays in use: who has a GPU asks for CUDA once.
if [ -z "${TORCH-}" ]; then
    TORCH=cpu
    case $(cat "$project/libtorch.path" 2>/dev/null) in "$LIBTORCH_FOLDER"/*-cuda) TORCH=cuda ;; esac
fi

say() { echo "install-dependencies: $*"; }
stop() {
    say "$*" >&2
    exit 1
}
case $TORCH in cpu | cuda | none) ;; *) stop "TORCH cannot be '$TORCH': use cpu, cuda or none" ;; esac

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
        stop "'$1' needs root: run this script as root or install sudo"
    fi
}

packages=(gcc g++ clang make pkg-config libavformat-dev libavcodec-dev libavutil-dev libswresample-dev libebur128-dev
    libyaml-dev libjansson-dev libpopt-dev libssl-dev libsentencepiece-dev libcurl4-openssl-dev python3 python3-venv python3-pip ca-certificates
    libcmocka-dev ffmpeg jq procps) # the last line is for the tests

install_packages() {
    local missing=() package
    for package in "${packages[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    if [ ${#missing[@]} -eq 0 ]; then
        say "apt packages: all there"
        return
    fi
    say "apt packages: installing ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

install_wheels() { # FOLDER ARGUMENTS...
    as_root python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-compile --target "$@"
}

# The wheel alone serves a CPU. Where the index gives a build for CUDA, its CPU half still wants CUDA's runtime and profiler to
# be loaded: two small packages, of the version that the wheel names.
install_cpu_wheel() { # FOLDER
    local toolkit
    install_wheels "$1" --no-deps "torch==$TORCH_VERSION" || return 1
    toolkit=$(sed -n 's/^Requires-Dist: cuda-toolkit\[.*\]==\([0-9.]*\).*/\1/p' "$1"/torch-*.dist-info/METADATA)
    [ -z "$toolkit" ] || install_wheels "$1" "cuda-toolkit[cudart,cupti]==$toolkit"
}

# All of NVIDIA's packages are wanted only for a GPU.
install_libtorch() {
    local folder=$LIBTORCH_FOLDER/$TORCH_VERSION-$TORCH staging install=install_cpu_wheel
    [ "$TORCH" = cpu ] || install=install_wheels
    if [ -e "$folder/torch/lib/libtorch.so" ]; then
        say "libtorch $TORCH_VERSION ($TORCH): there, in $folder"
    else
        say "libtorch $TORCH_VERSION ($TORCH): installing into $folder"
        as_root mkdir -p "$LIBTORCH_FOLDER"
        staging=$(as_root mktemp -d "$LIBTORCH_FOLDER/.staging.XXXXXX")
        as_root chmod 755 "$staging"
        $install "$staging" "torch==$TORCH_VERSION" || {
            as_root rm -rf "$staging"
            stop "pip could not install torch $TORCH_VERSION"
        }
        as_root rm -rf "$folder"
        as_root mv "$staging" "$folder"
    fi
    echo "$folder" | as_root tee "$(dirname "$LIBTORCH_FOLDER")/libtorch.path" >/dev/null
    if [ -w "$project" ]; then echo "$folder" >"$project/libtorch.path"; fi
}

install_packages
[ "$TORCH" = none ] || install_libtorch
say "done"
