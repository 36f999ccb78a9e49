/* SPDX-License-Identifier: Apache-2.0 */
#include "measuring.h"

#include "base/failure.h"

/* Steps before any is timed: libraries choose their kernels, a graph is recorded. They are undone by admitting anew. */
enum { WARM_STEPS = 8 };

int64_t grid_total(const struct protocol *protocol)
{
    return protocol->text_count * protocol->track_count * protocol->frames + (protocol->late ? protocol->window : 0);
}

/* What the device has no memory for is no failure of the others. */
static void note_skipped(struct measuring *measuring, int tracks, int64_t text)
{
    json_array_append_new(measuring->cells, json_pack("{s:i, s:I, s:s}", "tracks", tracks, "text_tokens", (json_int_t)text, "skipped",
                                                      failure_text()));
    failure_clear();
}

/* An engine of its own. Returns 0 when it is open, 1 when the device cannot hold it, which is noted. */
static int open_engine(struct measuring *measuring, int tracks, int64_t text, int64_t positions, int64_t prefill)
{
    struct engine_settings settings = measuring_settings(measuring);
    settings.slots = tracks;
    settings.text_tokens = text;
    settings.positions = positions;
    settings.prefill = prefill;
    if (measuring_open(measuring, &settings) == 0)
        return 0;
    if (measuring->load.refused)
        note_skipped(measuring, tracks, text);
    return 1;
}

static void admit_all(struct measuring *measuring, int tracks, int64_t text)
{
    for (int i = 0; i < tracks && !failed(); i++)
        load_admit(&measuring->load, i, text);
}

static void measure_cell(struct measuring *measuring, int tracks, int64_t text)
{
    const struct protocol *protocol = measuring->protocol;
    struct cell cell = {.tracks = tracks, .text = text};
    int64_t warm = protocol->frames < WARM_STEPS ? protocol->frames : WARM_STEPS;
    double drawing;
    if (open_engine(measuring, tracks, text, protocol->frames, 1) == 0) {
        admit_all(measuring, tracks, text);
        for (int64_t i = 0; i < warm && !failed(); i++)
            load_step(&measuring->load, 0, tracks, &drawing);
        admit_all(measuring, tracks, text);
        if (!failed())
            measure_steps(measuring, &cell, protocol->frames);
        note_cell(measuring, &cell, "every frame");
    }
    load_close(&measuring->load);
}

static void run_late(struct measuring *measuring)
{
    const struct protocol *protocol = measuring->protocol;
    if (open_engine(measuring, 1, protocol->texts[0], protocol->late + protocol->window, protocol->late) == 0)
        measure_late(measuring);
    load_close(&measuring->load);
}

void grid_run(struct measuring *measuring)
{
    const struct protocol *protocol = measuring->protocol;
    for (int i = 0; i < protocol->track_count; i++)
        for (int t = 0; t < protocol->text_count && !failed(); t++)
            measure_cell(measuring, protocol->tracks[i], protocol->texts[t]);
    if (protocol->late && !failed())
        run_late(measuring);
}
