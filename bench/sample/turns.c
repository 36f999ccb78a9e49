/* SPDX-License-Identifier: Apache-2.0 */
#include "measuring.h"

#include "base/failure.h"

enum { TURN = 20 };

int64_t turns_total(const struct protocol *protocol)
{
    return protocol->text_count * (protocol->frames + protocol->track_count * protocol->window) + (protocol->late ? protocol->window : 0);
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
            measure_steps(measuring, &cells[i], protocol->frames - frame < TURN ? protocol->frames - frame : TURN);
    for (int i = 0; i < protocol->text_count; i++)
        note_cell(measuring, &cells[i], "every frame");
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
        if (measure_steps(measuring, &cell, protocol->window / 2) == 0)
            measure_steps(measuring, &cell, protocol->window - protocol->window / 2);
        note_cell(measuring, &cell, "middle window");
    }
}

static void run_single(struct measuring *measuring)
{
    const struct protocol *protocol = measuring->protocol;
    struct engine_settings settings = measuring_settings(measuring);
    int64_t last = protocol->late + protocol->window;
    settings.slots = protocol->text_count;
    settings.positions = protocol->frames > last ? protocol->frames : last;
    settings.prefill = protocol->late ? protocol->late : 1;
    if (measuring_open(measuring, &settings) == 0) {
        measure_every_frame(measuring);
        if (protocol->late)
            measure_late(measuring);
    }
    load_close(&measuring->load);
}

static void run_many(struct measuring *measuring)
{
    const struct protocol *protocol = measuring->protocol;
    struct engine_settings settings = measuring_settings(measuring);
    settings.slots = protocol->tracks[protocol->track_count - 1];
    settings.prefill = protocol->frames / 2 - protocol->window;
    settings.positions = settings.prefill + protocol->track_count * protocol->window;
    if (measuring_open(measuring, &settings) == 0)
        for (int i = 0; i < protocol->text_count; i++)
            measure_many(measuring, protocol->texts[i]);
    load_close(&measuring->load);
}

void turns_run(struct measuring *measuring)
{
    run_single(measuring);
    if (!failed())
        run_many(measuring);
}
