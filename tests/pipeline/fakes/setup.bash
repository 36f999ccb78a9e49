# Shared by the pipeline tests; sourced after lib.sh. SPDX-License-Identifier: Apache-2.0
#
# $WORK/game.yaml has three tracks (four results of one file each), the stage programs are fakes that log their starts to
# $FAKE_LOG, the workspace is $WORK/workspace.
export LEITMOTIF_TOOLS=$TESTS/pipeline/fakes
export FAKE_LOG=$WORK/log
export LEITMOTIF_WORKSPACE=$WORK/workspace
GAME=$LEITMOTIF_WORKSPACE/game
LEITMOTIF=$BIN/leitmotif

project() { # [LINE...]: game.yaml, with more lines below tracks:
    {
        printf '%s\n' 'leitmotif: 1' 'title: game' 'model: demo' 'outputs: [{format: ogg}]' 'tracks:' \
            '  theme: {prompt: a memorable melody, duration: 12}' '  explore: {prompt: calm pads, variations: 2}' "$@"
    } >"$WORK/game.yaml"
}

anew() { # an empty workspace, an empty log, the usual project
    rm -rf "$LEITMOTIF_WORKSPACE" "$FAKE_LOG"
    project '  battle: {prompt: fast drums, seed: 3}'
}

starts() { # PROGRAM: how often it was started since the log was emptied
    if [ -e "$FAKE_LOG" ]; then grep -c "^$1 " "$FAKE_LOG"; else echo 0; fi
}

started() { # 'PROGRAM JOBS' ...: exactly these neural programs, and no other
    printf '%s\n' "$@" | grep . | sort >"$WORK/expected"
    grep -E '^(encode-text|encode-audio|sample-tokens|decode-audio) ' "$FAKE_LOG" 2>/dev/null | sort | cmp -s - "$WORK/expected"
}

idle() { # no program was started since the log was emptied
    [ ! -e "$FAKE_LOG" ]
}

no_halves() { # nothing unfinished anywhere in the workspace
    [ -z "$(find "$LEITMOTIF_WORKSPACE" -name '*.part' -o -path '*/store/temporary/*')" ]
}

complete() { # every result of the usual project, and nothing unfinished
    local name
    for name in theme explore_1 explore_2 battle; do [ -s "$GAME/$name.ogg" ] || return 1; done
    no_halves
}

# The release files and stored results, as names and content; not when they were made.
snapshot() { (cd "$LEITMOTIF_WORKSPACE" && find . -type f ! -path './store/renders/*' ! -name report.json ! -name lock ! -path '*/file-hash/*' -exec sha256sum {} + | sort -k2); }
