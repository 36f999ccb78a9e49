/* SPDX-License-Identifier: Apache-2.0
 * schedule - all jobs of a run through the slots of one engine: a finished track's slot is taken by the next.
 */
#ifndef LEITMOTIF_SAMPLE_TOKENS_SCHEDULE_H
#define LEITMOTIF_SAMPLE_TOKENS_SCHEDULE_H

#include "base/tool.h"
#include "sample-tokens/setup.h"

/* Jobs end one by one (tool_job_end). -1: nothing could be done at all. */
int schedule_run(struct tool_run *run, struct setup *setup);

/* Instead of work: every job's windows and the memory of the round that it would be part of, as its result or as a table on stdout. */
void schedule_print_plans(struct tool_run *run, struct setup *setup);

#endif
