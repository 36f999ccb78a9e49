/* SPDX-License-Identifier: Apache-2.0
 * packed-model - the weights of MusicGen's decoder as engine cpu wants them: matrices in panels, one block of huge pages.
 * Shapes: language-arrays.h.
 */
#ifndef LEITMOTIF_SAMPLE_TOKENS_PACKED_MODEL_H
#define LEITMOTIF_SAMPLE_TOKENS_PACKED_MODEL_H

#include "cpu/matrix.h"
#include "formats/checkpoint.h"
#include "formats/model.h"
#include "nn/memory-plan.h"

struct packed_norm {
    const float *weight, *bias; /* [d] */
};

struct packed_layer {
    struct packed_norm self_norm, cross_norm, feed_norm;
    struct matrix self_in, self_out, cross_query, cross_text, cross_out, feed_in, feed_out;
};

struct packed_model {
    void *memory;                          /* all that follows points into it */
    size_t bytes;
    enum element_type embedding_type;      /* ELEMENT_F16 or ELEMENT_F32 */
    const void *embeddings;                /* [K (V + 1), d] as rows */
    struct matrix text_matrix;
    const float *text_bias, *chroma_bias;  /* [d] */
    const float *chroma_columns;           /* [12, d]: the chroma matrix by columns */
    struct packed_layer *layers;
    struct packed_norm last_norm;
    struct matrix heads;
};

/* The bytes that loading would take, by group. type: ELEMENT_F32; ELEMENT_F16 for matrices which that holds exactly; or
 * ELEMENT_I8 for the matrices of every step, with the others as for ELEMENT_F16. Norms and biases are float32. */
int packed_model_plan(const struct model *model, struct checkpoint *checkpoint, enum element_type type, struct memory_plan *plan);

int packed_model_load(struct packed_model *packed, const struct model *model, struct checkpoint *checkpoint, enum element_type type,
                      struct pool *pool);
void packed_model_release(struct packed_model *packed); /* accepts all-zero and half-loaded */

#endif
