/* SPDX-License-Identifier: Apache-2.0
 * divergence - how far the distributions of the next token in one trace are from those in another over the same columns.
 */
#ifndef LEITMOTIF_BENCH_DIVERGENCE_H
#define LEITMOTIF_BENCH_DIVERGENCE_H

#include "trace.h"

enum logits_of { LOGITS_WITH, LOGITS_WITHOUT, LOGITS_GUIDED, LOGITS_KINDS }; /* the condition; the last two only of guided traces */

struct divergence {
    int64_t distributions;
    /* Of the differences, beside the reference's; each distribution's mean is taken off first, which no token depends on. */
    double relative_rms;
    double kl_mean, kl_99, kl_largest; /* Kullback-Leibler, reference to other, in nats, at temperature 1 */
    double same_greedy;                /* share of distributions whose largest logit is the same token's */
};

struct divergence divergence_of(const struct trace *reference, const struct trace *other, enum logits_of kind);

#endif
