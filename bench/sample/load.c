/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/failure.h"
#include "base/memory.h"
#include "sample-tokens/philox.h"

static const struct sampling USUAL = {.temperature = 1, .top_k = 250};
static const double USUAL_GUIDANCE = 3;

static int check_memory(struct load *load, struct checkpoint *checkpoint, struct budget budget)
{
    const struct engine_settings *settings = &load->settings;
    struct memory_plan plan = {0};
    if (load->operations->plan_weights(load->model, checkpoint, settings->weights, &plan))
        return -1;
    load->operations->plan_work(load->model, settings, &plan);
    memory_plan_add(&plan, "libraries", budget_workspaces(settings->device));
    budget.allowed = budget.sensible;
    load->refused = !budget_holds(&budget, &plan);
    if (!load->refused)
        return 0;
    return budget_refuse(&budget, &plan, "give fewer --tracks or less --late", "'%s' with %d track%s of %lld frames", load->model->name,
                         settings->slots, settings->slots == 1 ? "" : "s", (long long)settings->positions);
}

int load_open(struct load *load, const struct engine_operations *operations, const struct model *model, struct checkpoint *checkpoint,
              const struct engine_settings *settings, const struct budget *budget)
{
    const struct language_config *config = &model->language;
    *load = (struct load){.operations = operations, .model = model, .settings = *settings};
    if (check_memory(load, checkpoint, *budget))
        return -1;
    sampler_init(&load->sampler, (size_t)config->vocabulary);
    load->guided = allocate((size_t)(config->codebooks * config->vocabulary), sizeof *load->guided);
    for (int i = 0; i < settings->slots; i++)
        load->tracks[i].ids = allocate((size_t)config->codebooks, sizeof *load->tracks[i].ids);
    load->engine = operations->open(model, checkpoint, &load->settings);
    return load->engine ? 0 : -1;
}

void load_close(struct load *load)
{
    if (!load->operations)
        return;
    load->operations->close(load->engine);
    sampler_release(&load->sampler);
    for (int i = 0; i < load->settings.slots; i++)
        free(load->tracks[i].ids);
    free(load->guided);
    *load = (struct load){0};
}

/* Made-up figures come from the generator of the tokens: (slot, where, which) -> [0, 1). */
int load_admit(struct load *load, int slot, int64_t text)
{
    struct condition condition = {.tokens = text, .width = load->model->text.width};
    condition.ids = allocate((size_t)text, sizeof *condition.ids);
    condition.hidden = allocate((size_t)(text * condition.width), sizeof *condition.hidden);
    for (int64_t i = 0; i < text * condition.width; i++)
        condition.hidden[i] = (float)(2 * philox_uniform(slot, i, 0) - 1);
    load->tracks[slot].text = text;
    load->tracks[slot].columns = 0;
    for (int64_t q = 0; q < load->model->language.codebooks; q++)
        load->tracks[slot].ids[q] = (int32_t)load->model->language.vocabulary; /* the special column */
    int result = load->operations->admit(load->engine, slot, &condition, NULL, true);
    condition_release(&condition);
    return result;
}

/* The tokens of the next column, as a guided track draws them. */
static int draw(struct load *load, struct track *track, int slot, const float *logits)
{
    int64_t codebooks = load->model->language.codebooks, vocabulary = load->model->language.vocabulary;
    guide(load->guided, logits, logits + codebooks * vocabulary, (size_t)(codebooks * vocabulary), USUAL_GUIDANCE);
    for (int64_t q = 0; q < codebooks; q++) {
        double uniform = philox_uniform(slot, track->columns, q);
        track->ids[q] = sampler_choose(&load->sampler, load->guided + q * vocabulary, &USUAL, uniform);
        if (track->ids[q] < 0)
            return -1;
    }
    return 0;
}

static int feed(struct load *load, struct engine_feed *feeds, int count, double *drawing)
{
    if (load->operations->step(load->engine, feeds, count))
        return -1;
    double start = clock_seconds();
    for (int i = 0; i < count; i++) {
        struct track *track = &load->tracks[feeds[i].slot];
        track->columns += feeds[i].columns;
        if (draw(load, track, feeds[i].slot, feeds[i].logits))
            return -1;
    }
    *drawing = clock_seconds() - start;
    return 0;
}

int load_reach(struct load *load, int slot, int64_t columns)
{
    const struct language_config *config = &load->model->language;
    int32_t *ids = allocate((size_t)(columns * config->codebooks), sizeof *ids);
    struct engine_feed one = {.slot = slot, .columns = columns, .ids = ids};
    double drawing;
    for (int64_t i = 0; i < columns; i++)
        for (int64_t q = 0; q < config->codebooks; q++)
            ids[i * config->codebooks + q] = (int32_t)(philox_uniform(slot, i, q) * (double)config->vocabulary);
    int result = feed(load, &one, 1, &drawing);
    free(ids);
    return result;
}

int load_step(struct load *load, int first, int count, double *drawing)
{
    struct engine_feed feeds[MOST_SLOTS];
    for (int i = 0; i < count; i++)
        feeds[i] = (struct engine_feed){.slot = first + i, .columns = 1, .ids = load->tracks[first + i].ids};
    return feed(load, feeds, count, drawing);
}
