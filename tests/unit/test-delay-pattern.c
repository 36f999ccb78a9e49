/* SPDX-License-Identifier: Apache-2.0
 * The delay pattern against grids written out by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sample-tokens/delay-pattern.h"

enum { STOP = 2048 };

/* Every column of `grid` [K, columns] comes from codes [K, frames] with rows `stride` apart. */
static void assert_grid(const struct delay_pattern *pattern, const int32_t *codes, int64_t stride, int64_t frames, const int32_t *grid)
{
    int32_t ids[8];
    int64_t columns = delay_columns(pattern, frames);
    for (int64_t s = 0; s < columns; s++) {
        delay_column(pattern, codes, stride, frames, s, ids);
        for (int64_t q = 0; q < pattern->codebooks; q++)
            assert_int_equal(ids[q], grid[q * columns + s]);
    }
}

static void test_mono(void **state)
{
    static const struct delay_pattern MONO = {4, 1, STOP};
    static const int32_t CODES[4 * 6] = {1, 2, 3, 4, 5, -9, 11, 12, 13, 14, 15, -9, 21, 22, 23, 24, 25, -9, 31, 32, 33, 34, 35, -9};
    static const int32_t GRID[4 * 9] = {
        STOP, 1, 2, 3, 4, 5, STOP, STOP, STOP,
        STOP, STOP, 11, 12, 13, 14, 15, STOP, STOP,
        STOP, STOP, STOP, 21, 22, 23, 24, 25, STOP,
        STOP, STOP, STOP, STOP, 31, 32, 33, 34, 35,
    };
    (void)state;
    assert_int_equal(delay_columns(&MONO, 5), 9);
    assert_int_equal(delay_largest(&MONO), 3);
    assert_grid(&MONO, CODES, 6, 5, GRID);
}

static void test_stereo_pairs_share_a_delay(void **state)
{
    static const struct delay_pattern STEREO = {8, 2, STOP};
    static const int32_t DELAYS[8] = {0, 0, 1, 1, 2, 2, 3, 3};
    int32_t codes[8 * 3], grid[8 * 7];
    (void)state;
    for (int q = 0; q < 8; q++) {
        for (int t = 0; t < 3; t++)
            codes[q * 3 + t] = 100 * q + t;
        for (int s = 0; s < 7; s++)
            grid[q * 7 + s] = s >= 1 + DELAYS[q] && s < 4 + DELAYS[q] ? 100 * q + s - 1 - DELAYS[q] : STOP;
    }
    assert_int_equal(delay_columns(&STEREO, 3), 7);
    assert_grid(&STEREO, codes, 3, 3, grid);
}

static void test_one_frame(void **state)
{
    static const struct delay_pattern MONO = {4, 1, STOP};
    static const int32_t CODES[4] = {1, 2, 3, 4};
    static const int32_t GRID[4 * 5] = {
        STOP, 1, STOP, STOP, STOP, STOP, STOP, 2, STOP, STOP, STOP, STOP, STOP, 3, STOP, STOP, STOP, STOP, STOP, 4,
    };
    (void)state;
    assert_grid(&MONO, CODES, 1, 1, GRID);
    assert_int_equal(delay_frame(&MONO, 4, 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mono),
        cmocka_unit_test(test_stereo_pairs_share_a_delay),
        cmocka_unit_test(test_one_frame),
    };
    return cmocka_run_group_tests_name("delay-pattern", tests, NULL, NULL);
}
