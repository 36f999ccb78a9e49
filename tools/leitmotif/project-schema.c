/* SPDX-License-Identifier: Apache-2.0 */
#include "leitmotif/project-schema.h"

#include <stddef.h>

/* The upper bounds are those of sample-tokens; four hours of stereo are what one WAV file holds. */
#define DURATION_FIELD(settings, required) \
    {"duration", FIELD_NUMBER, offsetof(struct settings, duration), 0.02, 14400, "seconds", NULL, required, NULL}

/* Sampling settings: of the whole file in 'defaults', of one track in the track. */
#define SAMPLING_FIELDS \
    DURATION_FIELD(track_settings, false), \
    {"temperature", FIELD_NUMBER, offsetof(struct track_settings, temperature), 0, 100, NULL, NULL, false, NULL}, \
    {"top_k", FIELD_INTEGER, offsetof(struct track_settings, top_k), 0, 1000000, NULL, NULL, false, NULL}, \
    {"top_p", FIELD_NUMBER, offsetof(struct track_settings, top_p), 0, 1, NULL, NULL, false, NULL}, \
    {"guidance", FIELD_NUMBER, offsetof(struct track_settings, guidance), 0, 100, NULL, NULL, false, NULL}

#define UNSUPPORTED(name) {name, FIELD_UNSUPPORTED, 0, 0, 0, NULL, NULL, false, NULL}

#define LARGEST_SEED 0x1p63 /* 2^63 - 1 as a double */

static const struct field project_fields[] = {
    {"leitmotif", FIELD_BLOCK, 0, 0, 0, NULL, NULL, true, read_version},
    {"title", FIELD_TEXT, offsetof(struct project, title), 0, 0, NULL, NULL, false, read_title},
    {"model", FIELD_TEXT, offsetof(struct project, model), 0, 0, NULL, NULL, false, read_model},
    {"seed", FIELD_INTEGER, offsetof(struct project, seed), 0, LARGEST_SEED, NULL, NULL, false, NULL},
    {"defaults", FIELD_BLOCK, 0, 0, 0, NULL, NULL, false, read_defaults},
    {"outputs", FIELD_BLOCK, 0, 0, 0, NULL, NULL, false, read_outputs},
    {"loudness", FIELD_BLOCK, 0, 0, 0, NULL, NULL, false, read_loudness},
    {"verify", FIELD_BLOCK, 0, 0, 0, NULL, NULL, false, read_verify},
    {"tracks", FIELD_BLOCK, 0, 0, 0, NULL, NULL, true, read_tracks},
    UNSUPPORTED("include"),
    UNSUPPORTED("styles"),
    {0},
};

static const struct field defaults_fields[] = {
    SAMPLING_FIELDS,
    UNSUPPORTED("retries"),
    UNSUPPORTED("style"),
    UNSUPPORTED("loop"),
    {0},
};

static const struct field track_fields[] = {
    {"prompt", FIELD_TEXT, offsetof(struct track_settings, prompt), 0, 0, NULL, NULL, false, NULL}, /* or sections */
    {"model", FIELD_TEXT, offsetof(struct track_settings, model), 0, 0, NULL, NULL, false, read_track_model},
    SAMPLING_FIELDS,
    {"seed", FIELD_INTEGER, offsetof(struct track_settings, seed), 0, LARGEST_SEED, NULL, NULL, false, NULL},
    {"sections", FIELD_BLOCK, 0, 0, 0, NULL, NULL, false, read_sections}, /* after duration, which becomes theirs */
    {"variations", FIELD_BLOCK, 0, 0, 0, NULL, NULL, false, read_variations},
    {"melody", FIELD_TEXT, offsetof(struct track_settings, melody), 0, 0, NULL, NULL, false, read_melody},
    {"continue", FIELD_TEXT, offsetof(struct track_settings, continues), 0, 0, NULL, NULL, false, read_continue},
    UNSUPPORTED("style"),
    UNSUPPORTED("loop"),
    UNSUPPORTED("retries"),
    {0},
};

static const struct field section_fields[] = {
    DURATION_FIELD(section_settings, true),
    {"prompt", FIELD_TEXT, offsetof(struct section_settings, prompt), 0, 0, NULL, NULL, true, NULL},
    UNSUPPORTED("style"),
    {0},
};

static const char *const formats[] = {"wav", "flac", "ogg", "mp3", "opus", NULL};

/* What a format allows of these, formats/audio knows; project-outputs.c asks. */
static const struct field output_fields[] = {
    {"format", FIELD_CHOICE, offsetof(struct output_settings, format), 0, 0, NULL, formats, true, NULL},
    {"rate", FIELD_INTEGER, offsetof(struct output_settings, rate), 8000, 192000, "Hz", NULL, false, NULL},
    {"channels", FIELD_INTEGER, offsetof(struct output_settings, channels), 1, 2, NULL, NULL, false, NULL},
    {"bits", FIELD_INTEGER, offsetof(struct output_settings, bits), 16, 32, NULL, NULL, false, NULL},
    {"quality", FIELD_NUMBER, offsetof(struct output_settings, quality), -1, 10, NULL, NULL, false, NULL},
    {"bitrate", FIELD_BIT_RATE, offsetof(struct output_settings, bit_rate), 6000, 512000, "bits per second", NULL, false, NULL},
    {0},
};

static const struct field loudness_fields[] = {
    {"target", FIELD_NUMBER, offsetof(struct project, loudness_target), -70, 0, "LUFS", NULL, false, NULL},
    {"true_peak", FIELD_NUMBER, offsetof(struct project, true_peak), -20, 0, "dBTP", NULL, false, NULL},
    {"over", FIELD_BLOCK, 0, 0, 0, NULL, NULL, false, read_over},
    {0},
};

static const struct field verify_fields[] = {
    {"max_silence", FIELD_NUMBER, offsetof(struct verify_settings, max_silence), 0, 14400, "seconds", NULL, false, NULL},
    {"duration_tolerance", FIELD_NUMBER, offsetof(struct verify_settings, duration_tolerance), 0, 14400, "seconds", NULL, false, NULL},
    {"loudness_tolerance", FIELD_NUMBER, offsetof(struct verify_settings, loudness_tolerance), 0, 70, "LU", NULL, false, NULL},
    {0},
};

const struct block project_block = {"the file", project_fields};
const struct block defaults_block = {"defaults", defaults_fields};
const struct block output_block = {"an entry of outputs", output_fields};
const struct block loudness_block = {"loudness", loudness_fields};
const struct block verify_block = {"verify", verify_fields};
const struct block track_block = {"track", track_fields};
const struct block section_block = {"an entry of sections", section_fields};
