/* SPDX-License-Identifier: Apache-2.0
 * language-model - the weights of MusicGen's decoder as tensors, for engine torch. Shapes: language-arrays.h.
 */
#ifndef LEITMOTIF_SAMPLE_TOKENS_LANGUAGE_MODEL_H
#define LEITMOTIF_SAMPLE_TOKENS_LANGUAGE_MODEL_H

#include "formats/checkpoint.h"
#include "formats/model.h"
#include "nn/weights.h"
#include "nn/memory-plan.h"

struct norm {
    struct tensor *weight, *bias; /* [d] */
};

struct language_layer {
    struct norm self_norm, cross_norm, feed_norm; /* each before its part; melody models have no cross-attention */
    struct tensor *self_in;     /* [3d, d]: rows of q, then k, then v */
    struct tensor *self_out;    /* [d, d] */
    struct tensor *cross_query; /* [d, d] */
    struct tensor *cross_text;  /* [2d, d]: rows of k, then v; of the condition */
    struct tensor *cross_out;   /* [d, d] */
    struct tensor *feed_in;     /* [f, d] */
    struct tensor *feed_out;    /* [d, f] */
};

struct language_model {
    struct weights weights;
    struct tensor *embeddings;                 /* [K (V + 1), d]: codebook 0's rows first */
    struct tensor *text_matrix, *text_bias;    /* [d, T5's width], [d] */
    struct tensor *chroma_matrix, *chroma_bias; /* [d, 12], [d]; only of melody models */
    struct language_layer *layers;
    struct norm last_norm;
    struct tensor *heads;                      /* [K V, d] */
};

/* The bytes that loading would take, by group. type: ELEMENT_F32, or ELEMENT_F16 for matrices which that holds exactly
 * (norms and biases stay float32). Refuses a checkpoint that lacks a tensor, has one too many or one misshapen. */
int language_model_plan(const struct model *model, struct checkpoint *checkpoint, enum element_type type, struct memory_plan *plan);

int language_model_load(struct language_model *language, const struct model *model, struct checkpoint *checkpoint,
                        struct device device, enum element_type type);
void language_model_release(struct language_model *language); /* accepts all-zero and half-loaded */

#endif
