#!/usr/bin/env bash
# docker/entrypoint over a tree of fake programs: no container engine is needed. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
ENTRYPOINT=$PROJECT/docker/entrypoint
export LEITMOTIF_ROOT=$WORK/root
PROGRAMS=$LEITMOTIF_ROOT/opt/leitmotif/bin
LIBTORCH=$LEITMOTIF_ROOT/opt/leitmotif/libtorch
DRIVER=$LEITMOTIF_ROOT/proc/driver/nvidia/version
mkdir -p "$PROGRAMS" "$LIBTORCH/torch/lib" "$LEITMOTIF_ROOT"/{workspace,cache,dev,proc/driver/nvidia}
chmod 755 "$WORK" "$LEITMOTIF_ROOT/cache"

# Each says who it is, and ends as its first argument tells it.
for name in leitmotif verify fetch-model sample-tokens; do
    # shellcheck disable=SC2016
    printf '#!/bin/sh\necho "%s:$#:$*:$(id -u):$(id -g):$(id -G)"\ncase $1 in exit) exit "$2" ;; esac\n' $name >"$PROGRAMS/$name"
    chmod 755 "$PROGRAMS/$name"
done
me="$(id -u):$(id -g)"
owner() { chown -R "$1" "$LEITMOTIF_ROOT/workspace" 2>/dev/null; }
[ "$(id -u)" -ne 0 ] || owner 0:0

check 'no arguments' 0 "^leitmotif:0::$me:" '' -- "$ENTRYPOINT"
check 'a command of leitmotif' 0 "^leitmotif:2:render a b.yaml:$me:" '' -- "$ENTRYPOINT" render 'a b.yaml'
check 'a program' 0 "^verify:2:--json x.ogg:$me:" '' -- "$ENTRYPOINT" verify --json x.ogg
check 'leitmotif by its name' 0 '^leitmotif:1:--help:' '' -- "$ENTRYPOINT" leitmotif --help
check 'options come to leitmotif' 0 '^leitmotif:1:--version:' '' -- "$ENTRYPOINT" --version
check 'a name twice is an argument' 0 '^verify:1:verify:' '' -- "$ENTRYPOINT" verify verify
for word in ../bin/verify . .. '' 'no such' sh; do
    check "'$word' is no program" 0 "^leitmotif:1:$word:" '' -- "$ENTRYPOINT" "$word"
done
check 'the exit status' 7 '^leitmotif:2:exit 7:' '' -- "$ENTRYPOINT" exit 7
check 'of a program too' 2 '^verify:2:exit 2:' '' -- "$ENTRYPOINT" verify exit 2

# The program is this very process: a signal to it is a signal to the program.
# shellcheck disable=SC2016
printf '#!/bin/sh\necho $$\nkill -TERM $$\n' >"$PROGRAMS/verify"
check 'a signal ends it' SIGTERM '^[0-9]+$' '' -- "$ENTRYPOINT" verify
# shellcheck disable=SC2016
check 'in the process that was started' 0 '' '' -- bash -c '"$1" verify >"$2/pid" & wait $!; [ $? -eq 143 ] && [ $! -eq "$(cat "$2/pid")" ]' _ "$ENTRYPOINT" "$WORK"

# who it is
if [ "$(id -u)" -eq 0 ] && owner 1234:4321; then
    check 'root becomes the owner of /workspace' 0 '^leitmotif:1:render:1234:4321:4321$' '' -- "$ENTRYPOINT" render
    check 'with the exit status' 3 '.' '' -- "$ENTRYPOINT" exit 3
    that 'an empty cache of root goes to the owner' test "$(stat -c %u:%g "$LEITMOTIF_ROOT/cache")" = 1234:4321
    chown 0:0 "$LEITMOTIF_ROOT/cache" && touch "$LEITMOTIF_ROOT/cache/file"
    check 'a cache that is in use' 0 . '' -- "$ENTRYPOINT" render
    that 'stays whose it is' test "$(stat -c %u "$LEITMOTIF_ROOT/cache")" = 0
    # shellcheck disable=SC2016
    check 'in the process that was started, as another user' 0 '' '' -- bash -c '"$1" verify >"$2/pid" & wait $!; [ $? -eq 143 ] && [ $! -eq "$(cat "$2/pid")" ]' _ "$ENTRYPOINT" "$WORK"
    check 'docker run --user stays who it is' 0 '^leitmotif:1:render:99:98:98$' '' -- setpriv --reuid 99 --regid 98 --clear-groups "$ENTRYPOINT" render
    check 'root without the right to change users' 1 '' "^entrypoint: cannot become user 1234, who owns '.*/workspace': allow SETUID and SETGID, or use --user 1234:4321$" -- \
        setpriv --bounding-set -setuid,-setgid "$ENTRYPOINT" render
    owner 0:0
    check 'a workspace of root: root stays' 0 '^leitmotif:1:render:0:0:' '' -- "$ENTRYPOINT" render
else
    skip 'root becomes the owner of /workspace' 'this is not root'
fi

# an image for CPUs
check 'a GPU from an image for CPUs' 1 '' "^entrypoint: cannot use device 'cuda': this image is for CPUs: build one with --build-arg TORCH=cuda, or use --device cpu$" -- "$ENTRYPOINT" render --device cuda
check 'as --device=cuda:1' 1 '' "cannot use device 'cuda:1': this image is for CPUs" -- "$ENTRYPOINT" sample-tokens --device=cuda:1
check 'no GPU wanted: nothing to say' 0 . '' -- "$ENTRYPOINT" render --device auto
check 'the last --device counts' 0 . '' -- "$ENTRYPOINT" render --device cuda --device cpu
check 'what follows -- is no option' 0 . '' -- "$ENTRYPOINT" render -- --device cuda

# an image for GPUs
touch "$LIBTORCH/torch/lib/libtorch_cuda.so"
mkdir -p "$LIBTORCH/nvidia/cu13/lib" && touch "$LIBTORCH/nvidia/cu13/lib/libcudart.so.13"
forgotten='no GPU was passed to this container: add --gpus all to docker run'
check '--gpus all was forgotten' 1 '' "^entrypoint: cannot use device 'cuda': $forgotten, or use --device cpu$" -- "$ENTRYPOINT" render --device cuda
for words in render 'render --device auto' generate 'sample-tokens --model small'; do
    # shellcheck disable=SC2086
    check "and $words goes on without" 0 . "^entrypoint: computing on the CPU: $forgotten$" -- "$ENTRYPOINT" $words
done
for words in '--help' 'check game.yaml' 'plan' 'render --quiet' 'render -q' 'render --device cpu' 'fetch-model small'; do
    # shellcheck disable=SC2086
    check "but $words has nothing to do with it" 0 . '' -- "$ENTRYPOINT" $words
done
touch "$LEITMOTIF_ROOT/dev/dxg"
check 'WSL 2 passes GPUs in another way' 0 . '' -- "$ENTRYPOINT" render --device cuda
rm "$LEITMOTIF_ROOT/dev/dxg" && touch "$LEITMOTIF_ROOT/dev/nvidiactl"
check 'a GPU of a driver that is not told' 0 . '' -- "$ENTRYPOINT" render --device cuda
echo 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023' >"$DRIVER"
check 'an old driver' 1 '' "^entrypoint: cannot use device 'cuda': NVIDIA's driver 535.104.05 is too old: install 580 or newer on the host, or use --device cpu$" -- "$ENTRYPOINT" render --device cuda
check 'and a render without' 0 . "^entrypoint: computing on the CPU: NVIDIA's driver 535.104.05 is too old" -- "$ENTRYPOINT" render
echo 'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs-builder@U22)  Sun Jul 27 2025' >"$DRIVER"
check 'a driver that will do' 0 . '' -- "$ENTRYPOINT" render --device cuda
mv "$LIBTORCH/nvidia/cu13/lib/libcudart.so.13" "$LIBTORCH/nvidia/cu13/lib/libcudart.so.12"
echo 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023' >"$DRIVER"
check 'which is less for an older CUDA' 0 . '' -- "$ENTRYPOINT" render --device cuda
finish
