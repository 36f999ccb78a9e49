#!/usr/bin/env bash
# Killed at any moment and started again, it finishes; signals are passed on; two at once wait for each other.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"
. "$(dirname "$0")/fakes/setup.bash"
ulimit -c 0

# Children of the fakes and of leitmotif that still live: they all have this run's log in their environment.
alive() { grep -slaE "FAKE_LOG=$FAKE_LOG" /proc/[0-9]*/environ | grep -v -e "/$$/" -e "/$BASHPID/" 2>/dev/null | while read -r file; do
    name=$(tr '\0' ' ' 2>/dev/null <"${file%environ}cmdline")
    case $name in *stage-program* | *fakes/* | *"$LEITMOTIF render"* | sleep*) echo "$name" ;; esac
done; }

nobody_left() { # within two seconds
    local tries
    for tries in $(seq 20); do
        [ -n "$(alive)" ] || return 0
        sleep 0.1
    done
    alive
    return 1
}

anew
"$LEITMOTIF" render -q "$WORK/game.yaml" >/dev/null
snapshot >"$WORK/whole"

# kill -9 of leitmotif at points spread over the whole run, each time from an empty workspace
failures=0
for tenths in 1 2 4 5 7 8 10 13 16 20; do
    anew
    FAKE_SLOW=0.05 "$LEITMOTIF" render -q "$WORK/game.yaml" >"$WORK/out" 2>"$WORK/err" &
    killed=$!
    sleep "$((tenths / 10)).$((tenths % 10))"
    kill -9 $killed 2>/dev/null
    wait $killed 2>/dev/null
    if ! nobody_left || ! "$LEITMOTIF" render -q "$WORK/game.yaml" >"$WORK/out" 2>"$WORK/err" || ! complete; then
        failures=$((failures + 1))
        echo "# killed after $tenths tenths of a second: $(cat "$WORK/err")"
    fi
    snapshot >"$WORK/resumed"
    cmp -s "$WORK/whole" "$WORK/resumed" || { failures=$((failures + 1)); echo "# killed after $tenths tenths: the results differ"; }
done
that 'leitmotif killed at 10 moments and started again finishes, each time' test $failures -eq 0

# again and again into one workspace: every run gets a little further
anew
for round in $(seq 60); do
    FAKE_SLOW=0.05 timeout -s KILL 0.6 "$LEITMOTIF" render -q "$WORK/game.yaml" >/dev/null 2>&1 && break
done 2>/dev/null
that "killed every 0.6 s it finishes all the same" test "$round" -lt 60
that 'with every result' complete
snapshot >"$WORK/resumed"
that 'and the same ones' cmp "$WORK/whole" "$WORK/resumed"

# kill -9 of a program at each of its jobs, and in the middle of a result
failures=0
for program in encode-text sample-tokens decode-audio transcode verify; do
    for job in 1 3; do
        for way in FAKE_DIE FAKE_HALF; do
            anew
            env $way="$program $job" "$LEITMOTIF" render -q "$WORK/game.yaml" >"$WORK/out" 2>"$WORK/err"
            status=$?
            { [ $status -le 1 ] && no_halves && "$LEITMOTIF" render -q "$WORK/game.yaml" >"$WORK/out" 2>"$WORK/err" && complete; } || {
                failures=$((failures + 1))
                echo "# $way $program $job: status $status: $(cat "$WORK/err")"
            }
            snapshot >"$WORK/resumed"
            cmp -s "$WORK/whole" "$WORK/resumed" || { failures=$((failures + 1)); echo "# $way $program $job: the results differ"; }
        done
    done
done
that 'a program killed at 20 moments: the next render finishes, each time' test $failures -eq 0

# signals
anew
check 'an interrupted render says how to go on' SIGINT '' 'interrupted; what is made is kept' -- env FAKE_HANG='sample-tokens 2' \
    timeout -s INT --preserve-status 1 "$LEITMOTIF" render "$WORK/game.yaml"
for signal in TERM INT HUP; do
    anew
    check "SIG$signal ends it as that signal" SIG$signal '' '' -- env FAKE_HANG='sample-tokens 2' \
        timeout -s $signal --preserve-status 1 "$LEITMOTIF" render -q "$WORK/game.yaml"
    that 'nobody is left' nobody_left
    that 'no half file stays' no_halves
    check 'the next render finishes' 0 'battle: ' '' -- "$LEITMOTIF" render -q "$WORK/game.yaml"
    that 'what was done is not done again' test "$(grep -c '^encode-text' "$FAKE_LOG")" -eq 1
done

# two at once
anew
FAKE_SLOW=0.1 "$LEITMOTIF" render -q "$WORK/game.yaml" >"$WORK/one" 2>&1 &
first=$!
sleep 0.3
check 'a second one waits, then finds all done' 0 'battle: .*reused' 'waiting for another leitmotif' -- "$LEITMOTIF" render "$WORK/game.yaml"
wait $first
that 'the first one is not disturbed' grep -q 'battle: .*made' "$WORK/one"
that 'nothing was made twice' started 'encode-text 3' 'sample-tokens 4' 'decode-audio 4'
finish
