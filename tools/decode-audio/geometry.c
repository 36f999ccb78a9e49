/* SPDX-License-Identifier: Apache-2.0 */
#include "decode-audio/geometry.h"

#include <stddef.h>

#include "base/failure.h"

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static int64_t divide_down(int64_t a, int64_t b) { return a / b - (a % b < 0); }

static int64_t divide_up(int64_t a, int64_t b) { return -divide_down(-a, b); }

struct sides geometry_padding(int64_t kernel, int64_t dilation)
{
    int64_t total = (kernel - 1) * dilation;
    return (struct sides){.left = total - total / 2, .right = total / 2};
}

struct sides geometry_trimming(int64_t stride)
{
    return (struct sides){.left = stride - stride / 2, .right = stride / 2};
}

int64_t geometry_dilation(const struct codec_config *codec, int64_t residual_layer)
{
    int64_t dilation = 1;
    for (int64_t i = 0; i < residual_layer; i++)
        dilation *= codec->dilation_growth;
    return dilation;
}

int64_t geometry_channels(const struct codec_config *codec, int stage)
{
    return codec->filters << (codec->ratio_count - 1 - stage);
}

/* Walks a range of samples [first, last] back to the frames it comes from. Both sides grow by the larger padding:
 * what is reflected at a true edge lies no further inside than that. */
struct sides geometry_margins(const struct codec_config *codec)
{
    int64_t reach = geometry_padding(codec->last_kernel, 1).left;
    int64_t first = -reach, last = codec->hop - 1 + reach;
    for (int stage = codec->ratio_count - 1; stage >= 0; stage--) {
        for (int64_t layer = 0; layer < codec->residual_layers; layer++) {
            reach = geometry_padding(codec->residual_kernel, geometry_dilation(codec, layer)).left;
            first -= reach;
            last += reach;
        }
        int64_t stride = codec->ratios[stage], trimmed = geometry_trimming(stride).left;
        first = divide_up(first + trimmed - (2 * stride - 1), stride); /* input i reaches outputs i stride + [0, 2 stride) */
        last = divide_down(last + trimmed, stride);
    }
    return (struct sides){.left = larger(-first, 0), .right = larger(last, 0)};
}

/* The LSTM's weights are laid out anew for each call, so its blocks are longer than the chunks; and no shorter than
 * the first kernel, so that a clip shorter than its padding is one block. */
struct chunking geometry_chunking(const struct codec_config *codec, int64_t chunk)
{
    return (struct chunking){.chunk = chunk, .block = larger(8 * chunk, codec->kernel)};
}

static int64_t convolution_floats(int64_t in, int64_t out, int64_t kernel) { return in * out * kernel + out; }

int64_t geometry_weight_bytes(const struct codec_config *codec)
{
    int64_t width = geometry_channels(codec, -1);
    int64_t floats = codec->codebooks * codec->codebook_size * codec->dimension;
    floats += convolution_floats(codec->dimension, width, codec->kernel);
    floats += codec->lstm_layers * 8 * width * (width + 1); /* 4 gates, input and hidden, with biases */
    for (int stage = 0; stage < codec->ratio_count; stage++) {
        int64_t channels = geometry_channels(codec, stage), inside = channels / codec->compress;
        floats += convolution_floats(2 * channels, channels, 2 * codec->ratios[stage]);
        floats += codec->residual_layers * (convolution_floats(channels, inside, codec->residual_kernel) +
                                            convolution_floats(inside, channels, 1));
    }
    floats += convolution_floats(codec->filters, 1, codec->last_kernel);
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

/* The stored and the normed direction of the largest kernel, while it is read. */
static int64_t reading_floats(const struct codec_config *codec)
{
    int64_t largest = 0;
    for (int stage = 0; stage < codec->ratio_count; stage++) {
        int64_t channels = geometry_channels(codec, stage);
        largest = larger(largest, 2 * channels * channels * 2 * codec->ratios[stage]);
    }
    return 2 * largest;
}

int64_t geometry_work_bytes(const struct codec_config *codec, int64_t channels, struct chunking chunking)
{
    struct sides margins = geometry_margins(codec);
    int64_t width = geometry_channels(codec, -1), window = chunking.chunk + margins.left + margins.right;
    int64_t block = (chunking.block + window) * width;
    int64_t recurrent = codec->lstm_layers * 8 * width * width; /* the LSTM's weights as its kernel wants them */
    int64_t floats = COPIES_OF_A_STAGE * widest_stage(codec, window) + (COPIES_OF_A_BLOCK + channels) * block + recurrent +
                     reading_floats(codec) + 2 * channels * chunking.chunk * codec->hop;
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
