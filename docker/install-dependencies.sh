#!/usr/bin/env bash
# Installs what building, testing and running Leitmotif needs on Debian 12 or Ubuntu 24.04: packages by apt, libtorch by pip
# into a folder of its own. Run it as root, or as a user who may sudo. Running it again does only what is missing.
#
#   docker/install-dependencies.sh                 all of it
#   TORCH=cuda docker/install-dependencies.sh      libtorch with its NVIDIA packages
#   TORCH=none docker/install-dependencies.sh      apt packages only
#   LIBTORCH_FOLDER=DIR                            where libtorch goes (default /opt/leitmotif/libtorch)
set -euo pipefail
project=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=docker/versions.env
. "$project/docker/versions.env"
TORCH=${TORCH:-cpu}
LIBTORCH_FOLDER=${LIBTORCH_FOLDER:-/opt/leitmotif/libtorch}

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
    libyaml-dev libjansson-dev libpopt-dev libssl-dev libsentencepiece-dev python3 python3-venv python3-pip ca-certificates
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

# The wheel alone serves a CPU, whichever build the index gives; NVIDIA's packages are wanted only for a GPU.
install_libtorch() {
    local folder=$LIBTORCH_FOLDER/$TORCH_VERSION-$TORCH staging options=(--no-deps)
    [ "$TORCH" = cpu ] || options=()
    if [ -e "$folder/torch/lib/libtorch.so" ]; then
        say "libtorch $TORCH_VERSION ($TORCH): there, in $folder"
    else
        say "libtorch $TORCH_VERSION ($TORCH): installing into $folder"
        as_root mkdir -p "$LIBTORCH_FOLDER"
        staging=$(as_root mktemp -d "$LIBTORCH_FOLDER/.staging.XXXXXX")
        as_root python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-compile \
            "${options[@]}" --target "$staging" "torch==$TORCH_VERSION" || {
            as_root rm -rf "$staging"
            stop "pip could not install torch $TORCH_VERSION"
        }
        as_root chmod 755 "$staging"
        as_root rm -rf "$folder"
        as_root mv "$staging" "$folder"
    fi
    echo "$folder" | as_root tee "$(dirname "$LIBTORCH_FOLDER")/libtorch.path" >/dev/null
    if [ -w "$project" ]; then echo "$folder" >"$project/libtorch.path"; fi
}

install_packages
[ "$TORCH" = none ] || install_libtorch
say "done"
