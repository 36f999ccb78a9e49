/* SPDX-License-Identifier: Apache-2.0 */
#include "sample-tokens/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"

void sampler_init(struct sampler *sampler, size_t vocabulary)
{
    sampler->vocabulary = vocabulary;
    sampler->weights = allocate(vocabulary, sizeof *sampler->weights);
    sampler->ranked = allocate(vocabulary, sizeof *sampler->ranked);
    sampler->order = allocate(vocabulary, sizeof *sampler->order);
}

void sampler_release(struct sampler *sampler)
{
    free(sampler->weights);
    free(sampler->ranked);
    free(sampler->order);
    *sampler = (struct sampler){0};
}

void guide(float *guided, const float *with, const float *without, size_t count, double guidance)
{
    float factor = (float)guidance;
    for (size_t i = 0; i < count; i++)
        guided[i] = without[i] + (with[i] - without[i]) * factor;
}

static void swap(float *a, float *b)
{
    float kept = *a;
    *a = *b;
    *b = kept;
}

/* The k-th largest of values (k from 1), which are reordered: Hoare's quickselect. */
static float kth_largest(float *values, size_t count, size_t k)
{
    size_t low = 0, high = count - 1, target = k - 1;
    while (low < high) {
        float pivot = values[low + (high - low) / 2];
        size_t i = low, j = high;
        for (;;) {
            while (values[i] > pivot)
                i++;
            while (values[j] < pivot)
                j--;
            if (i >= j)
                break;
            swap(&values[i++], &values[j--]);
        }
        if (target <= j)
            high = j;
        else
            low = j + 1;
    }
    return values[target];
}

/* Every logit as large as the k-th largest stays, so ties at the threshold do. */
static float threshold(struct sampler *sampler, const float *logits, int64_t top_k)
{
    if (top_k == 0 || (size_t)top_k >= sampler->vocabulary)
        return -INFINITY;
    memcpy(sampler->ranked, logits, sampler->vocabulary * sizeof *logits);
    return kth_largest(sampler->ranked, sampler->vocabulary, (size_t)top_k);
}

static double sum_of(const double *weights, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += weights[i];
    return sum;
}

/* Falling weights; equal ones in token order. */
static int compare_weights(const void *a, const void *b, void *context)
{
    const double *weights = context;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (weights[x] != weights[y])
        return weights[x] > weights[y] ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* Keeps the shortest beginning of the ranking that reaches the share top_p of the whole. */
static void keep_top_p(struct sampler *sampler, double top_p)
{
    double wanted = top_p * sum_of(sampler->weights, sampler->vocabulary), reached = 0;
    size_t count = 0;
    for (uint32_t i = 0; i < sampler->vocabulary; i++)
        if (sampler->weights[i] > 0)
            sampler->order[count++] = i;
    qsort_r(sampler->order, count, sizeof *sampler->order, compare_weights, sampler->weights);
    for (size_t i = 0; i < count; i++) {
        double weight = sampler->weights[sampler->order[i]];
        if (i > 0 && reached >= wanted)
            sampler->weights[sampler->order[i]] = 0;
        reached += weight;
    }
}

static uint32_t first_maximum(const float *logits, size_t count)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

double sampler_weigh(struct sampler *sampler, const float *logits, const struct sampling *sampling)
{
    float lowest = threshold(sampler, logits, sampling->top_k);
    double largest = logits[first_maximum(logits, sampler->vocabulary)];
    for (size_t i = 0; i < sampler->vocabulary; i++)
        sampler->weights[i] = logits[i] < lowest ? 0 : exp((logits[i] - largest) / sampling->temperature);
    if (sampling->top_p > 0)
        keep_top_p(sampler, sampling->top_p);
    return sum_of(sampler->weights, sampler->vocabulary);
}

static bool all_finite(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

int32_t sampler_choose(struct sampler *sampler, const float *logits, const struct sampling *sampling, double uniform)
{
    if (!all_finite(logits, sampler->vocabulary))
        return fail("the model's logits are not finite: its weights are damaged, or the guidance is too large");
    if (sampling->temperature == 0)
        return (int32_t)first_maximum(logits, sampler->vocabulary);
    double wanted = uniform * sampler_weigh(sampler, logits, sampling), reached = 0;
    int32_t last = 0;
    for (size_t i = 0; i < sampler->vocabulary; i++) {
        if (sampler->weights[i] <= 0)
            continue;
        last = (int32_t)i;
        reached += sampler->weights[i];
        if (reached > wanted)
            break;
    }
    return last;
}
