/* SPDX-License-Identifier: Apache-2.0
 * master - a sound brought to a level: a gain, or the gain that reaches a loudness, and a true-peak ceiling that holds.
 *
 * Loudness is EBU R128's integrated loudness. Where the limiter takes loudness away the gain is raised again, up to
 * MASTER_MOST_REDUCTION_DB of limiting; what the ceiling does not allow then stays missing.
 */
#ifndef LEITMOTIF_TRANSCODE_MASTER_H
#define LEITMOTIF_TRANSCODE_MASTER_H

#include "formats/loudness.h"
#include "transcode/sound.h"

#define MASTER_MOST_REDUCTION_DB 20.0

struct level {
    double target_lufs;   /* NAN: none */
    double ceiling_dbtp;  /* NAN: none, and no limiter */
    double gain_db;       /* used without a target, or where loudness cannot be measured */
};

struct master {
    struct sound source;          /* what it is made from; owned */
    float *peaks;                 /* of source: limiter_peaks, or NULL without a ceiling */
    struct loudness before, after; /* of source, and of sound */
    struct sound sound;           /* the result; owned */
    double gain_db;               /* applied before the limiter */
    double reduction_db;          /* the limiter's largest, >= 0 */
    struct level level;           /* what the sound was made for */
};

/* Takes source (its samples are the master's from here on, also on failure) and makes its sound. */
int master_open(struct master *master, struct sound *source, const struct level *level);

/* Makes the sound again if it was made for another level. Whether there is a ceiling cannot change. */
int master_apply(struct master *master, const struct level *level);

void master_release(struct master *master); /* accepts all-zero */

#endif
