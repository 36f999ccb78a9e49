/* SPDX-License-Identifier: Apache-2.0 */
#include "encode-audio/geometry.h"

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

/* The LSTM's gates are 4 times its width; distances to all entries of a codebook. As the C heap was seen to grow. */
enum { COPIES_OF_A_BLOCK = 14, COPIES_OF_DISTANCES = 4, COPIES_OF_SAMPLES = 3 };

void geometry_encoder_plan(struct memory_plan *plan, const struct codec_config *codec, int64_t channels, struct chunking chunking,
                           struct device device)
{
    struct sides margins = geometry_encoder_margins(codec);
    int64_t width = geometry_channels(codec, -1), around = margins.left + margins.right;
    int64_t own = geometry_convolution_floats(1, codec->filters, codec->kernel) +
                  geometry_convolution_floats(width, codec->dimension, codec->last_kernel);
    const int64_t size = sizeof(float);
    cutting_plan_shared(plan, codec, own, chunking.chunk + around, device);
    memory_plan_add(plan, "blocks", size * chunking.block * (COPIES_OF_A_BLOCK * width + COPIES_OF_DISTANCES * codec->codebook_size));
    if (device.kind == DEVICE_CPU)
        memory_plan_add(plan, "samples", size * COPIES_OF_SAMPLES * channels * (chunking.block + around) * codec->hop);
}
