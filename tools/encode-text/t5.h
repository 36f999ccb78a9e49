/* SPDX-License-Identifier: Apache-2.0
 * t5 - the encoder of T5 (Raffel et al. 2020, the original with ReLU) in float32, one prompt per pass.
 *
 * Sizes come from the configuration. A prompt is never padded, so that its result depends on itself only.
 */
#ifndef LEITMOTIF_ENCODE_TEXT_T5_H
#define LEITMOTIF_ENCODE_TEXT_T5_H

#include "formats/model.h"
#include "nn/memory-plan.h"
#include "nn/weights.h"

struct t5_block;

struct t5 {
    struct text_config config;
    struct weights weights;         /* owns every tensor below */
    struct tensor *embedding;       /* [vocabulary, D] */
    struct tensor *final_norm;      /* [D] */
    struct t5_block *blocks;        /* [layers] */
    float *position_bias;           /* [buckets, heads], on the host */
    int64_t *distances;             /* [buckets / 2 - 1]: the smallest distance of bucket 1, 2, ... */
};

/* Adds the bytes on the device: of the weights, of loading them, and of a pass over so many tokens. */
void t5_plan(struct memory_plan *plan, const struct text_config *config, int64_t tokens, struct device device);

/* Takes the text encoder out of a checkpoint, which may be closed then: everything below "text_encoder.", or a T5 model by
 * itself. */
int t5_open(struct t5 *t5, const struct text_config *config, struct checkpoint *checkpoint, struct device device);
void t5_close(struct t5 *t5); /* accepts all-zero and half-open */

/* hidden [tokens, D], the caller's: the output of the last normalisation. tokens >= 1. */
int t5_encode(const struct t5 *t5, const int32_t *ids, int64_t tokens, float *hidden);

/* The bucket of a key's position minus the query's. */
int64_t t5_bucket(const struct t5 *t5, int64_t relative);

#endif
