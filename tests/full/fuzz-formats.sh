#!/usr/bin/env bash
# 100,000 mutations under the sanitizers, leaks included. FUZZ_COUNT and FUZZ_SEED choose others. SPDX-License-Identifier: Apache-2.0
cd "$(dirname "$0")/../.." || exit 1
make -j"${JOBS:-2}" BUILD=build/sanitized SANITIZE=address,undefined OPTIMIZE="-O1 -g" tests >/dev/null || exit 1
BUILD=build/sanitized FUZZ_COUNT=${FUZZ_COUNT:-100000} ASAN_OPTIONS=detect_leaks=1:exitcode=99 UBSAN_OPTIONS=exitcode=99 exec tests/cli/fuzz-formats.sh
