/* SPDX-License-Identifier: Apache-2.0
 * The positions against the formula with libm's functions, and their bits for the width of MusicGen small.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "sample-tokens/positions.h"

enum { POSITIONS = 3000 };

static float *filled(int64_t positions, int64_t width)
{
    float *table = allocate((size_t)(positions * width), sizeof *table);
    positions_fill(table, positions, width);
    return table;
}

/* Neighbouring floats differ by 1; neither is NaN. */
static int64_t floats_between(float a, float b)
{
    int32_t bits[2];
    memcpy(&bits[0], &a, sizeof a);
    memcpy(&bits[1], &b, sizeof b);
    for (int i = 0; i < 2; i++)
        if (bits[i] < 0)
            bits[i] = INT32_MIN - bits[i];
    return llabs((long long)bits[0] - bits[1]);
}

/* Floats between; largest seen 0. */
static int64_t worst_of(int64_t width)
{
    float *table = filled(POSITIONS, width), rate = (float)(log(10000) / (double)(width / 2 - 1));
    int64_t worst = 0;
    for (int64_t p = 0; p < POSITIONS; p++)
        for (int64_t i = 0; i < width / 2; i++) {
            float angle = (float)p * (float)exp(-(double)((float)i * rate));
            int64_t difference = floats_between(table[p * width + i], (float)cos((double)angle));
            int64_t other = floats_between(table[p * width + width / 2 + i], (float)sin((double)angle));
            worst = difference > worst ? difference : worst;
            worst = other > worst ? other : worst;
        }
    free(table);
    return worst;
}

static void test_the_formula(void **state)
{
    (void)state;
    static const int64_t WIDTHS[] = {64, 1024, 1536, 2048};
    for (size_t i = 0; i < COUNT_OF(WIDTHS); i++) {
        int64_t worst = worst_of(WIDTHS[i]);
        print_message("width %d: at most %d floats between\n", (int)WIDTHS[i], (int)worst);
        assert_true(worst <= 1);
    }
}

/* FNV-1a over all bytes: no machine may differ. */
static void test_bits_never_change(void **state)
{
    (void)state;
    float *table = filled(POSITIONS, 1024);
    uint64_t hash = 0xcbf29ce484222325u;
    for (int64_t i = 0; i < POSITIONS * 1024; i++) {
        uint32_t bits;
        memcpy(&bits, &table[i], sizeof bits);
        for (int byte = 0; byte < 4; byte++)
            hash = (hash ^ (bits >> 8 * byte & 255)) * 0x100000001b3u;
    }
    free(table);
    assert_true(hash == 0xc9ebae9c85608e72u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_formula),
        cmocka_unit_test(test_bits_never_change),
    };
    return cmocka_run_group_tests_name("positions", tests, NULL, NULL);
}
