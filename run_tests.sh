#!/usr/bin/env bash
# Runs the tests: ./run_tests.sh [quick|full|gpu]   (default quick)
#
# quick: no network but the installs, no weights, no GPU. full: quick, and what takes longer. gpu: parity, memory and speed on
# an NVIDIA GPU (TEST_DEVICE=cuda:N: not the first), with a verdict and figures in bench/results/NAME-OF-THE-GPU.json; TEST_SCRIPTS
# and the settings in tests/gpu for less. Installs what is missing first (INSTALL=no: does not). JOBS=N: at most N compilers and test scripts at once.
# SANITIZERS=no leaves the sanitizer builds out. Logs: build/test-logs/. The last line: N passed, N failed, N skipped.
set -u
cd "$(dirname "$0")" || exit 1
MODE=${1:-quick}
JOBS=${JOBS:-$(nproc)}
LOGS=${LOGS:-$PWD/build/test-logs}
PASSED=0 FAILED=0 SKIPPED=0 MODELS_MADE=
case $MODE in quick | full | gpu) ;; *)
    echo "run_tests.sh: cannot run '$MODE': use quick, full or gpu" >&2
    exit 2
    ;;
esac

# One TAP log: counts it, shows its failures and skips. A script that ends badly without a "not ok" is a failure of its own.
count() { # NAME LOG STATUS
    local passed failed skipped
    skipped=$(grep -cE '^(not )?ok .*# SKIP' "$2") # cmocka says "not ok" of what it skips
    passed=$(grep '^ok ' "$2" | grep -vc '# SKIP')
    failed=$(grep '^not ok ' "$2" | grep -vc '# SKIP')
    if [ "$3" -ne 0 ] && [ "$failed" -eq 0 ]; then
        failed=1
        echo "not ok - $1 ended with status $3" | tee -a "$2"
        tail -n 15 "$2"
    elif [ "$3" -eq 0 ] && [ $((passed + failed + skipped)) -eq 0 ]; then
        failed=1
        echo "not ok - $1 tested nothing"
    fi
    grep -v '# SKIP' "$2" | grep -A4 '^not ok '
    grep -E '^(not )?ok .*# SKIP' "$2"
    PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed)) SKIPPED=$((SKIPPED + skipped))
    printf '%-44s %4d passed, %d failed, %d skipped\n' "$1" "$passed" "$failed" "$skipped"
}

# A test's name, which its log has too. Two folders have files of one name: tests/cli/sections.sh is cli-sections.
name_of() { # FILE
    local name=${1##*tests/}
    name=${name%.sh}
    echo "${name//\//-}"
}
export -f name_of

# Runs each test file given, JOBS at a time, with the programs of $BUILD.
run_all() { # LABEL FILES...
    local label=$1 file name
    shift
    mkdir -p "$LOGS/$label"
    printf '%s\n' "$@" | BUILD=$BUILD CMOCKA_MESSAGE_OUTPUT=TAP xargs -P "$JOBS" -I{} bash -c '
        name=$(name_of "$1"); log=$2/$name.log
        [ ! -e "$2/../stopped" ] || exit 255
        (echo "$BASHPID" >"$log.running" && exec timeout -k 10 "${TEST_SECONDS:-900}" "$1" >"$log" 2>&1 </dev/null)
        echo $? >"$log.status"; rm -f "$log.running"
        echo "  ran ${2##*/}/$name, $SECONDS s"' _ {} "$LOGS/$label"
    for file in "$@"; do
        name=$(name_of "$file")
        count "$label/$name" "$LOGS/$label/$name.log" "$(cat "$LOGS/$label/$name.log.status" 2>/dev/null || echo 99)"
    done
}

# What still runs when this script is ended early: timeout has put it where no ^C reaches it. Then what it worked on can go.
stop_tests() {
    local file pid
    [ -d "$LOGS" ] && : >"$LOGS/stopped"
    for file in "$LOGS"/*/*.running; do
        pid=$(cat "$file" 2>/dev/null) || continue
        kill "$pid" 2>/dev/null
        while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    done
    [ -z "$MODELS_MADE" ] || rm -rf "$MODELS_MADE"
}

build() { # LABEL MAKE-ARGUMENTS...: all tests, or the targets that the arguments name
    local log=$LOGS/build-$1.log
    shift
    [[ " $*" == *" build/"* ]] || set -- "$@" tests
    mkdir -p "$LOGS"
    echo "building: make $*"
    if make -j"$JOBS" "$@" >"$log" 2>&1; then
        echo "ok 1 - builds" >"$log.tap"
        count "build $*" "$log.tap" 0
    else
        grep -m 20 -E 'error|Error|undefined' "$log" || tail -n 5 "$log"
        echo "not ok 1 - builds: make $* (log: $log)" >"$log.tap"
        count "build $*" "$log.tap" 1
        return 1
    fi
}

scripts() { find tests/cli tests/parity tests/pipeline tests/docs -maxdepth 1 -name "*.sh" ! -name lib.sh 2>/dev/null | sort; }

# The same tests against a sanitizer build. Leaks of libtorch and ffmpeg at exit are not ours to count here: leaks are
# looked for where a layer without them is tested alone. Status 99: a sanitizer's report never passes for a refusal.
run_sanitized() { # LABEL SANITIZERS
    BUILD=build/$1
    build "$1" BUILD="$BUILD" SANITIZE="$2" OPTIMIZE="-O1 -g" || return
    # shellcheck disable=SC2046
    ASAN_OPTIONS=detect_leaks=0:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1:exitcode=99 run_all "$1" $(find "$BUILD/tests" -maxdepth 1 -type f -executable | sort) $(scripts)
}

# What shares work among threads of ours. libtorch's own threads are not built for this sanitizer.
run_thread_sanitized() {
    local tests="build/thread/tests/test-pool build/thread/tests/test-engine-cpu"
    # shellcheck disable=SC2086
    build thread BUILD=build/thread SANITIZE=thread OPTIMIZE="-O1 -g" $tests || return
    # shellcheck disable=SC2086
    TSAN_OPTIONS=exitcode=99 BUILD=build/thread run_all thread $tests
}

quick() {
    build gcc || return
    BUILD=build
    # shellcheck disable=SC2046
    run_all gcc $(find build/tests -maxdepth 1 -type f -executable | sort) $(scripts)
    build clang CC=clang CXX=clang++ BUILD=build/clang && BUILD=build/clang run_all clang build/clang/tests/test-{kernels,matrix,engine-cpu}
    [ "${SANITIZERS:-yes}" = no ] && return
    run_sanitized sanitized address,undefined
    run_thread_sanitized
}

# Is there anything to install libtorch's NVIDIA packages for?
has_nvidia() { [ -e /dev/nvidiactl ] || [ -e /dev/dxg ] || command -v nvidia-smi >/dev/null; }

# A program's own word for why it can use no GPU; nothing where it can.
no_gpu() {
    local name=encode-text
    build/bin/$name --quiet --device "$TEST_DEVICE" --model tests/parity/tiny-text --prompt x --output "$LOGS/gpu.condition" 2>&1 >/dev/null |
        sed -n "s/^$name: \(cannot use device .*\)/\1/p"
}

# One file: bench/run's figures, those of the tests, every check, and the verdict.
write_results() { # FOLDER-OF-BENCH/RUN
    local figures name results=${TEST_RESULTS:-bench/results}
    figures=$(find "$1" -name '*.json' 2>/dev/null | head -n 1)
    if [ -z "$figures" ]; then
        figures=$1/gpu-without-bench.json
        mkdir -p "$1"
        echo '{"format": "leitmotif.bench/1"}' >"$figures"
    fi
    name=$(basename "$figures")
    cat "$LOGS"/gpu/*.log | grep -E '^(not )?ok ' | jq -nR '[inputs]' >"$LOGS/gpu-checks.json"
    mkdir -p "$results"
    jq --slurpfile facts <(cat "$TEST_FACTS") --slurpfile checks "$LOGS/gpu-checks.json" --argjson passed "$PASSED" --argjson failed "$FAILED" \
        --argjson skipped "$SKIPPED" '. + {tests: {verdict: (if $failed == 0 then "passed" else "failed" end), $passed, $failed, $skipped,
        figures: $facts, checks: $checks[0]}}' "$figures" >"$results/.$name.part" && mv "$results/.$name.part" "$results/$name" &&
        echo "written: $results/$name"
}

failure() { # TEXT
    echo "not ok 1 - $1" >"$LOGS/gpu.tap"
    count gpu "$LOGS/gpu.tap" 0
}

# Models of 12 GB for some minutes under $TMPDIR, one build and one script at a time: what is measured has the machine for itself.
gpu() {
    local reason scripts
    export TEST_DEVICE=${TEST_DEVICE:-cuda} TEST_FACTS=$LOGS/gpu-facts TEST_SECONDS=${TEST_SECONDS:-1800}
    build gcc || return
    reason=$(no_gpu)
    if [ -n "$reason" ]; then # one that is there and cannot be used is a failure
        if has_nvidia; then echo "not ok 1 - $reason"; else echo "ok 1 - gpu tests # SKIP $reason"; fi >"$LOGS/gpu.tap"
        count gpu "$LOGS/gpu.tap" 0
        return
    fi
    read -ra scripts <<<"${TEST_SCRIPTS:-parity repeat memory bench}"
    scripts=("${scripts[@]/#/tests/gpu/}")
    scripts=("${scripts[@]/%/.sh}")
    MODELS_MADE=$(mktemp -d) || { failure "no room for models: set TMPDIR" && return; }
    export TEST_MODELS=$MODELS_MADE
    : >"$TEST_FACTS"
    TEST_RESULTS=$LOGS/gpu-bench JOBS=1 BUILD=${BUILD:-build} run_all gpu "${scripts[@]}"
    grep -h '^# ' "$LOGS"/gpu/*.log | sed 's/^# //'
    write_results "$LOGS/gpu-bench" || failure "cannot write the results to '${TEST_RESULTS:-bench/results}'"
}

if [ "$MODE" = gpu ] && has_nvidia; then export TORCH=${TORCH:-cuda}; fi
if [ "${INSTALL:-yes}" = yes ]; then docker/install-dependencies.sh || exit 1; fi
rm -rf "$LOGS"
trap stop_tests EXIT
case $MODE in
quick | full) quick ;;
gpu) gpu ;;
esac
if [ "$MODE" = full ]; then
    export TEST_SECONDS=${TEST_SECONDS:-3600}
    for script in tests/full/*.sh; do [ -e "$script" ] && BUILD=build run_all full "$script"; done
fi
echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
[ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
