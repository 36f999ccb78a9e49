/* SPDX-License-Identifier: Apache-2.0
 * Windows: the published example, any duration, sections to the frame, and what is carried from window to window.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/model.h"
#include "sample-tokens/windows.h"

enum { WINDOW = 1500, STRIDE = 900, RATE = 50 };
static const int64_t FROM_THE_START[] = {0};

static void assert_windows(const struct piece *piece, const struct window *expected, size_t count)
{
    struct windows windows = {0};
    windows_plan(&windows, piece);
    assert_int_equal(windows.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(windows.items[i].offset, expected[i].offset);
        assert_int_equal(windows.items[i].prompt, expected[i].prompt);
        assert_int_equal(windows.items[i].length, expected[i].length);
        assert_int_equal(windows.items[i].section, expected[i].section);
    }
    windows_release(&windows);
}

static void test_one_minute(void **state)
{
    static const struct window EXPECTED[] = {{0, 0, 1500, 0}, {900, 600, 1500, 0}, {1800, 600, 1200, 0}};
    (void)state;
    assert_windows(&(struct piece){0, 3000, WINDOW, STRIDE, FROM_THE_START, 1}, EXPECTED, 3);
}

static void test_exactly_one_window(void **state)
{
    static const struct window WHOLE[] = {{0, 0, 1500, 0}}, ONE_MORE[] = {{0, 0, 1500, 0}, {900, 600, 601, 0}};
    (void)state;
    assert_windows(&(struct piece){0, 1500, WINDOW, STRIDE, FROM_THE_START, 1}, WHOLE, 1);
    assert_windows(&(struct piece){0, 1501, WINDOW, STRIDE, FROM_THE_START, 1}, ONE_MORE, 2);
}

static void test_continuation(void **state)
{
    static const struct window SHORT[] = {{0, 1000, 1500, 0}, {900, 600, 1100, 0}};
    static const struct window ALMOST[] = {{0, 1499, 1500, 0}, {900, 600, 700, 0}};
    static const struct window LONG[] = {{2400, 600, 1100, 0}};
    (void)state;
    assert_windows(&(struct piece){1000, 2000, WINDOW, STRIDE, FROM_THE_START, 1}, SHORT, 2);
    assert_windows(&(struct piece){1499, 1600, WINDOW, STRIDE, FROM_THE_START, 1}, ALMOST, 2);
    assert_windows(&(struct piece){3000, 3500, WINDOW, STRIDE, FROM_THE_START, 1}, LONG, 1);
}

static void test_sections_end_a_window(void **state)
{
    static const int64_t STARTS[] = {0, 601, 2400};
    static const struct window EXPECTED[] = {{0, 0, 601, 0}, {1, 600, 1500, 1}, {901, 600, 1499, 1}, {1800, 600, 1200, 2}};
    (void)state;
    assert_windows(&(struct piece){0, 3000, WINDOW, STRIDE, STARTS, 3}, EXPECTED, 4);
}

/* Sections before the end of what is given are passed over. */
static void test_sections_of_a_continuation(void **state)
{
    static const int64_t STARTS[] = {100, 150};
    static const struct window EXPECTED[] = {{0, 100, 150, 0}, {0, 150, 200, 1}};
    (void)state;
    assert_windows(&(struct piece){100, 200, WINDOW, STRIDE, STARTS, 2}, EXPECTED, 2);
}

/* Several in one window: each change carries what a full window would, as far as there is so much. */
static void test_changes_within_a_stride(void **state)
{
    static const int64_t STARTS[] = {0, 1, 100, 101, 650, 1000};
    static const struct window EXPECTED[] = {{0, 0, 1, 0},     {0, 1, 100, 1},    {0, 100, 101, 2},
                                             {0, 101, 650, 3}, {50, 600, 950, 4}, {400, 600, 1500, 5}, {1300, 600, 1100, 5}};
    (void)state;
    assert_windows(&(struct piece){0, 2400, WINDOW, STRIDE, STARTS, 6}, EXPECTED, 7);
}

/* Where a window ends anyway: no window is cut short, none is empty. */
static void test_a_change_at_the_end_of_a_window(void **state)
{
    static const int64_t STARTS[] = {0, 1500, 2400};
    static const struct window EXPECTED[] = {{0, 0, 1500, 0}, {900, 600, 1500, 1}, {1800, 600, 700, 2}};
    static const int64_t LAST[] = {0, 2999};
    static const struct window TO_THE_END[] = {{0, 0, 1500, 0}, {900, 600, 1500, 0}, {1800, 600, 1199, 0}, {2399, 600, 601, 1}};
    (void)state;
    assert_windows(&(struct piece){0, 2500, WINDOW, STRIDE, STARTS, 3}, EXPECTED, 3);
    assert_windows(&(struct piece){0, 3000, WINDOW, STRIDE, LAST, 2}, TO_THE_END, 4);
}

/* New frames fill the piece without a gap, each under the section that it lies in. */
static void assert_covers(const struct piece *piece)
{
    struct windows windows = {0};
    int64_t done = piece->known;
    windows_plan(&windows, piece);
    for (size_t i = 0; i < windows.count; i++) {
        const struct window *window = &windows.items[i];
        assert_int_equal(window->offset + window->prompt, done);
        assert_true(window->offset >= 0 && window->prompt < window->length && window->length <= piece->window);
        assert_true(piece->starts[window->section] <= done);
        done = window->offset + window->length;
        assert_true(window->section + 1 == piece->sections || done <= piece->starts[window->section + 1]);
    }
    assert_int_equal(done, piece->total);
    windows_release(&windows);
}

/* Every hundredth of a second from 0.02 to 120 s: the published float arithmetic fails for 723 of them. */
static void test_every_duration(void **state)
{
    (void)state;
    for (int hundredths = 2; hundredths <= 12000; hundredths++) {
        int64_t frames = frames_of_seconds(hundredths / 100.0, RATE);
        assert_int_equal(frames, hundredths / 2);
        assert_covers(&(struct piece){0, frames, WINDOW, STRIDE, FROM_THE_START, 1});
    }
    assert_int_equal(frames_of_seconds(33.3, RATE), 1665);
    assert_int_equal(frames_of_seconds(36.08, RATE), 1804);
    assert_int_equal(frames_of_seconds(90.1, RATE), 4505);
}

static void test_every_stride(void **state)
{
    (void)state;
    for (int64_t stride = 1; stride < 20; stride++)
        for (int64_t known = 0; known < 60; known++)
            assert_covers(&(struct piece){known, 60, 20, stride, FROM_THE_START, 1});
}

/* All places of two changes in a small piece, after all beginnings, with all strides. */
static void test_every_pair_of_changes(void **state)
{
    (void)state;
    for (int64_t stride = 1; stride < 8; stride++)
        for (int64_t known = 0; known < 20; known += 3)
            for (int64_t first = 1; first < 20; first++)
                for (int64_t second = first + 1; second <= 23; second++) /* the end, and beyond it */ {
                    const int64_t starts[] = {0, known + first, known + second};
                    assert_covers(&(struct piece){known, known + 20, 8, stride, starts, 3});
                }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_minute),
        cmocka_unit_test(test_exactly_one_window),
        cmocka_unit_test(test_continuation),
        cmocka_unit_test(test_sections_end_a_window),
        cmocka_unit_test(test_sections_of_a_continuation),
        cmocka_unit_test(test_changes_within_a_stride),
        cmocka_unit_test(test_a_change_at_the_end_of_a_window),
        cmocka_unit_test(test_every_duration),
        cmocka_unit_test(test_every_stride),
        cmocka_unit_test(test_every_pair_of_changes),
    };
    return cmocka_run_group_tests_name("windows", tests, NULL, NULL);
}
