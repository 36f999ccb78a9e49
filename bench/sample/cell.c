/* SPDX-License-Identifier: Apache-2.0 */
#include "cell.h"

#include "base/clock.h"
#include "base/failure.h"
#include "traffic.h"
#include "waits.h"

enum { STEPS_BETWEEN = 4, LITTLE = 16 << 20 };

/* As much as a step reads, so that other work on the machine meets both alike. First a little that is not counted: an engine's
 * threads may still be on their way to sleep. */
static void measure_bandwidth(struct cell *cell, struct bandwidth *bandwidth, int64_t bytes)
{
    bandwidth_pass(bandwidth, LITTLE);
    series_add(&cell->bandwidth, bandwidth_pass(bandwidth, (size_t)bytes));
}

static int64_t step_bytes(const struct cell *cell, const struct load *load)
{
    const struct language_config *config = &load->model->language;
    int64_t bytes = traffic_weights(config, load->settings.weights);
    for (int i = cell->first; i < cell->first + cell->tracks; i++)
        bytes += traffic_cache(config, load->settings.cache, GUIDED_ROWS, load->tracks[i].columns + 1, load->tracks[i].text);
    return bytes;
}

int cell_measure(struct cell *cell, struct load *load, struct bandwidth *bandwidth, int64_t steps)
{
    if (cell->steps.count == 0)
        cell->begin = load->tracks[cell->first].columns;
    for (int64_t i = 0; i < steps; i++) {
        int64_t bytes = step_bytes(cell, load);
        if (cell->steps.count % STEPS_BETWEEN == 0)
            measure_bandwidth(cell, bandwidth, bytes);
        double drawing, waited = waits_seconds(), start = clock_seconds();
        cell->bytes += bytes;
        for (int t = 0; t < cell->tracks; t++)
            cell->positions += load->tracks[cell->first + t].columns;
        if (failed() || load_step(load, cell->first, cell->tracks, &drawing))
            return -1;
        series_add(&cell->steps, clock_seconds() - start);
        series_add(&cell->drawing, drawing);
        series_add(&cell->waiting, waits_seconds() - waited);
    }
    return 0;
}

json_t *spread_json(const struct series *series, double factor)
{
    return json_pack("{s:f, s:f, s:f}", "least", series_rank(series, 0) * factor, "median", series_rank(series, 0.5) * factor, "most",
                     series_rank(series, 1) * factor);
}

/* What the host does of a step shows where its time goes: besides drawing and waiting it launches. */
static json_t *times_json(const struct cell *cell, bool gpu)
{
    double steps = (double)cell->steps.count;
    json_t *times = spread_json(&cell->steps, 1e3);
    json_object_set_new(times, "mean", json_real(1e3 * series_sum(&cell->steps) / steps));
    json_object_set_new(times, "drawing", json_real(1e3 * series_sum(&cell->drawing) / steps));
    if (gpu)
        json_object_set_new(times, "waiting", json_real(1e3 * series_sum(&cell->waiting) / steps));
    return times;
}

json_t *cell_json(const struct cell *cell, const struct load *load, const char *how)
{
    double seconds = series_sum(&cell->steps), steps = (double)cell->steps.count, tracks = cell->tracks;
    double rate = steps / seconds, bytes = (double)cell->bytes / steps;
    double share = bytes / series_rank(&cell->steps, 0.5) / series_rank(&cell->bandwidth, 0.5);
    return json_pack("{s:s, s:i, s:I, s:I, s:f, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:o, s:o}", "measured", how, "tracks", cell->tracks,
                     "text_tokens", (json_int_t)cell->text, "first_frame", (json_int_t)cell->begin, "mean_frame",
                     (double)cell->positions / steps / tracks, "steps", (json_int_t)cell->steps.count, "seconds", seconds,
                     "steps_per_second", rate, "track_steps_per_second", rate * tracks, "times_real_time",
                     rate * tracks / (double)load->model->frame_rate_hz, "bytes_per_step", bytes, "share_of_bandwidth", share,
                     "milliseconds", times_json(cell, load->settings.device.kind != DEVICE_CPU), "bandwidth_gb_per_second", spread_json(&cell->bandwidth, 1e-9));
}

void cell_release(struct cell *cell)
{
    series_release(&cell->steps);
    series_release(&cell->drawing);
    series_release(&cell->waiting);
    series_release(&cell->bandwidth);
}
