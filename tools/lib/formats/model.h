/* SPDX-License-Identifier: Apache-2.0
 * model - finding a model by folder, short name or hub id, and what its configuration says.
 *
 * Looked up in order: a folder as given (one that exists; a short name is taken for a folder only as "./small"), then the
 * hub id (short names are table entries: small -> facebook/musicgen-small) in $HF_HUB_CACHE (else its older
 * name $HUGGINGFACE_HUB_CACHE), $HF_HOME/hub, $XDG_CACHE_HOME or
 * ~/.cache + /huggingface/hub, $AUDIOCRAFT_CACHE_DIR, then model-cache/ (NAME/, or the hub's layout) of the project and
 * /opt/leitmotif. Never on the network. Nothing about a model's sizes is known by its name.
 */
#ifndef LEITMOTIF_FORMATS_MODEL_H
#define LEITMOTIF_FORMATS_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "formats/sources.h"

enum { CODEC_MAX_RATIOS = 8 };

struct text_config {          /* T5 encoder */
    int64_t width;            /* d_model */
    int64_t layers, heads, head_width, feed_forward, vocabulary;
    int64_t buckets, max_distance;
    double epsilon;
};

struct language_config {
    int64_t width, layers, heads, feed_forward;
    int64_t codebooks;        /* K: 4 mono, 8 stereo */
    int64_t vocabulary;       /* 2048; the special id equals it, embeddings have one row more */
    int64_t channels;         /* 1, or 2: codebooks interleaved left, right */
    int64_t chroma_frames;    /* of a melody model: chroma vectors before the text, 235; else 0 */
};

enum { CHROMA_BINS = 12 };

struct codec_config {         /* EnCodec, one mono codec */
    int64_t rate_hz, dimension, filters, codebooks, codebook_size;
    int64_t ratios[CODEC_MAX_RATIOS]; /* decoder order: 8 5 4 4 */
    int ratio_count;
    int64_t kernel, last_kernel, residual_kernel, residual_layers, dilation_growth, compress, lstm_layers;
    bool pad_reflect;         /* else zeros */
    int64_t hop;              /* samples per frame: product of ratios */
};

enum model_kind { MODEL_TEXT, MODEL_STEREO, MODEL_MELODY, MODEL_AUDIOGEN };

struct model {
    char *request, *name;     /* as asked for; as shown: short name, hub id or folder name */
    char *folder;             /* holds the weights: for checkpoint_open() */
    struct sources sources;   /* the files of either layout, spiece.model among them */
    enum model_kind kind;
    struct text_config text;
    struct language_config language;
    struct codec_config codec;
    int64_t frame_rate_hz;    /* 50 */
    int64_t window_frames;    /* one pass, whole seconds: as the configuration says, else 30 s; AudioGen 10 s at most */
    int64_t stride_frames;    /* default step of the windows of longer pieces: 0.6 of a window (AudioGen 0.2) */
    double guidance;          /* the model's own default, 3.0 */
    const char *licence;      /* of the weights: "CC-BY-NC-4.0" for the published ones, "Apache-2.0" for demo, else "unknown" */
};

/* Finds, reads and checks the configuration. Failure names the places looked at and the command that fetches. */
int model_open(struct model *model, const char *request);
void model_release(struct model *model); /* accepts all-zero */

/* Only finds: the folder (yours), or NULL with a failure. */
char *model_find(const char *request);

/* floor(seconds * rate), safe from the last bit of decimal fractions: 33.3 s at 50 a second are 1665 frames. */
int64_t frames_of_seconds(double seconds, int64_t rate_hz);

/* Canonical id for recipes that does not depend on how it was asked for: SHA-256 (hex, yours) over the names and
 * SHA-256s of the files that decide the content. A file's hash is the hub's where the cache names it, else computed
 * once and remembered by device, inode, size and times in $LEITMOTIF_CACHE, else $XDG_CACHE_HOME/leitmotif, else
 * ~/.cache/leitmotif (silently not remembered where that cannot be written). NULL on failure. */
char *model_identity(const struct model *model);

/* Bytes of the weights below prefix ("decoder.") at bytes_per_element are sized from the config by the users of it. */

#endif
