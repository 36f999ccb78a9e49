#!/usr/bin/env bash
# Runs the tests: ./run_tests.sh [quick|full|gpu]   (default quick)
#
# quick: no network but the installs, no weights, no GPU. full: quick, and what takes longer. gpu: parity and memory on a device.
# Installs what is missing first (INSTALL=no: does not). JOBS=N: at most N compilers and test scripts at once.
# SANITIZERS=no leaves the sanitizer builds out. Logs: build/test-logs/. The last line: N passed, N failed, N skipped.
set -u
cd "$(dirname "$0")" || exit 1
MODE=${1:-quick}
JOBS=${JOBS:-$(nproc)}
LOGS=$PWD/build/test-logs
PASSED=0 FAILED=0 SKIPPED=0
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
        timeout -k 10 "${TEST_SECONDS:-900}" "$1" >"$log" 2>&1 </dev/null; echo $? >"$log.status"
        echo "  ran ${2##*/}/$name, $SECONDS s"' _ {} "$LOGS/$label"
    for file in "$@"; do
        name=$(name_of "$file")
        count "$label/$name" "$LOGS/$label/$name.log" "$(cat "$LOGS/$label/$name.log.status" 2>/dev/null || echo 99)"
    done
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

if [ "${INSTALL:-yes}" = yes ]; then docker/install-dependencies.sh || exit 1; fi
rm -rf "$LOGS"
case $MODE in
quick | full) quick ;;
gpu)
    build gcc && echo "ok 1 - gpu tests # SKIP the device tests are not written yet" >"$LOGS/gpu.tap" && count gpu "$LOGS/gpu.tap" 0
    ;;
esac
if [ "$MODE" = full ]; then
    export TEST_SECONDS=${TEST_SECONDS:-3600}
    for script in tests/full/*.sh; do [ -e "$script" ] && BUILD=build run_all full "$script"; done
fi
echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
[ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
