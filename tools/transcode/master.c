/* SPDX-License-Identifier: Apache-2.0 */
#include "transcode/master.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "transcode/limiter.h"

enum { GAIN_ATTEMPTS = 16, CEILING_ATTEMPTS = 4 };

static const double GOOD_LOUDNESS_LU = 0.05;  /* closer than any listener or checker asks for */
static const double METER_MARGIN_DB = 0.05;   /* true-peak meters differ in their interpolation */

static double linear(double decibels)
{
    return pow(10, decibels / 20);
}

/* sound = source at gain_db, limited to ceiling_dbtp if there is one. */
static void set_gain(struct master *master, double gain_db, double ceiling_dbtp)
{
    const struct sound *source = &master->source;
    double factor = linear(gain_db), smallest = 1;
    master->gain_db = gain_db;
    if (isnan(ceiling_dbtp))
        for (int64_t i = 0; i < source->frames * source->channels; i++)
            master->sound.samples[i] = (float)(source->samples[i] * factor);
    else
        smallest = limiter_apply(source->samples, master->peaks, source->frames, source->channels, source->rate_hz, factor,
                                 linear(ceiling_dbtp), master->sound.samples);
    master->reduction_db = smallest < 1 ? -20 * log10(smallest) : 0;
}

/* Raises the gain by what is missing until the loudness is there, or the limiter works too hard for it. What a decibel of
 * gain is worth under the limiter is learnt on the way. */
static int reach_loudness(struct master *master, double target_lufs, double ceiling_dbtp)
{
    double gain_db = target_lufs - master->before.integrated_lufs, last_gain_db = 0, last_lufs = 0, worth = 1;
    for (int attempt = 0; attempt < GAIN_ATTEMPTS; attempt++) {
        double lufs;
        set_gain(master, gain_db, ceiling_dbtp);
        double excess_db = master->reduction_db - MASTER_MOST_REDUCTION_DB;
        if (excess_db > 0.01) {
            set_gain(master, gain_db - excess_db, ceiling_dbtp);
            return 0;
        }
        if (sound_loudness(&master->sound, &lufs) != 0)
            return -1;
        if (fabs(target_lufs - lufs) <= GOOD_LOUDNESS_LU)
            return 0;
        if (attempt > 0 && gain_db != last_gain_db)
            worth = fmax(0.2, fmin(1, (lufs - last_lufs) / (gain_db - last_gain_db)));
        last_gain_db = gain_db;
        last_lufs = lufs;
        gain_db += (target_lufs - lufs) / worth;
    }
    return 0;
}

static bool same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

/* The smooth gain changes the signal between samples a little: where the meter finds the ceiling passed, it is lowered. */
static int make_sound(struct master *master, const struct level *level)
{
    double ceiling_dbtp = level->ceiling_dbtp - METER_MARGIN_DB;
    bool by_loudness = !isnan(level->target_lufs) && isfinite(master->before.integrated_lufs);
    for (int attempt = 0; attempt < CEILING_ATTEMPTS; attempt++) {
        if (!by_loudness)
            set_gain(master, level->gain_db, ceiling_dbtp);
        else if (reach_loudness(master, level->target_lufs, ceiling_dbtp) != 0)
            return -1;
        if (sound_measure(&master->sound, &master->after) != 0)
            return -1;
        double excess_db = master->after.true_peak_dbtp - level->ceiling_dbtp;
        if (isnan(excess_db) || excess_db <= 0)
            break;
        ceiling_dbtp -= excess_db + METER_MARGIN_DB;
    }
    return 0;
}

int master_apply(struct master *master, const struct level *level)
{
    const struct level *made = &master->level;
    if (same(made->target_lufs, level->target_lufs) && same(made->ceiling_dbtp, level->ceiling_dbtp) && made->gain_db == level->gain_db)
        return 0;
    master->level = *level;
    return make_sound(master, level);
}

int master_open(struct master *master, struct sound *source, const struct level *level)
{
    *master = (struct master){.source = *source, .sound = *source, .level = *level};
    size_t samples = (size_t)(source->frames * source->channels);
    *source = (struct sound){0};
    master->sound.samples = allocate(samples, sizeof(float));
    if (!isnan(level->ceiling_dbtp))
        master->peaks = limiter_peaks(master->source.samples, master->source.frames, master->source.channels);
    if (sound_measure(&master->source, &master->before) != 0)
        return -1;
    return make_sound(master, level);
}

void master_release(struct master *master)
{
    sound_release(&master->source);
    sound_release(&master->sound);
    free(master->peaks);
    *master = (struct master){0};
}
