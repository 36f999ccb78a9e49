/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/codec-geometry.h"

int64_t geometry_divide_down(int64_t a, int64_t b) { return a / b - (a % b < 0); }

int64_t geometry_divide_up(int64_t a, int64_t b) { return -geometry_divide_down(-a, b); }

struct sides geometry_padding(int64_t kernel, int64_t dilation, int64_t stride)
{
    int64_t total = (kernel - 1) * dilation + 1 - stride;
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

int64_t geometry_convolution_floats(int64_t in, int64_t out, int64_t kernel) { return in * out * kernel + out; }

int64_t geometry_codebook_floats(const struct codec_config *codec)
{
    return codec->codebooks * codec->codebook_size * codec->dimension;
}

/* 4 gates, of input and hidden, with biases */
int64_t geometry_lstm_floats(const struct codec_config *codec)
{
    int64_t width = geometry_channels(codec, -1);
    return codec->lstm_layers * 8 * width * (width + 1);
}

int64_t geometry_stage_floats(const struct codec_config *codec, int stage)
{
    int64_t channels = geometry_channels(codec, stage), inside = channels / codec->compress;
    int64_t resampling = 4 * channels * channels * codec->ratios[stage] + 2 * channels; /* as many biases as the wider side has */
    return resampling + codec->residual_layers * (geometry_convolution_floats(channels, inside, codec->residual_kernel) +
                                                  geometry_convolution_floats(inside, channels, 1));
}

int64_t geometry_reading_floats(const struct codec_config *codec)
{
    int64_t largest = 0;
    for (int stage = 0; stage < codec->ratio_count; stage++) {
        int64_t channels = geometry_channels(codec, stage), kernel = 4 * channels * channels * codec->ratios[stage];
        largest = kernel > largest ? kernel : largest;
    }
    return 2 * largest;
}
