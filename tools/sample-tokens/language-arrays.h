/* SPDX-License-Identifier: Apache-2.0
 * language-arrays - the weights of MusicGen's decoder as they lie in a checkpoint: which there are, with which shapes.
 *
 * Names and shapes are those of the Hugging Face layout; every size is the configuration's. Matrices are [out, in]; those
 * that one product can serve are stacked by rows. d: width, K: codebooks, V: vocabulary, f: width of the feed-forward layer.
 * Engines turn these into weights of their own kind.
 */
#ifndef LEITMOTIF_SAMPLE_TOKENS_LANGUAGE_ARRAYS_H
#define LEITMOTIF_SAMPLE_TOKENS_LANGUAGE_ARRAYS_H

#include <stdbool.h>

#include "formats/checkpoint.h"
#include "formats/model.h"

enum { MOST_PARTS = 16 };

struct stack {
    const struct array *parts[MOST_PARTS]; /* of one shape; borrowed from the checkpoint */
    int count;
    enum { FIT_UNKNOWN, FITS_HALF, NEEDS_SINGLE } fit; /* stack_fits_half remembers */
};

struct norm_arrays {
    const struct array *weight, *bias; /* [d] */
};

struct layer_arrays {
    struct norm_arrays self_norm, cross_norm, feed_norm; /* each before its part; melody models have no cross-attention */
    struct stack self_in;     /* [3d, d]: rows of q, then k, then v */
    struct stack self_out;    /* [d, d] */
    struct stack cross_query; /* [d, d] */
    struct stack cross_text;  /* [2d, d]: rows of k, then v; of the condition */
    struct stack cross_out;   /* [d, d] */
    struct stack feed_in;     /* [f, d] */
    struct stack feed_out;    /* [d, f] */
};

struct language_arrays {
    struct stack embeddings;   /* [K (V + 1), d]: codebook 0's rows first */
    struct stack text_matrix;  /* [d, T5's width] */
    struct stack chroma_matrix; /* [d, 12]; only of melody models */
    const struct array *text_bias, *chroma_bias; /* [d] */
    struct layer_arrays *layers;
    struct norm_arrays last_norm;
    struct stack heads;        /* [K V, d] */
};

/* Refuses a checkpoint that lacks a tensor, has one too many or one misshapen. Release in any case. */
int language_arrays_take(struct language_arrays *arrays, const struct model *model, struct checkpoint *checkpoint);
void language_arrays_release(struct language_arrays *arrays);

int64_t stack_rows(const struct stack *stack);    /* of all parts */
int64_t stack_columns(const struct stack *stack);
bool stack_fits_half(struct stack *stack);        /* float16 holds all of it exactly; reads it all, once */

#endif
