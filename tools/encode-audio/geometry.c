/* SPDX-License-Identifier: Apache-2.0 */
#include "encode-audio/geometry.h"

#include "base/failure.h"

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* Walks one frame back to the range of samples [first, last] that it comes from. At a true end up to stride - 1 values
 * are missing to whole strides and are padded too, so that mirror images reach that much further in, to the left. */
struct sides geometry_encoder_margins(const struct codec_config *codec)
{
    int64_t first = 0, last = 0;
    for (int stage = 0; stage < codec->ratio_count; stage++) {
        int64_t stride = codec->ratios[stage], left = geometry_padding(2 * stride, 1, stride).left;
        first = first * stride - left - (stride - 1);
        last = last * stride - left + 2 * stride - 1;
        for (int64_t layer = 0; layer < codec->residual_layers; layer++) {
            int64_t reach = geometry_padding(codec->residual_kernel, geometry_dilation(codec, layer), 1).left;
            first -= reach;
            last += reach;
        }
    }
    int64_t reach = geometry_padding(codec->kernel, 1, 1).left;
    return (struct sides){.left = geometry_divide_up(reach - first, codec->hop),
                          .right = larger(geometry_divide_up(last + reach - (codec->hop - 1), codec->hop), 0)};
}

struct chunking geometry_encoder_chunking(int64_t chunk)
{
    return (struct chunking){.chunk = chunk, .block = CHUNKS_IN_A_BLOCK * chunk};
}

int64_t geometry_encoder_weight_bytes(const struct codec_config *codec)
{
    int64_t width = geometry_channels(codec, -1), floats = geometry_codebook_floats(codec) + geometry_lstm_floats(codec);
    floats += geometry_convolution_floats(1, codec->filters, codec->kernel);
    for (int stage = 0; stage < codec->ratio_count; stage++)
        floats += geometry_stage_floats(codec, stage);
    floats += geometry_convolution_floats(width, codec->dimension, codec->last_kernel);
    return floats * (int64_t)sizeof(float);
}

/* What the C heap was seen to grow by on a CPU, rounded up: a stage's widest step holds its input, the activated and the
 * padded copy, the result and what libtorch lays out anew for its kernels; pieces of different sizes leave holes between
 * them. The LSTM's gates are 4 times its width. Kernels are compiled when first used. */
enum { COPIES_OF_A_STAGE = 12, COPIES_OF_A_BLOCK = 14, KERNEL_BYTES = 8 << 20 };

static int64_t widest_stage(const struct codec_config *codec, int64_t window)
{
    int64_t widest = 0, length = window;
    for (int stage = 0; stage < codec->ratio_count; stage++) {
        length *= codec->ratios[stage];
        widest = larger(widest, geometry_channels(codec, stage) * length);
    }
    return widest;
}

int64_t geometry_encoder_work_bytes(const struct codec_config *codec, int64_t channels, struct chunking chunking)
{
    struct sides margins = geometry_encoder_margins(codec);
    int64_t width = geometry_channels(codec, -1), around = margins.left + margins.right;
    int64_t block = chunking.block * (COPIES_OF_A_BLOCK * width + 4 * codec->codebook_size);
    int64_t samples = 3 * channels * (chunking.block + around) * codec->hop;
    int64_t recurrent = codec->lstm_layers * 8 * width * width; /* the LSTM's weights as its kernel wants them */
    int64_t floats = COPIES_OF_A_STAGE * widest_stage(codec, chunking.chunk + around) + block + samples + recurrent +
                     geometry_reading_floats(codec);
    return floats * (int64_t)sizeof(float) + KERNEL_BYTES;
}

int geometry_encoder_plan(const struct codec_config *codec, int64_t channels, int64_t allowed, struct chunking *chunking)
{
    int64_t weights = geometry_encoder_weight_bytes(codec), needed = 0, mebibyte = 1 << 20;
    for (int64_t chunk = CHUNK_DEFAULT_FRAMES; chunk >= CHUNK_LEAST_FRAMES; chunk--) {
        *chunking = geometry_encoder_chunking(chunk);
        needed = weights + geometry_encoder_work_bytes(codec, channels, *chunking);
        if (allowed == 0 || needed <= allowed)
            return 0;
    }
    return fail("encoding needs %.1f MB for weights and work; %.1f MB allowed; give --memory %lldM or more",
                (double)needed / (double)mebibyte, (double)allowed / (double)mebibyte, (long long)((needed + mebibyte - 1) / mebibyte));
}
