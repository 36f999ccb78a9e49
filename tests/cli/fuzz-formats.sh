#!/usr/bin/env bash
# A short run of the fuzzer over everything that reads models; tests/full has the long one. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
COUNT=${FUZZ_COUNT:-2000} SEED=${FUZZ_SEED:-1}
cd "$WORK" || exit 1
that 'seeds are made' python3 "$TESTS/fuzz/make-seeds.py" "$TINY" seeds
export HF_HUB_CACHE=$WORK/none HOME=$WORK
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:max_allocation_size_mb=64:hard_rss_limit_mb=1000"
check "$COUNT mutations of models: no crash, no hang, no large allocation" 0 "^$COUNT mutations: [1-9]" '' -- \
    "$PROJECT/$BUILD/fuzz/fuzz-formats" "$COUNT" "$SEED" scratch seeds/*
cat "$OUT" | sed 's/^/# /'
finish
