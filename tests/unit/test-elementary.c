/* SPDX-License-Identifier: Apache-2.0
 * exp, sin and cos against libm's in long double, their special values, and a hash of their bits: a change of one is a new
 * result version. tests/cli/elementary.sh runs this file as several compilers and levels of optimisation make it.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sample-tokens/elementary.h"

/* Units in the last place; largest seen: exp 0.751 (above the subnormal numbers 0.541), sin and cos 0.782. */
static const double EXP_TOLERANCE = 0.8, ANGLE_TOLERANCE = 0.85;

enum { ARGUMENTS = 200000 };

static double from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The index-th of a fixed sequence in [0, 1), well spread (splitmix64). */
static double spread(uint64_t index)
{
    uint64_t z = (index + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

static double between(double low, double high, uint64_t index)
{
    return low + (high - low) * spread(index);
}

/* |value - exact| in units of exact's last place as a double. */
static double units(double value, long double exact)
{
    int exponent;
    frexpl(exact, &exponent);
    return (double)(fabsl((long double)value - exact) / ldexpl(1, exponent < -1021 ? -1074 : exponent - 53));
}

static double worst_exp(double low, double high)
{
    double worst = 0;
    for (uint64_t i = 0; i < ARGUMENTS; i++) {
        double x = between(low, high, i);
        worst = fmax(worst, units(elementary_exp(x), expl((long double)x)));
    }
    return worst;
}

static void test_exp_is_accurate(void **state)
{
    static const double RANGES[][2] = {{-0.35, 0.35}, {-1e-6, 1e-6}, {-25, 0}, {-708, 709.7}, {-745.5, -708}, {0.3, 0.4}};
    double worst = 0;
    (void)state;
    for (size_t i = 0; i < sizeof RANGES / sizeof *RANGES; i++)
        worst = fmax(worst, worst_exp(RANGES[i][0], RANGES[i][1]));
    print_message("exp: largest error %.3f units\n", worst);
    assert_true(worst <= EXP_TOLERANCE);
}

static void test_exp_of_special_values(void **state)
{
    (void)state;
    assert_true(elementary_exp(0) == 1 && elementary_exp(-0.0) == 1);
    assert_true(elementary_exp(INFINITY) == INFINITY && elementary_exp(1e308) == INFINITY && elementary_exp(710) == INFINITY);
    assert_true(elementary_exp(-INFINITY) == 0 && elementary_exp(-1e308) == 0 && elementary_exp(-745.14) == 0);
    assert_true(isnan(elementary_exp(NAN)));
    /* Around the largest double, the smallest normal and the smallest of all. */
    assert_true(elementary_exp(0x1.62e42fefa39efp+9) > 0x1.fffffffffp+1023 && elementary_exp(0x1.62e42fefa39efp+9) < INFINITY);
    assert_true(elementary_exp(0x1.62e42fefa39f0p+9) == INFINITY);
    assert_true(elementary_exp(-0x1.6232bdd7abcd2p+9) >= 0x1p-1022 && elementary_exp(-708.4) < 0x1p-1022);
    assert_true(elementary_exp(-745.13) == 0x1p-1074);
    assert_true(elementary_exp(0x1p-60) == 1 && elementary_exp(-0x1p-1074) == 1);
}

static double worst_angle(double angle)
{
    return fmax(units(elementary_sin(angle), sinl((long double)angle)), units(elementary_cos(angle), cosl((long double)angle)));
}

/* Near a multiple of pi/2 either function is so small that all of pi's bits count. */
static void test_sin_and_cos_are_accurate(void **state)
{
    static const double HIGHEST[] = {0.785, 10, 3000, 1e5, ELEMENTARY_LARGEST_ANGLE};
    double worst = 0;
    (void)state;
    for (size_t i = 0; i < sizeof HIGHEST / sizeof *HIGHEST; i++)
        for (uint64_t n = 0; n < ARGUMENTS; n++)
            worst = fmax(worst, worst_angle(between(-HIGHEST[i], HIGHEST[i], n)));
    for (double multiple = 0; multiple < 127000; multiple++)
        for (int step = -1; step <= 1; step++)
            worst = fmax(worst, worst_angle(from_bits(bits_of((double)(multiple * 1.57079632679489661923132169164L)) + (uint64_t)step + (multiple == 0))));
    print_message("sin, cos: largest error %.3f units\n", worst);
    assert_true(worst <= ANGLE_TOLERANCE);
}

static void test_sin_and_cos_of_special_values(void **state)
{
    (void)state;
    assert_true(elementary_sin(0) == 0 && elementary_cos(0) == 1);
    assert_true(elementary_sin(1.5707963267948966) == 1 && elementary_sin(-1.5707963267948966) == -1);
    assert_true(elementary_cos(3.1415926535897931) == -1);
    assert_true(elementary_sin(0x1p-600) == 0x1p-600);
    assert_true(isnan(elementary_sin(INFINITY)) && isnan(elementary_cos(NAN)));
}

/* FNV-1a over the bits of results at ARGUMENTS places. */
static uint64_t hash_of(double (*function)(double), double low, double high)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (uint64_t i = 0; i < ARGUMENTS; i++) {
        uint64_t bits = bits_of(function(between(low, high, i)));
        for (int byte = 0; byte < 8; byte++)
            hash = (hash ^ (bits >> 8 * byte & 255)) * 0x100000001b3u;
    }
    return hash;
}

/* Whoever changes one raises SAMPLE_TOKENS_RESULT in tools/lib/base/version.h. */
static void test_bits_never_change(void **state)
{
    (void)state;
    assert_true(hash_of(elementary_exp, -30, 0) == 0x5f6c3a8c7d85ab1fu);
    assert_true(hash_of(elementary_exp, -760, 720) == 0x961128dda6cac1au);
    assert_true(hash_of(elementary_sin, 0, 1e5) == 0x38d928a6a8aac2f7u);
    assert_true(hash_of(elementary_cos, 0, 1e5) == 0x7ecba4d15bb4825bu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp_is_accurate),
        cmocka_unit_test(test_exp_of_special_values),
        cmocka_unit_test(test_sin_and_cos_are_accurate),
        cmocka_unit_test(test_sin_and_cos_of_special_values),
        cmocka_unit_test(test_bits_never_change),
    };
    return cmocka_run_group_tests_name("elementary", tests, NULL, NULL);
}
