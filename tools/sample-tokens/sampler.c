/* SPDX-License-Identifier: Apache-2.0
 * Floats are compared as integers: keys, whose order is that of the logits, let top-k select by counting digits, in time
 * that does not depend on the logits. Weights and sums are computed for the tokens that are left.
 */
#include "sample-tokens/sampler.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"
#include "sample-tokens/elementary.h"

void sampler_init(struct sampler *sampler, size_t vocabulary)
{
    *sampler = (struct sampler){.vocabulary = vocabulary};
    sampler->tokens = allocate(vocabulary, sizeof *sampler->tokens);
    sampler->weights = allocate(vocabulary, sizeof *sampler->weights);
    sampler->sums = allocate(vocabulary, sizeof *sampler->sums);
    sampler->keys = allocate(vocabulary, sizeof *sampler->keys);
    sampler->selected = allocate(vocabulary, sizeof *sampler->selected);
    for (int i = 0; i < 2; i++)
        sampler->ranks[i] = allocate(vocabulary, sizeof *sampler->ranks[i]);
}

void sampler_release(struct sampler *sampler)
{
    free(sampler->tokens);
    free(sampler->weights);
    free(sampler->sums);
    free(sampler->keys);
    free(sampler->selected);
    for (int i = 0; i < 2; i++)
        free(sampler->ranks[i]);
    *sampler = (struct sampler){0};
}

void guide(float *guided, const float *with, const float *without, size_t count, double guidance)
{
    float factor = (float)guidance;
    for (size_t i = 0; i < count; i++)
        guided[i] = without[i] + (with[i] - without[i]) * factor;
}

static const uint32_t SIGN = UINT32_C(1) << 31, LOWEST = UINT32_C(1) << 23;

/* Integers in the order of finite floats, from 0 on; what is not finite lies above all of them. -0 is made 0, its equal. */
static inline uint32_t key_of(float value)
{
    uint32_t bits;
    value += 0.0f;
    memcpy(&bits, &value, sizeof bits);
    return (bits ^ (-(bits >> 31) | SIGN)) - LOWEST;
}

static float logit_of(uint32_t key)
{
    uint32_t bits = key + LOWEST;
    float value;
    bits ^= bits & SIGN ? SIGN : UINT32_MAX;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* highest [count] rises to keys [count]. */
static inline void read_block(const float *logits, uint32_t *keys, uint32_t *highest, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        keys[i] = key_of(logits[i]);
        highest[i] = keys[i] > highest[i] ? keys[i] : highest[i];
    }
}

/* Fills keys and the largest of them. In blocks of a length that the compiler knows, so that it computes several at once. */
static int read_logits(struct sampler *sampler, const float *logits, uint32_t *largest)
{
    enum { BLOCK = 16 };
    uint32_t highest[BLOCK] = {0};
    size_t i = 0;
    for (; i + BLOCK <= sampler->vocabulary; i += BLOCK)
        read_block(logits + i, sampler->keys + i, highest, BLOCK);
    read_block(logits + i, sampler->keys + i, highest, sampler->vocabulary - i);
    *largest = highest[0];
    for (i = 1; i < BLOCK; i++)
        *largest = highest[i] > *largest ? highest[i] : *largest;
    if (*largest > key_of(FLT_MAX))
        return fail("the model's logits are not finite: its weights are damaged, or the guidance is too large");
    return 0;
}

/* top-k */

/* A key in digits, the highest first: it splits the vocabulary, so that the others see few. */
enum { HIGHEST_BITS = 11, HIGHEST_SHIFT = 32 - HIGHEST_BITS, LATER_BITS = 7 };

/* The digit that the k-th largest of keys has, k from 1; k becomes its place among those with this digit. */
static uint32_t select_digit(const uint32_t *keys, size_t count, int shift, int bits, size_t *k)
{
    uint32_t counts[1 << HIGHEST_BITS], digit = (UINT32_C(1) << bits) - 1, mask = digit;
    memset(counts, 0, (size_t)(mask + 1) * sizeof *counts);
    for (size_t i = 0; i < count; i++)
        counts[keys[i] >> shift & mask]++;
    while (counts[digit] < *k)
        *k -= counts[digit--];
    return digit;
}

/* The k-th largest of keys that differ in their later digits only, and are moved about. */
static uint32_t select_key(uint32_t *keys, size_t count, size_t k)
{
    for (int shift = HIGHEST_SHIFT - LATER_BITS; shift >= 0; shift -= LATER_BITS) {
        uint32_t digit = select_digit(keys, count, shift, LATER_BITS, &k), mask = (UINT32_C(1) << LATER_BITS) - 1;
        size_t kept = 0;
        for (size_t i = 0; i < count; i++) {
            uint32_t key = keys[i];
            keys[kept] = key;
            kept += (key >> shift & mask) == digit;
        }
        count = kept;
    }
    return keys[0];
}

static void keep_all(struct sampler *sampler)
{
    for (uint32_t i = 0; i < sampler->vocabulary; i++)
        sampler->tokens[i] = i;
    sampler->count = sampler->vocabulary;
}

/* Every logit as large as the k-th largest stays, so ties at the threshold do: first those with its highest digit or a
 * larger one, of these those with its key or a larger one. */
static void keep_top_k(struct sampler *sampler, size_t k)
{
    const uint32_t *keys = sampler->keys;
    uint32_t digit = select_digit(keys, sampler->vocabulary, HIGHEST_SHIFT, HIGHEST_BITS, &k), *tokens = sampler->tokens;
    size_t roughly = 0, like = 0, count = 0;
    for (uint32_t i = 0; i < sampler->vocabulary; i++) {
        tokens[roughly] = i;
        roughly += keys[i] >> HIGHEST_SHIFT >= digit;
    }
    for (size_t i = 0; i < roughly; i++) {
        sampler->selected[like] = keys[tokens[i]];
        like += keys[tokens[i]] >> HIGHEST_SHIFT == digit;
    }
    uint32_t lowest = select_key(sampler->selected, like, k);
    for (size_t i = 0; i < roughly; i++) {
        uint32_t token = tokens[i];
        tokens[count] = token;
        count += keys[token] >= lowest;
    }
    sampler->count = count;
}

/* top-p */

enum { RANK_BITS = 8, RANKS = 1 << RANK_BITS, RANK_PASSES = 4, RANK_SHIFT = 32 };

/* A place in weights, behind what ranks it: 32 bits that rise as its weight falls. A weight, at most 1, has no higher bits
 * than these ten of its exponent and 22 of its fraction. */
static uint64_t rank_of(double weight, uint32_t place)
{
    uint64_t bits;
    memcpy(&bits, &weight, sizeof bits);
    return ~(bits >> 30) << RANK_SHIFT | place;
}

/* One pass of a radix sort. starts: of each digit's first in `to`. */
static void sort_by_digit(const uint64_t *from, uint64_t *to, size_t count, int shift, uint32_t *starts)
{
    for (size_t i = 0; i < count; i++)
        to[starts[from[i] >> shift & (RANKS - 1)]++] = from[i];
}

/* Sorts ranks[0], of all places, by their 32 bits; places that these do not tell apart stay in token order. */
static void rank_roughly(struct sampler *sampler)
{
    uint32_t starts[RANK_PASSES][RANKS] = {0};
    for (uint32_t i = 0; i < sampler->count; i++) {
        uint64_t rank = sampler->ranks[0][i] = rank_of(sampler->weights[i], i);
        for (int pass = 0; pass < RANK_PASSES; pass++)
            starts[pass][rank >> (RANK_SHIFT + pass * RANK_BITS) & (RANKS - 1)]++;
    }
    for (int pass = 0; pass < RANK_PASSES; pass++) {
        uint32_t start = 0;
        for (int digit = 0; digit < RANKS; digit++) {
            uint32_t count = starts[pass][digit];
            starts[pass][digit] = start;
            start += count;
        }
        sort_by_digit(sampler->ranks[pass % 2], sampler->ranks[1 - pass % 2], sampler->count, RANK_SHIFT + pass * RANK_BITS, starts[pass]);
    }
}

/* All places by falling weight, equal ones in token order: those that the rough ranking does not tell apart are few
 * and neighbours. */
static const uint64_t *rank(struct sampler *sampler)
{
    uint64_t *ranks = sampler->ranks[0];
    rank_roughly(sampler);
    for (size_t i = 1; i < sampler->count; i++) {
        uint64_t moved = ranks[i];
        double weight = sampler->weights[(uint32_t)moved];
        size_t j = i;
        for (; j > 0 && ranks[j - 1] >> RANK_SHIFT == moved >> RANK_SHIFT && sampler->weights[(uint32_t)ranks[j - 1]] < weight; j--)
            ranks[j] = ranks[j - 1];
        ranks[j] = moved;
    }
    return ranks;
}

/* Keeps the shortest beginning of the ranking that reaches `wanted`. */
static void keep_top_p(struct sampler *sampler, double wanted)
{
    const uint64_t *ranks = rank(sampler);
    double reached = sampler->weights[(uint32_t)ranks[0]];
    size_t kept = 1;
    while (kept < sampler->count && reached < wanted)
        reached += sampler->weights[(uint32_t)ranks[kept++]];
    while (kept < sampler->count)
        sampler->weights[(uint32_t)ranks[kept++]] = 0;
}

/* weights */

/* Sums are added up at once: they wait for each other, the weights for none. */
static double weigh(struct sampler *sampler, const float *logits, double largest, double temperature)
{
    double sum = 0;
    for (size_t i = 0; i < sampler->count; i++) {
        sampler->weights[i] = elementary_exp(((double)logits[sampler->tokens[i]] - largest) / temperature);
        sampler->sums[i] = sum += sampler->weights[i];
    }
    return sum;
}

static double add_up(struct sampler *sampler)
{
    double sum = 0;
    for (size_t i = 0; i < sampler->count; i++)
        sampler->sums[i] = sum += sampler->weights[i];
    return sum;
}

double sampler_weigh(struct sampler *sampler, const float *logits, const struct sampling *sampling)
{
    uint32_t largest;
    if (read_logits(sampler, logits, &largest))
        return -1;
    if (sampling->top_k > 0 && (size_t)sampling->top_k < sampler->vocabulary)
        keep_top_k(sampler, (size_t)sampling->top_k);
    else
        keep_all(sampler);
    double sum = weigh(sampler, logits, (double)logit_of(largest), sampling->temperature);
    if (sampling->top_p == 0)
        return sum;
    keep_top_p(sampler, sampling->top_p * sum);
    return add_up(sampler);
}

/* token */

/* The first place whose sum exceeds `wanted`; its weight is above 0, since that made the sum grow. count: there is none. */
static size_t place_of(const struct sampler *sampler, double wanted)
{
    size_t low = 0, high = sampler->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sampler->sums[middle] > wanted)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static int32_t choose_largest(struct sampler *sampler, const float *logits)
{
    uint32_t largest;
    int32_t token = 0;
    if (read_logits(sampler, logits, &largest))
        return -1;
    while (sampler->keys[token] != largest)
        token++;
    return token;
}

int32_t sampler_choose(struct sampler *sampler, const float *logits, const struct sampling *sampling, double uniform)
{
    if (sampling->temperature == 0)
        return choose_largest(sampler, logits);
    double sum = sampler_weigh(sampler, logits, sampling);
    if (sum < 0)
        return -1;
    size_t place = place_of(sampler, uniform * sum);
    if (place == sampler->count) /* rounding left none: the last that may be */
        while (sampler->weights[--place] <= 0)
            ;
    return (int32_t)sampler->tokens[place];
}
