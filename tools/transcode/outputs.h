/* SPDX-License-Identifier: Apache-2.0
 * outputs - the release files that a job asks for, and the settings of each.
 *
 * Flags depend on their order: a setting after an --output is for that output, one before the first is for all. In a job
 * line, the job's own settings are for all, and each object of "outputs" has its own:
 *     {"input": "a.wav", "rate": 44100, "outputs": [{"file": "a.ogg", "quality": 6}, {"file": "a.mp3", "bitrate": "192k"}]}
 * A setting that a format does not have is refused, not ignored, also when it is for all.
 */
#ifndef LEITMOTIF_TRANSCODE_OUTPUTS_H
#define LEITMOTIF_TRANSCODE_OUTPUTS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/audio.h"

struct output_settings {
    char *file;                               /* NULL in those for all */
    int64_t rate_hz, channels, bits, bit_rate; /* 0: not given */
    double quality;                           /* NAN: not given */
};

struct outputs {
    struct output_settings common, *items;
    size_t count, capacity;
};

void outputs_init(struct outputs *outputs);
void outputs_release(struct outputs *outputs);

/* One setting by name: "output", "rate", "channels", "quality", "bitrate" or "bits"; by flag, in their order. */
int outputs_set(struct outputs *outputs, const char *name, const char *value);

/* The same from a job line; "outputs", an array, besides. */
int outputs_set_json(struct outputs *outputs, const char *name, const json_t *value);

/* What can be refused before the input is opened. */
int outputs_check(const struct outputs *outputs);

/* The format of one output of material at rate_hz with channels: what was not given is the material's, or the codec's own
 * choice. 0, or -1 with misuse(). */
int outputs_format(const struct outputs *outputs, size_t index, int64_t rate_hz, int channels, struct audio_format *format);

#endif
