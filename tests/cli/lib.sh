# shellcheck shell=bash disable=SC2034 # its variables are for the scripts that source it
# Shared by the command-line tests; sourced first. SPDX-License-Identifier: Apache-2.0
#
#   check NAME EXIT STDOUT STDERR -- COMMAND...   runs COMMAND with an empty stdin and prints one TAP line. EXIT is a number or
#                                                 SIGTERM-like name; STDOUT and STDERR are extended regular expressions that
#                                                 must match somewhere in the whole output; '' means: must be empty; '.*': anything.
#   that NAME COMMAND...                          passes if COMMAND succeeds (a condition: test, cmp, grep).
#   skip NAME REASON                              counts as skipped, says why.
#   finish                                        last line of every test script: fails if a check failed.
#
# $WORK is an empty folder that goes away at the end; $OUT and $ERR hold the last check's outputs; $BIN the programs;
# $MODEL the demo model. A crash (a signal that was not asked for) never counts as a refusal.
set -u
TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PROJECT=$(dirname "$TESTS")
BUILD=${BUILD:-build}
BIN=$(cd "$PROJECT" && cd "$BUILD/bin" && pwd) || exit 1
MODEL=$PROJECT/model-cache/demo
TINY=$TESTS/parity/tiny-text
WORK=$(mktemp -d) || exit 1
OUT=$WORK/.stdout ERR=$WORK/.stderr
trap 'rm -rf "$WORK"' EXIT
export LC_ALL=C.UTF-8
export LEITMOTIF_CACHE=${LEITMOTIF_CACHE:-$WORK/.cache}
CHECKS=0 FAILURES=0

result() { # ok|not NAME
    CHECKS=$((CHECKS + 1))
    if [ "$1" = ok ]; then echo "ok $CHECKS - $2"; else
        FAILURES=$((FAILURES + 1))
        echo "not ok $CHECKS - $2"
    fi
}

output_matches() { # FILE PATTERN
    if [ -z "$2" ]; then [ ! -s "$1" ]; elif [ "$2" = '.*' ]; then :; else tr '\n' '\001' <"$1" | sed 's/\x01$//' | tr '\001' '\n' | grep -Eqz -- "$2"; fi
}

check() {
    local name=$1 expected=$2 stdout=$3 stderr=$4 status
    shift 5
    case $expected in SIG*) expected=$((128 + $(kill -l "$expected"))) ;; esac
    "$@" >"$OUT" 2>"$ERR" </dev/null
    status=$?
    if [ $status -eq "$expected" ] && output_matches "$OUT" "$stdout" && output_matches "$ERR" "$stderr"; then
        result ok "$name"
    else
        result not "$name"
        echo "# exit $status, expected $expected; command: $*"
        echo "# stdout: $(head -c 600 "$OUT" | tr '\n' '|') expected: $stdout"
        echo "# stderr: $(head -c 1500 "$ERR" | tr '\n' '|') expected: $stderr"
    fi
}

that() {
    local name=$1
    shift
    if "$@" >"$OUT" 2>"$ERR"; then result ok "$name"; else
        result not "$name"
        echo "# condition failed: $*: $(head -c 400 "$OUT" "$ERR" | tr '\n' '|')"
    fi
}

skip() {
    CHECKS=$((CHECKS + 1))
    echo "ok $CHECKS - $1 # SKIP $2"
}

finish() {
    echo "1..$CHECKS"
    [ "$FAILURES" -eq 0 ]
}
