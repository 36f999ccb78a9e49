/* SPDX-License-Identifier: Apache-2.0
 * made-up - conditions and ids for a language model in tests: what is in them is not a property of the numbers.
 */
#ifndef LEITMOTIF_TESTS_MADE_UP_H
#define LEITMOTIF_TESTS_MADE_UP_H

#include "base/memory.h"
#include "formats/model.h"
#include "formats/stage.h"

/* Uniform enough. */
static uint32_t made_up_number(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Vectors in [-0.5, 0.5); condition_release. */
static void made_up_condition(struct condition *condition, const struct model *model, int64_t tokens, uint32_t *state)
{
    *condition = (struct condition){.tokens = tokens, .width = model->text.width};
    condition->hidden = allocate((size_t)(tokens * model->text.width) + 1, sizeof *condition->hidden);
    for (int64_t i = 0; i < tokens * model->text.width; i++)
        condition->hidden[i] = (float)made_up_number(state) / 0x1p24f - 0.5f;
}

/* Numbers below `limit`; yours to free(). */
static int32_t *made_up_ids(int64_t count, int64_t limit, uint32_t *state)
{
    int32_t *ids = allocate((size_t)count, sizeof *ids);
    for (int64_t i = 0; i < count; i++)
        ids[i] = (int32_t)made_up_number(state) % (int32_t)limit;
    return ids;
}

#endif
