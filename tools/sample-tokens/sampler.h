/* SPDX-License-Identifier: Apache-2.0
 * sampler - from the logits of one codebook to one token: guidance, temperature, top-k, top-p, draw.
 *
 * docs/sampling.md is the definition that this file follows. Logits are float32, probabilities double. Nothing is
 * allocated after sampler_init, and no function of libm is used: a token depends on no C library.
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

/* Everything has room for a whole vocabulary. */
struct sampler {
    size_t vocabulary;
    size_t count;       /* tokens that top-k left */
    uint32_t *tokens;   /* [count] they, ascending */
    double *weights;    /* [count] probabilities up to a common factor; 0 where top-p removed the token */
    double *sums;       /* [count] of the weights up to each, itself included */
    uint32_t *keys;     /* [vocabulary] scratch: logits as integers of the same order */
    uint32_t *selected; /* [vocabulary] scratch of top-k */
    uint64_t *ranks[2]; /* [vocabulary] scratch of top-p */
};

void sampler_init(struct sampler *sampler, size_t vocabulary);
void sampler_release(struct sampler *sampler);

/* guided [count] = without + (with - without) guidance; in float32, may be one of its operands. */
void guide(float *guided, const float *with, const float *without, size_t count, double guidance);

/* Fills count, tokens, weights and sums; temperature > 0. Returns the sum of the weights, above 0; -1 and a failure when
 * the logits are not finite. */
double sampler_weigh(struct sampler *sampler, const float *logits, const struct sampling *sampling);

/* The token for a uniform number in [0, 1), which greedy sampling does not use. -1 and a failure when the logits are
 * not finite. */
int32_t sampler_choose(struct sampler *sampler, const float *logits, const struct sampling *sampling, double uniform);

#endif
