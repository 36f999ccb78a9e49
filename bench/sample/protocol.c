/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/failure.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "cell.h"
#include "cpu/kernels.h"

enum { TURN = 20, LONGEST_TEXT = 4096, DEFAULT_BUFFER = 512 << 20 };

/* One run of a protocol. */
struct measuring {
    const struct protocol *protocol;
    int threads;
    struct load load;
    struct bandwidth *bandwidth;
    json_t *cells;
    int64_t done, total; /* steps */
};

/* what to measure */

void protocol_defaults(struct protocol *protocol)
{
    protocol->frames = 500;
    protocol->late = 1400;
    protocol->window = 16;
    protocol->buffer = DEFAULT_BUFFER;
    protocol->cache = copy_string("f16");
}

/* Numbers as asked for, or `usual`, which ends with 0. Returns how many, or -1. */
static int read_list(const struct string_list *given, const char *option, const int64_t *usual, int64_t most, int64_t *numbers, size_t room)
{
    size_t count = 0;
    for (; given->count == 0 && usual[count]; count++)
        numbers[count] = usual[count];
    if (given->count > room)
        return misuse("'--%s' is given %zu times, at most %zu are possible", option, given->count, room);
    for (size_t i = 0; i < given->count; i++, count++)
        if (parse_integer(given->items[i], &numbers[i]) || numbers[i] < 1 || numbers[i] > most)
            return misuse("'--%s %s': expected a number from 1 to %lld", option, given->items[i], (long long)most);
    return (int)count;
}

int protocol_check(struct protocol *protocol)
{
    static const int64_t usual_tracks[] = {1, 2, 4, 8, 16, 0}, usual_texts[] = {10, 150, 0};
    int64_t tracks[MOST_SLOTS];
    protocol->track_count = read_list(&protocol->tracks_given, "tracks", usual_tracks, MOST_SLOTS, tracks, MOST_SLOTS);
    protocol->text_count = read_list(&protocol->texts_given, "text", usual_texts, LONGEST_TEXT, protocol->texts, MOST_TEXTS);
    if (protocol->track_count < 0 || protocol->text_count < 0)
        return -1;
    for (int i = 0; i < protocol->track_count; i++) {
        protocol->tracks[i] = (int)tracks[i];
        if (i && tracks[i] <= tracks[i - 1])
            return misuse("'--tracks %lld' after %lld: give rising numbers", (long long)tracks[i], (long long)tracks[i - 1]);
    }
    if (protocol->frames < 4 * protocol->window)
        return misuse("'--frames %lld' is less than four windows of %lld", (long long)protocol->frames, (long long)protocol->window);
    return 0;
}

/* measuring */

static int measure(struct measuring *measuring, struct cell *cell, int64_t steps)
{
    int result = cell_measure(cell, &measuring->load, measuring->bandwidth, steps);
    progress_step("sample", measuring->done += steps, measuring->total);
    return result;
}

/* Adds the cell to the results and empties it. */
static void note_cell(struct measuring *measuring, struct cell *cell, const char *how)
{
    if (!failed())
        json_array_append_new(measuring->cells, cell_json(cell, measuring->load.model, how));
    cell_release(cell);
}

/* One track of each length of text, in turns. */
static void measure_every_frame(struct measuring *measuring)
{
    const struct protocol *protocol = measuring->protocol;
    struct cell cells[MOST_TEXTS] = {0};
    for (int i = 0; i < protocol->text_count && !failed(); i++) {
        cells[i] = (struct cell){.first = i, .tracks = 1, .text = protocol->texts[i]};
        load_admit(&measuring->load, i, protocol->texts[i]);
    }
    for (int64_t frame = 0; frame < protocol->frames; frame += TURN)
        for (int i = 0; i < protocol->text_count && !failed(); i++)
            measure(measuring, &cells[i], protocol->frames - frame < TURN ? protocol->frames - frame : TURN);
    for (int i = 0; i < protocol->text_count; i++)
        note_cell(measuring, &cells[i], "every frame");
}

static json_t *measure_late(struct measuring *measuring)
{
    const struct protocol *protocol = measuring->protocol;
    struct cell cell = {.tracks = 1, .text = protocol->texts[0]};
    if (failed() || load_admit(&measuring->load, 0, cell.text))
        return NULL;
    double start = clock_seconds();
    load_reach(&measuring->load, 0, protocol->late);
    double seconds = clock_seconds() - start;
    if (!failed())
        measure(measuring, &cell, protocol->window);
    note_cell(measuring, &cell, "late window");
    return json_pack("{s:I, s:f, s:f}", "columns", (json_int_t)protocol->late, "seconds", seconds, "columns_per_second",
                     (double)protocol->late / seconds);
}

/* Every slot is brought to the middle once; each number of tracks takes other slots as far as there are any. */
static void measure_many(struct measuring *measuring, int64_t text)
{
    const struct protocol *protocol = measuring->protocol;
    int slots = measuring->load.settings.slots;
    for (int i = 0; i < slots && !failed(); i++)
        if (load_admit(&measuring->load, i, text) == 0)
            load_reach(&measuring->load, i, measuring->load.settings.prefill);
    for (int i = 0; i < protocol->track_count && !failed(); i++) {
        int tracks = protocol->tracks[i];
        struct cell cell = {.first = 2 * tracks <= slots ? tracks : 0, .tracks = tracks, .text = text};
        if (measure(measuring, &cell, protocol->window / 2) == 0)
            measure(measuring, &cell, protocol->window - protocol->window / 2);
        note_cell(measuring, &cell, "middle window");
    }
}

/* running */

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

static struct engine_settings settings_for(const struct measuring *measuring)
{
    const struct protocol *protocol = measuring->protocol;
    return (struct engine_settings){.device = {DEVICE_CPU, 0},
                                    .threads = measuring->threads,
                                    .weights = type_named(protocol->weights),
                                    .cache = type_named(protocol->cache),
                                    .rows = GUIDED_ROWS,
                                    .text_tokens = largest_of(protocol->texts, protocol->text_count)};
}

static json_t *run_single(struct measuring *measuring, const struct engine_operations *operations, const struct model *model,
                          struct checkpoint *checkpoint)
{
    const struct protocol *protocol = measuring->protocol;
    struct engine_settings settings = settings_for(measuring);
    int64_t last = protocol->late + protocol->window;
    json_t *prefill = NULL;
    settings.slots = protocol->text_count;
    settings.positions = protocol->frames > last ? protocol->frames : last;
    settings.prefill = protocol->late ? protocol->late : 1;
    if (load_open(&measuring->load, operations, model, checkpoint, &settings) == 0) {
        measure_every_frame(measuring);
        prefill = protocol->late ? measure_late(measuring) : NULL;
    }
    load_close(&measuring->load);
    return prefill ? prefill : json_null();
}

static void run_many(struct measuring *measuring, const struct engine_operations *operations, const struct model *model,
                     struct checkpoint *checkpoint)
{
    const struct protocol *protocol = measuring->protocol;
    struct engine_settings settings = settings_for(measuring);
    settings.slots = protocol->tracks[protocol->track_count - 1];
    settings.prefill = protocol->frames / 2 - protocol->window;
    settings.positions = settings.prefill + protocol->track_count * protocol->window;
    if (load_open(&measuring->load, operations, model, checkpoint, &settings) == 0)
        for (int i = 0; i < protocol->text_count; i++)
            measure_many(measuring, protocol->texts[i]);
    load_close(&measuring->load);
}

/* Which of our own kernels compute; null for libtorch. */
static json_t *kernels_name(const struct engine_operations *operations)
{
    return operations == &ENGINE_CPU ? json_string(kernels_choose()->name) : json_null();
}

json_t *protocol_run(const struct protocol *protocol, const struct engine_operations *operations, const struct model *model,
                     struct checkpoint *checkpoint, int threads)
{
    struct measuring measuring = {.protocol = protocol, .threads = threads, .cells = json_array()};
    json_t *prefill = NULL;
    measuring.total = protocol->text_count * (protocol->frames + protocol->track_count * protocol->window) +
                    (protocol->late ? protocol->window : 0);
    measuring.bandwidth = bandwidth_open((size_t)protocol->buffer, threads);
    if (measuring.bandwidth) {
        prefill = run_single(&measuring, operations, model, checkpoint);
        if (!failed())
            run_many(&measuring, operations, model, checkpoint);
    }
    bandwidth_close(measuring.bandwidth);
    if (!failed())
        return json_pack("{s:s, s:o, s:s, s:s, s:i, s:o, s:o}", "engine", operations->name, "kernels", kernels_name(operations),
                         "weights", protocol->weights, "cache", protocol->cache, "threads", threads, "steps", measuring.cells,
                         "prefill", prefill);
    json_decref(measuring.cells);
    json_decref(prefill);
    return NULL;
}
