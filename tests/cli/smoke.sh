#!/usr/bin/env bash
# docker/smoke.sh with a fake engine: what it does in which order, and what it skips. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
mkdir -p "$WORK"/project/{docker,tests/full} "$WORK/bin"
cp "$PROJECT/docker/smoke.sh" "$WORK/project/docker"
printf '#!/bin/sh\necho "tests of $LEITMOTIF_IMAGE"\n' >"$WORK/project/tests/full/container.sh"
# Ends with 1 where $BAD is among its arguments, as a regular expression.
cat >"$WORK/bin/docker" <<'FAKE'
#!/bin/bash
echo "docker $*" >>"$LOG"
if [[ -n $BAD && "$*" =~ $BAD ]]; then
    echo 'a line
the reason' >&2
    exit 1
fi
FAKE
printf '#!/bin/sh\nexit 1\n' >"$WORK/bin/podman"
printf '#!/bin/sh\n[ -n "$GPU" ]\n' >"$WORK/bin/nvidia-smi"
chmod +x "$WORK"/bin/* "$WORK"/project/tests/full/container.sh
export LOG=$WORK/log BAD='' GPU='' PATH=$WORK/bin:$PATH
unset TORCH LEITMOTIF_BUILD_ARGS LEITMOTIF_BASE_IMAGE LEITMOTIF_CACHE_VOLUME
smoke() { : >"$LOG" && env "$@" "$WORK/project/docker/smoke.sh"; }

check 'no engine' 0 '^skip: all: neither docker nor podman works here$' '' -- smoke BAD=info
check 'an image that does not build' 1 "FAILED: the image 'leitmotif' does not build$" '.*' -- smoke BAD='^build'
check 'a machine without a GPU' 0 "skip: the GPU: .*ok: the image 'leitmotif' builds.*ok: the demo.*tests of leitmotif.*ok: the image passes" '.*' -- smoke
that 'builds for CPUs' grep -qE '^docker build .*--build-arg TORCH=cpu -t leitmotif \.$' "$LOG"
that 'fills the cache' grep -qE '^docker run .* -v leitmotif-cache:/cache leitmotif fetch-model medium$' "$LOG"
check 'no network' 0 'skip: small: its weights .* could not be fetched: the reason.*skip: medium: ' '.*' -- smoke BAD=fetch-model
that 'no clip is tried then' test -z "$(grep generate "$LOG")"
check 'a demo that fails' 1 'FAILED: the demo' '.*' -- smoke BAD='render /opt'
check 'a GPU' 0 "ok: the image 'leitmotif:cuda' builds" '.*' -- smoke GPU=yes BAD=fetch-model
that 'is passed on' grep -qE '^docker run --rm --gpus all .*leitmotif:cuda render' "$LOG"
check 'an engine that cannot pass it on' 0 'skip: the GPU: docker cannot pass it on' '.*' -- smoke GPU=yes BAD='gpus|fetch-model'
that 'does without' grep -qE '^docker run --rm -v .*leitmotif:cuda render' "$LOG"
finish
