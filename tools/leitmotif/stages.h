/* SPDX-License-Identifier: Apache-2.0
 * stages - what a take needs of each stage program: the recipes of its jobs.
 */
#ifndef LEITMOTIF_STAGES_H
#define LEITMOTIF_STAGES_H

#include "leitmotif/plan.h"

/* The release file names of a take, in the order of outputs:; asked for before its jobs. */
void stages_name_files(const struct project *project, struct plan_take *take);

/* All jobs of one take, added to the plan. */
void stages_plan_take(struct plan *plan, struct plan_take *take);

/* The take's own, else its model's. */
double stages_guidance(const struct plan_take *take);

/* The options of the whole process, resolved from auto: {"sample-tokens": "{\"cache\": …}"}. They are part of
 * the recipe and given to the program. New reference. */
json_t *stages_arguments(const struct plan_options *options);

#endif
