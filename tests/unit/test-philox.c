/* SPDX-License-Identifier: Apache-2.0
 * Philox against the known answers that come with its authors' Random123 (kat_vectors, philox4x32 10), and the uniform
 * numbers of docs/sampling.md.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "sample-tokens/philox.h"

static void test_known_answers(void **state)
{
    static const struct {
        uint32_t counter[4], key[2], expected[4];
    } CASES[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        uint32_t result[4];
        philox4x32(CASES[i].counter, CASES[i].key, result);
        assert_memory_equal(result, CASES[i].expected, sizeof result);
    }
}

/* Frame, codebook and seed each have their own bits: high words count too, and nothing is added up. */
static void test_uniform_layout(void **state)
{
    (void)state;
    uint32_t bits[4];
    philox4x32((const uint32_t[]){7, 1, 3, 0}, (const uint32_t[]){5, 2}, bits);
    double expected = (double)(((uint64_t)bits[0] << 32 | bits[1]) >> 11) / 9007199254740992.0;
    assert_true(philox_uniform((int64_t)2 << 32 | 5, (int64_t)1 << 32 | 7, 3) == expected);
    assert_true(philox_uniform(0, 1, 0) != philox_uniform(0, 0, 1));
    assert_true(philox_uniform(1, 0, 0) != philox_uniform(0, 1, 0));
}

static void test_uniform_range(void **state)
{
    double sum = 0;
    const int count = 20000;
    (void)state;
    for (int frame = 0; frame < count; frame++) {
        double u = philox_uniform(INT64_MAX, frame, frame % 4);
        assert_true(u >= 0 && u < 1);
        sum += u;
    }
    assert_true(sum / count > 0.49 && sum / count < 0.51); /* 5 standard errors */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_uniform_layout),
        cmocka_unit_test(test_uniform_range),
    };
    return cmocka_run_group_tests_name("philox", tests, NULL, NULL);
}
