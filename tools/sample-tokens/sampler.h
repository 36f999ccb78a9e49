/* SPDX-License-Identifier: Apache-2.0
 * sampler - from the logits of one codebook to one token: guidance, temperature, top-k, top-p, draw.
 *
 * docs/sampling.md is the definition that this file follows. Logits are float32, probabilities double.
 */
#ifndef LEITMOTIF_SAMPLE_TOKENS_SAMPLER_H
#define LEITMOTIF_SAMPLE_TOKENS_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

struct sampling {
    double temperature; /* 0: greedy */
    int64_t top_k;      /* 0: off */
    double top_p;       /* 0: off */
};

struct sampler {
    size_t vocabulary;
    double *weights;  /* [vocabulary] */
    float *ranked;    /* [vocabulary] scratch of top-k */
    uint32_t *order;  /* [vocabulary] scratch of top-p */
};

void sampler_init(struct sampler *sampler, size_t vocabulary);
void sampler_release(struct sampler *sampler);

/* guided [count] = without + (with - without) guidance; in float32, may be one of its operands. */
void guide(float *guided, const float *with, const float *without, size_t count, double guidance);

/* Probabilities up to a common factor into sampler->weights, 0 for tokens that top-k or top-p remove. temperature > 0.
 * Returns their sum. */
double sampler_weigh(struct sampler *sampler, const float *logits, const struct sampling *sampling);

/* The token for a uniform number in [0, 1), which greedy sampling does not use. -1 and a failure when the logits are
 * not finite. */
int32_t sampler_choose(struct sampler *sampler, const float *logits, const struct sampling *sampling, double uniform);

#endif
