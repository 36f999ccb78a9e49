/* SPDX-License-Identifier: Apache-2.0 */
#include "decode-audio/geometry.h"

#include <stddef.h>

#include "base/failure.h"

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* Walks a range of samples [first, last] back to the frames it comes from. Both sides grow by the larger padding:
 * what is reflected at a true edge lies no further inside than that. */
struct sides geometry_margins(const struct codec_config *codec)
{
    int64_t reach = geometry_padding(codec->last_kernel, 1, 1).left;
    int64_t first = -reach, last = codec->hop - 1 + reach;
    for (int stage = codec->ratio_count - 1; stage >= 0; stage--) {
        for (int64_t layer = 0; layer < codec->residual_layers; layer++) {
            reach = geometry_padding(codec->residual_kernel, geometry_dilation(codec, layer), 1).left;
            first -= reach;
            last += reach;
        }
        int64_t stride = codec->ratios[stage], trimmed = geometry_trimming(stride).left;
        first = geometry_divide_up(first + trimmed - (2 * stride - 1), stride); /* input i reaches outputs i stride + [0, 2 stride) */
        last = geometry_divide_down(last + trimmed, stride);
    }
    return (struct sides){.left = larger(-first, 0), .right = larger(last, 0)};
}

/* On a device the LSTM's weights may be laid out anew for each call, so its blocks are longer than the chunks; and no shorter than
 * the first kernel, so that a clip shorter than its padding is one block. */
struct chunking geometry_chunking(const struct codec_config *codec, int64_t chunk)
{
    return (struct chunking){.chunk = chunk, .block = larger(8 * chunk, codec->kernel)};
}

int64_t geometry_weight_bytes(const struct codec_config *codec)
{
    int64_t width = geometry_channels(codec, -1), floats = geometry_codebook_floats(codec) + geometry_lstm_floats(codec);
    floats += geometry_convolution_floats(codec->dimension, width, codec->kernel);
    for (int stage = 0; stage < codec->ratio_count; stage++)
        floats += geometry_stage_floats(codec, stage);
    floats += geometry_convolution_floats(codec->filters, 1, codec->last_kernel);
    return floats * (int64_t)sizeof(float);
}

/* What the C heap was seen to grow by on a CPU, rounded up. A stage's widest step holds its input, the activated copy,
 * the result and what libtorch lays out anew for its kernels, 5 copies; pieces of different sizes leave holes between
 * them. The LSTM's gates are 4 times its width. Kernels are compiled when first used. */
enum { COPIES_OF_A_STAGE = 12, COPIES_OF_A_BLOCK = 12, KERNEL_BYTES = 8 << 20 };

static int64_t widest_stage(const struct codec_config *codec, int64_t window)
{
    int64_t widest = 0, length = window;
    for (int stage = 0; stage < codec->ratio_count; stage++) {
        length *= codec->ratios[stage];
        widest = larger(widest, geometry_channels(codec, stage) * length);
    }
    return widest;
}

int64_t geometry_work_bytes(const struct codec_config *codec, int64_t channels, struct chunking chunking)
{
    struct sides margins = geometry_margins(codec);
    int64_t width = geometry_channels(codec, -1), window = chunking.chunk + margins.left + margins.right;
    int64_t block = (chunking.block + window) * width;
    int64_t recurrent = codec->lstm_layers * 8 * width * width; /* the LSTM's weights as its kernel wants them */
    int64_t floats = COPIES_OF_A_STAGE * widest_stage(codec, window) + (COPIES_OF_A_BLOCK + channels) * block + recurrent +
                     geometry_reading_floats(codec) + 2 * channels * chunking.chunk * codec->hop;
    return floats * (int64_t)sizeof(float) + KERNEL_BYTES;
}

int geometry_plan(const struct codec_config *codec, int64_t channels, int64_t allowed, struct chunking *chunking)
{
    int64_t weights = geometry_weight_bytes(codec), needed = 0;
    for (int64_t chunk = CHUNK_DEFAULT_FRAMES; chunk >= CHUNK_LEAST_FRAMES; chunk--) {
        *chunking = geometry_chunking(codec, chunk);
        needed = weights + geometry_work_bytes(codec, channels, *chunking);
        if (allowed == 0 || needed <= allowed)
            return 0;
    }
    int64_t mebibyte = 1 << 20;
    return fail("decoding needs %.1f MB for weights and work; %.1f MB allowed; give --memory %lldM or more",
                (double)needed / (double)mebibyte, (double)allowed / (double)mebibyte,
                (long long)((needed + mebibyte - 1) / mebibyte));
}
