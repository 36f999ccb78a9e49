/* SPDX-License-Identifier: Apache-2.0
 * stage - the files between stages: safetensors with __metadata__ format, tool, recipe (docs/formats.md).
 *
 * Readers check everything before use; a failure names the file.
 */
#ifndef LEITMOTIF_FORMATS_STAGE_H
#define LEITMOTIF_FORMATS_STAGE_H

#include <jansson.h>
#include <stdint.h>

struct condition {            /* leitmotif.condition/1 */
    int64_t tokens, width;    /* N, D. N = 0: the unconditional request */
    int32_t *ids;             /* [N] */
    float *hidden;            /* [N, D]: T5's output before the language model's projection; finite */
    json_t *recipe;           /* or NULL */
};

struct tokens {               /* leitmotif.tokens/1 */
    int64_t codebooks, frames; /* K, T > 0 */
    int32_t *codes;           /* [K, T], >= 0 */
    json_t *recipe;           /* or NULL: then rates are unknown. frame_rate, sample_rate, channels, model, seed, ... */
};

struct melody {               /* leitmotif.melody/1 */
    int64_t windows, frames;  /* > 0 */
    int32_t *chroma;          /* [windows, frames]: bin per frame, >= 0 */
    json_t *recipe;           /* or NULL: then the step from window to window is unknown. stride_frames, window_frames, ... */
};

int condition_read(struct condition *condition, const char *path);
int condition_write(const struct condition *condition, const char *tool, const char *path);
void condition_release(struct condition *condition);

int tokens_read(struct tokens *tokens, const char *path);
int tokens_write(const struct tokens *tokens, const char *tool, const char *path);
void tokens_release(struct tokens *tokens);

int melody_read(struct melody *melody, const char *path);
int melody_write(const struct melody *melody, const char *tool, const char *path);
void melody_release(struct melody *melody);

#endif
