/* SPDX-License-Identifier: Apache-2.0
 * checkpoint - a model folder's weights under the names of the Hugging Face layout, whatever files hold them: safetensors or
 * PyTorch's, in one file or in shards by an index, or audiocraft's files with their parts from elsewhere (formats/sources.h).
 * All are mapped, none is read before its tensors are used.
 *
 * Strict: a loader takes every tensor it knows with its exact shape; checkpoint_finish then refuses what nobody took
 * or ignored below the loader's prefix, and whatever stands outside every known prefix.
 */
#ifndef LEITMOTIF_FORMATS_CHECKPOINT_H
#define LEITMOTIF_FORMATS_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>

#include "formats/safetensors.h"

struct checkpoint;

struct checkpoint *checkpoint_open(const char *folder); /* NULL on failure */
void checkpoint_close(struct checkpoint *checkpoint);

bool checkpoint_has(const struct checkpoint *checkpoint, const char *name);

/* The tensor `name` (printf-like), which must be F32, F16 or BF16 and have exactly this shape; marks it taken.
 * Borrowed until checkpoint_close. NULL on failure: "'FOLDER': tensor 'x' is missing" / "... is [4, 5], expected [4, 6]". */
const struct array *checkpoint_take(struct checkpoint *checkpoint, int rank, const int64_t *shape, const char *name, ...)
    __attribute__((format(printf, 4, 5)));

/* Whatever its shape (to read sizes from); does not mark it taken. NULL without a failure when absent. */
const struct array *checkpoint_peek(const struct checkpoint *checkpoint, const char *name);

/* Names that may be there and mean nothing to inference: glob pattern as of fnmatch(3). */
void checkpoint_ignore(struct checkpoint *checkpoint, const char *pattern);

/* Refuses tensors below `prefix` that were neither taken nor ignored, and tensors outside the known top-level
 * prefixes (text_encoder. decoder. audio_encoder. enc_to_dec_proj. audio_enc_to_dec_proj.). */
int checkpoint_finish(const struct checkpoint *checkpoint, const char *prefix);

const char *checkpoint_folder(const struct checkpoint *checkpoint);

#endif
