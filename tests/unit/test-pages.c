/* SPDX-License-Identifier: Apache-2.0
 * Large memory: aligned, zero, given back whole, and refused where the system would promise more than it has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/failure.h"
#include "base/machine.h"
#include "base/memory.h"
#include "cpu/pages.h"

enum { HUGE_PAGE = 2 << 20 };

/* Bytes of address space that this process has mapped. */
static int64_t mapped(void)
{
    long long pages = -1;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lld", &pages), 1);
    fclose(file);
    return pages * 4096;
}

static void pages_are_aligned_zero_and_given_back(void **state)
{
    static const size_t SIZES[] = {1, 4095, 4096, HUGE_PAGE - 1, HUGE_PAGE, 3 * HUGE_PAGE + 5};
    (void)state;
    mapped(); /* stdio's own first */
    int64_t before = mapped();
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        unsigned char *block = pages_take(SIZES[i]);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % HUGE_PAGE, 0);
        assert_true(block[0] == 0 && block[SIZES[i] - 1] == 0);
        memset(block, 1, SIZES[i]);
        assert_in_range(mapped() - before, SIZES[i], SIZES[i] + 4096);
        pages_give(block, SIZES[i]);
        assert_int_equal(mapped(), before);
    }
}

static void nothing_is_no_failure(void **state)
{
    (void)state;
    assert_null(pages_take(0));
    assert_false(failed());
    pages_give(NULL, 0);
}

static void more_than_is_left_is_refused(void **state)
{
    int64_t left = memory_available();
    (void)state;
    if (left == 0)
        skip();
    assert_null(pages_take((size_t)left * 2));
    assert_non_null(strstr(failure_text(), " MB are left; close other programs, or take a smaller model"));
    failure_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_aligned_zero_and_given_back),
        cmocka_unit_test(nothing_is_no_failure),
        cmocka_unit_test(more_than_is_left_is_refused),
    };
    return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
