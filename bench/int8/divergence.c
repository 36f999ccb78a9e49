/* SPDX-License-Identifier: Apache-2.0 */
#include "divergence.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sample-tokens/sampler.h"

/* What is added up over all distributions. */
struct sums {
    double difference, reference; /* squares */
    double *divergences;
    int64_t count, same;
};

static void logits_at(const struct trace *trace, int64_t column, int64_t codebook, enum logits_of kind, float *logits)
{
    int64_t vocabulary = trace->vocabulary, row = trace->codebooks * vocabulary;
    const float *with = trace->logits + column * trace->rows * row + codebook * vocabulary;
    if (kind == LOGITS_GUIDED)
        guide(logits, with, with + row, (size_t)vocabulary, trace->guidance);
    else
        memcpy(logits, kind == LOGITS_WITH ? with : with + row, (size_t)vocabulary * sizeof *logits);
}

static int64_t greedy(const float *logits, int64_t count)
{
    int64_t best = 0;
    for (int64_t i = 1; i < count; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

static double mean_of(const float *logits, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += logits[i];
    return sum / (double)count;
}

/* log of the sum of exp(logits) */
static double log_sum(const float *logits, int64_t count)
{
    double largest = logits[greedy(logits, count)], sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += exp(logits[i] - largest);
    return largest + log(sum);
}

static void add(struct sums *sums, const float *reference, const float *other, int64_t count)
{
    double reference_mean = mean_of(reference, count), other_mean = mean_of(other, count), divergence = 0;
    double reference_sum = log_sum(reference, count), other_sum = log_sum(other, count);
    for (int64_t i = 0; i < count; i++) {
        double distance = (other[i] - other_mean) - (reference[i] - reference_mean), size = reference[i] - reference_mean;
        double log_reference = reference[i] - reference_sum, log_other = other[i] - other_sum;
        sums->difference += distance * distance;
        sums->reference += size * size;
        divergence += exp(log_reference) * (log_reference - log_other);
    }
    sums->divergences[sums->count++] = divergence;
    sums->same += greedy(reference, count) == greedy(other, count);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static struct divergence summary(struct sums *sums)
{
    double sum = 0;
    int64_t count = sums->count;
    qsort(sums->divergences, (size_t)count, sizeof *sums->divergences, ascending);
    for (int64_t i = 0; i < count; i++)
        sum += sums->divergences[i];
    return (struct divergence){
        .distributions = count, .relative_rms = sqrt(sums->difference / sums->reference), .kl_mean = sum / (double)count,
        .kl_99 = sums->divergences[(count - 1) * 99 / 100], .kl_largest = sums->divergences[count - 1],
        .same_greedy = (double)sums->same / (double)count,
    };
}

struct divergence divergence_of(const struct trace *reference, const struct trace *other, enum logits_of kind)
{
    int64_t places = reference->columns * reference->codebooks;
    float *logits[2] = {allocate((size_t)reference->vocabulary, sizeof(float)), allocate((size_t)reference->vocabulary, sizeof(float))};
    struct sums sums = {.divergences = allocate((size_t)places, sizeof *sums.divergences)};
    for (int64_t i = 0; i < places; i++) {
        if (!reference->chosen[i])
            continue;
        logits_at(reference, i / reference->codebooks, i % reference->codebooks, kind, logits[0]);
        logits_at(other, i / reference->codebooks, i % reference->codebooks, kind, logits[1]);
        add(&sums, logits[0], logits[1], reference->vocabulary);
    }
    struct divergence divergence = summary(&sums);
    free(logits[0]);
    free(logits[1]);
    free(sums.divergences);
    return divergence;
}
