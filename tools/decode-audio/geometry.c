/* SPDX-License-Identifier: Apache-2.0 */
#include "decode-audio/geometry.h"

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

/* The LSTM's gates are 4 times its width; its output is kept for each channel. As the C heap was seen to grow. */
enum { COPIES_OF_A_BLOCK = 12 };

void geometry_plan(struct memory_plan *plan, const struct codec_config *codec, int64_t channels, struct chunking chunking,
                   struct device device)
{
    struct sides margins = geometry_margins(codec);
    int64_t width = geometry_channels(codec, -1), window = chunking.chunk + margins.left + margins.right;
    int64_t own = geometry_convolution_floats(codec->dimension, width, codec->kernel) +
                  geometry_convolution_floats(codec->filters, 1, codec->last_kernel);
    const int64_t size = sizeof(float);
    cutting_plan_shared(plan, codec, own, window, device);
    memory_plan_add(plan, "blocks", size * (COPIES_OF_A_BLOCK + channels) * (chunking.block + window) * width);
    if (device.kind == DEVICE_CPU)
        memory_plan_add(plan, "samples", size * 2 * channels * chunking.chunk * codec->hop);
}
