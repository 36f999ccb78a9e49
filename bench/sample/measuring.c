/* SPDX-License-Identifier: Apache-2.0 */
#include "measuring.h"

#include <string.h>

#include "base/clock.h"
#include "base/failure.h"
#include "base/progress.h"

static int64_t largest_of(const int64_t *numbers, int count)
{
    int64_t largest = 0;
    for (int i = 0; i < count; i++)
        largest = numbers[i] > largest ? numbers[i] : largest;
    return largest;
}

static enum element_type type_named(const char *name)
{
    return strcmp(name, "int8") == 0 ? ELEMENT_I8 : strcmp(name, "f16") == 0 ? ELEMENT_F16 : ELEMENT_F32;
}

struct engine_settings measuring_settings(const struct measuring *measuring)
{
    const struct protocol *protocol = measuring->protocol;
    return (struct engine_settings){.device = measuring->device,
                                    .threads = measuring->threads,
                                    .weights = type_named(protocol->weights),
                                    .cache = type_named(protocol->cache),
                                    .rows = GUIDED_ROWS,
                                    .text_tokens = largest_of(protocol->texts, protocol->text_count)};
}

int measuring_open(struct measuring *measuring, const struct engine_settings *settings)
{
    return load_open(&measuring->load, measuring->operations, measuring->model, measuring->checkpoint, settings, &measuring->budget);
}

int measure_steps(struct measuring *measuring, struct cell *cell, int64_t steps)
{
    int result = cell_measure(cell, &measuring->load, measuring->bandwidth, steps);
    progress_step("sample", measuring->done += steps, measuring->total);
    return result;
}

void note_cell(struct measuring *measuring, struct cell *cell, const char *how)
{
    if (!failed())
        json_array_append_new(measuring->cells, cell_json(cell, &measuring->load, how));
    cell_release(cell);
}

void measure_late(struct measuring *measuring)
{
    const struct protocol *protocol = measuring->protocol;
    struct cell cell = {.tracks = 1, .text = protocol->texts[0]};
    if (failed() || load_admit(&measuring->load, 0, cell.text))
        return;
    double start = clock_seconds();
    load_reach(&measuring->load, 0, protocol->late);
    double seconds = clock_seconds() - start;
    if (!failed())
        measure_steps(measuring, &cell, protocol->window);
    note_cell(measuring, &cell, "late window");
    json_decref(measuring->prefill);
    measuring->prefill = json_pack("{s:I, s:f, s:f}", "columns", (json_int_t)protocol->late, "seconds", seconds, "columns_per_second",
                                   (double)protocol->late / seconds);
}
