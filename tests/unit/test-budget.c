/* SPDX-License-Identifier: Apache-2.0
 * What a program may plan with on a CPU and on a GPU that this file makes up, the refusals, and how a clip is cut again after
 * the GPU refused memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/failure.h"
#include "base/machine.h"
#include "nn/budget.h"
#include "nn/cutting.h"

#define MEGABYTE ((int64_t)1 << 20)

static const struct device CPU = {DEVICE_CPU, 0}, GPU = {DEVICE_CUDA, 0};

/* The GPU, in the place of libtorch/device.c and dispatch.c. */
static int64_t gpu_free;
static bool driver_fails, memory_was_refused;

int device_memory(struct device device, struct device_memory *memory)
{
    assert_int_equal(device.kind, DEVICE_CUDA);
    *memory = (struct device_memory){gpu_free + 500 * MEGABYTE, gpu_free};
    return driver_fails ? fail("the driver does not say") : 0;
}

const char *device_text(struct device device) { return device.kind == DEVICE_CPU ? "cpu" : "cuda:0"; }
const char *device_name(struct device device) { return device.kind == DEVICE_CPU ? "CPU" : "a fake GPU"; }
bool device_refused_memory(void) { return memory_was_refused; }

static struct memory_plan plan_of(int64_t weights, int64_t work)
{
    struct memory_plan plan = {0};
    memory_plan_add(&plan, "weights", weights);
    memory_plan_add(&plan, "work", work);
    return plan;
}

static void expect_failure(const char *text)
{
    assert_string_equal(failure_text(), text);
    failure_clear();
}

static void a_cpu_is_limited_by_the_option_only(void **state)
{
    struct budget budget;
    (void)state;
    assert_int_equal(budget_open(&budget, CPU, 0), 0);
    assert_true(budget.allowed == INT64_MAX && !budget.by_option);
    assert_in_range(budget.sensible, MEGABYTE, memory_available() * 2); /* others take and give meanwhile */
    assert_int_equal(budget_open(&budget, CPU, 5 * MEGABYTE), 0);
    assert_true(budget.allowed == 5 * MEGABYTE && budget.sensible == 5 * MEGABYTE && budget.by_option);
    assert_int_equal(budget_open(&budget, CPU, (int64_t)1 << 60), 0);
    assert_true(budget.allowed == (int64_t)1 << 60 && budget.sensible < budget.allowed);
    assert_int_equal(budget_workspaces(CPU), 0);
}

static void a_gpu_has_what_is_free_but_a_reserve(void **state)
{
    struct budget budget;
    (void)state;
    gpu_free = 1000 * MEGABYTE;
    assert_int_equal(budget_open(&budget, GPU, 0), 0);
    assert_in_range(budget.allowed, 700 * MEGABYTE, 900 * MEGABYTE);
    assert_true(budget.sensible == budget.allowed && !budget.by_option);
    int64_t there = budget.allowed;
    assert_int_equal(budget_open(&budget, GPU, 600 * MEGABYTE), 0);
    assert_true(budget.allowed == 600 * MEGABYTE && budget.sensible == 600 * MEGABYTE && budget.by_option);
    assert_int_equal(budget_open(&budget, GPU, 990 * MEGABYTE), 0); /* more than there is */
    assert_true(budget.allowed == there && !budget.by_option);
    gpu_free = 10 * MEGABYTE;
    assert_int_equal(budget_open(&budget, GPU, 0), 0);
    assert_int_equal(budget.allowed, 0);
    driver_fails = true;
    assert_int_equal(budget_open(&budget, GPU, 0), -1);
    driver_fails = false;
    expect_failure("the driver does not say");
    assert_true(budget_workspaces(GPU) >= 32 * MEGABYTE);
}

static void a_plan_fits_to_the_byte(void **state)
{
    const struct budget budget = {.allowed = 100, .there = INT64_MAX};
    const struct memory_plan fits = plan_of(60, 40), more = plan_of(60, 41);
    (void)state;
    assert_true(budget_holds(&budget, &fits));
    assert_false(budget_holds(&budget, &more));
}

static void refuse(const struct budget *budget, int64_t needed, const char *smaller)
{
    const struct memory_plan plan = plan_of(needed, 0);
    char *advice = budget_advice(budget, &plan, smaller);
    assert_int_equal(budget_refuse(budget, &plan, advice, "a prompt of %d tokens", 7), -1);
    free(advice);
}

static void refusals_say_what_to_do(void **state)
{
    const struct budget option = {.allowed = 2 * MEGABYTE, .there = INT64_MAX, .device = CPU, .by_option = true};
    const struct budget machine = {.allowed = 2 * MEGABYTE, .there = INT64_MAX, .device = CPU};
    const struct budget gpu_option = {.allowed = 2 * MEGABYTE, .there = 4 * MEGABYTE, .device = GPU, .by_option = true};
    const struct budget gpu = {.allowed = 4 * MEGABYTE, .there = 4 * MEGABYTE, .device = GPU};
    (void)state;
    refuse(&option, 3 * MEGABYTE + 1, "shorten the prompt");
    expect_failure("a prompt of 7 tokens needs 3.01 MB; 2.00 MB allowed; give --memory 4M or more");
    refuse(&machine, 3 * MEGABYTE, "shorten the prompt");
    expect_failure("a prompt of 7 tokens needs 3.00 MB; this machine has 2.00 MB; shorten the prompt");
    refuse(&machine, 3 * MEGABYTE, NULL);
    expect_failure("a prompt of 7 tokens needs 3.00 MB; this machine has 2.00 MB; use a smaller model");
    refuse(&gpu_option, 3 * MEGABYTE, NULL);
    expect_failure("a prompt of 7 tokens needs 3.00 MB; 2.00 MB allowed; give --memory 3M or more");
    refuse(&gpu_option, 5 * MEGABYTE, NULL); /* no --memory would help */
    expect_failure("a prompt of 7 tokens needs 5.00 MB; 2.00 MB allowed; use --device cpu, or free memory there");
    refuse(&gpu, 5 * MEGABYTE, "shorten the prompt");
    expect_failure("a prompt of 7 tokens needs 5.00 MB; 4.00 MB free on cuda:0 (a fake GPU); shorten the prompt, or use --device cpu, or free memory there");
}

static void what_was_refused_is_explained(void **state)
{
    const struct budget budget = {.device = GPU};
    const struct memory_plan plan = plan_of(MEGABYTE, 0);
    (void)state;
    assert_int_equal(budget_refused(&budget, &plan, "decoding"), -1);
    assert_false(failed());
    fail("the disk is full");
    assert_int_equal(budget_refused(&budget, &plan, "decoding"), -1);
    expect_failure("the disk is full");
    memory_was_refused = true;
    fail("out of memory");
    assert_int_equal(budget_refused(&budget, &plan, "decoding"), -1);
    expect_failure("decoding needs 1.00 MB, and cuda:0 refused some of it: free memory there, or use --device cpu: out of memory");
    memory_was_refused = false;
}

/* cutting */

/* A mebibyte a frame. */
static void plan_frames(struct memory_plan *plan, const struct codec_config *codec, int64_t channels, struct chunking chunking,
                        struct device device)
{
    (void)codec;
    assert_int_equal(device.kind, DEVICE_CUDA);
    memory_plan_add(plan, "chunks", chunking.chunk * channels * MEGABYTE);
}

static void chunks_are_sized_by_what_is_free(void **state)
{
    const struct codec_config codec = {.kernel = 7}, wide = {.kernel = 100};
    struct cutting cutting = {plan_frames, "decoding", &codec, .channels = 2};
    (void)state;
    gpu_free = 4000 * MEGABYTE;
    assert_int_equal(cutting_open(&cutting, GPU, 0), 0);
    assert_int_equal(cutting.chunking.chunk, CHUNK_DEFAULT_FRAMES);
    assert_int_equal(cutting_open(&cutting, GPU, 45 * MEGABYTE), 0);
    assert_int_equal(cutting.chunking.chunk, 22);
    assert_int_equal(cutting.chunking.block, 22 * CHUNKS_IN_A_BLOCK);
    gpu_free -= cutting.budget.there - 30 * MEGABYTE;
    assert_int_equal(cutting_open(&cutting, GPU, 0), 0);
    assert_int_equal(cutting.chunking.chunk, 15);
    gpu_free -= 23 * MEGABYTE;
    assert_int_equal(cutting_open(&cutting, GPU, 0), -1);
    expect_failure("decoding needs 8.00 MB; 7.00 MB free on cuda:0 (a fake GPU); use --device cpu, or free memory there");
    cutting.codec = &wide; /* its first kernel is longer than the shortest block otherwise */
    assert_int_equal(cutting_open(&cutting, GPU, 0), -1);
    assert_non_null(strstr(failure_text(), "decoding needs 26.00 MB"));
    failure_clear();
}

static void a_refused_clip_is_cut_in_half_once(void **state)
{
    const struct codec_config codec = {.kernel = 7};
    struct cutting cutting = {plan_frames, "decoding", &codec, .channels = 1};
    (void)state;
    gpu_free = 4000 * MEGABYTE;
    assert_int_equal(cutting_open(&cutting, GPU, 0), 0);
    fail("the disk is full");
    assert_false(cutting_again(&cutting));
    failure_clear();
    memory_was_refused = true;
    fail("out of memory");
    assert_true(cutting_again(&cutting));
    assert_false(failed());
    assert_int_equal(cutting.chunking.chunk, CHUNK_DEFAULT_FRAMES / 2);
    assert_int_equal(memory_plan_total(&cutting.plan), CHUNK_DEFAULT_FRAMES / 2 * MEGABYTE);
    fail("out of memory");
    assert_false(cutting_again(&cutting));
    assert_int_equal(cutting_refused(&cutting), -1);
    assert_non_null(strstr(failure_text(), "decoding needs 25.00 MB, and cuda:0 refused some of it: "));
    failure_clear();
    assert_int_equal(cutting_open(&cutting, GPU, CHUNK_LEAST_FRAMES * MEGABYTE), 0);
    cutting.halved = false;
    fail("out of memory");
    assert_false(cutting_again(&cutting)); /* the least already */
    failure_clear();
    memory_was_refused = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cpu_is_limited_by_the_option_only),
        cmocka_unit_test(a_gpu_has_what_is_free_but_a_reserve),
        cmocka_unit_test(a_plan_fits_to_the_byte),
        cmocka_unit_test(refusals_say_what_to_do),
        cmocka_unit_test(what_was_refused_is_explained),
        cmocka_unit_test(chunks_are_sized_by_what_is_free),
        cmocka_unit_test(a_refused_clip_is_cut_in_half_once),
    };
    return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
