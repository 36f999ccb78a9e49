#!/usr/bin/env bash
# exp, sin, cos and the positions have the same bits from every compiler, level of optimisation and instruction set; and
# sample-tokens uses none of libm's approximations. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
cd "$PROJECT" || exit 1
APPROXIMATIONS='exp|exp2|exp10|expm1|log|log2|log10|log1p|pow|sin|cos|sincos|tan|asin|acos|atan|atan2|sinh|cosh|tanh|erf|erfc|cbrt|hypot|tgamma|lgamma'

approximations() { # OBJECTS...: those of libm that they use, in double, float and long double
    nm -u "$@" | grep -E "^ *U ($APPROXIMATIONS)[fl]?(@|\$)"
}
none_used() {
    ! approximations "$PROJECT/$BUILD"/sample-tokens/*.o "$PROJECT/$BUILD"/lib/cpu.a | grep .
}
use_found() { # a use is found
    echo 'float tanhf(float); float f(float x) { return tanhf(x); }' >"$WORK/use.c" && cc -c -o "$WORK/use.o" "$WORK/use.c" && approximations "$WORK/use.o"
}
that "sample-tokens and its kernels use no approximation of libm" none_used
check "the search finds a use" 0 'tanhf' '' -- use_found

same_bits() { # COMPILER FLAGS...
    local compiler=$1 test
    shift
    for test in elementary positions; do
        "$compiler" -std=c11 -D_GNU_SOURCE -ffp-contract=off "$@" -Itools/lib -Itools -o "$WORK/test" "tests/unit/test-$test.c" \
            tools/sample-tokens/elementary.c tools/sample-tokens/positions.c tools/lib/base/memory.c -lcmocka -lm || return 1
        CMOCKA_MESSAGE_OUTPUT=TAP "$WORK/test" || return 1
    done
}
for compiler in gcc clang; do
    for flags in -O0 -O2 "-O3 -march=native"; do
        if command -v $compiler >/dev/null; then
            # shellcheck disable=SC2086 # flags are several words
            that "the same bits by $compiler $flags" same_bits $compiler $flags
        else
            skip "the same bits by $compiler $flags" "$compiler is not installed"
        fi
    done
done
for file in tools/sample-tokens/elementary.c tools/lib/cpu/kernels-plain.c; do
    check "$(basename $file) is not built with -ffast-math" 1 '' 'which -ffast-math does not keep' -- \
        cc -std=c11 -D_GNU_SOURCE -ffast-math -fsyntax-only -Itools/lib -Itools $file
done
finish
