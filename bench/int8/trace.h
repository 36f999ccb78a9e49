/* SPDX-License-Identifier: Apache-2.0
 * trace - the logits that one engine gives after each column of one take, in one window from its beginning.
 *
 * One engine draws the tokens as sample-tokens does; the others are fed the same columns, whatever they would have drawn.
 */
#ifndef LEITMOTIF_BENCH_TRACE_H
#define LEITMOTIF_BENCH_TRACE_H

#include "sample-tokens/engine.h"
#include "sample-tokens/request.h"

struct trace {
    int64_t columns, rows, codebooks, vocabulary; /* rows: 2 when guided */
    double guidance;
    int32_t *ids;   /* [columns, codebooks] as fed */
    bool *chosen;   /* [columns, codebooks]: its logits choose a token */
    float *logits;  /* [columns, rows, codebooks, vocabulary] */
};

/* The sizes that this request needs, of one slot; type of weights, cache and threads are the caller's. */
int trace_settings(struct engine_settings *settings, const struct model *model, const struct request *request);

/* drawn: whose columns to feed; NULL: draw. The engine is engine cpu's, opened with trace_settings. */
int trace_make(struct trace *trace, struct engine *engine, const struct model *model, const struct request *request,
               const struct trace *drawn);
/* As it would have been with all logits divided by `temperature`. */
void trace_warm(struct trace *trace, const struct trace *drawn, double temperature);

void trace_release(struct trace *trace); /* accepts all-zero and half-made */

#endif
