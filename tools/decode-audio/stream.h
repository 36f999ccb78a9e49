/* SPDX-License-Identifier: Apache-2.0
 * stream - one mono clip from codes to samples, piece by piece from its start, with memory that does not depend on its
 * length and a result that does not depend on how it is cut (but for rounding).
 *
 *     stream_open; for each piece in order: stream_next; stream_close
 *
 * The LSTM's state is carried from block to block. The upsampling runs on a chunk with margins and cuts off what they
 * gave; at the clip's true ends there is no margin, so that the codec's own padding happens there and only there.
 */
#ifndef LEITMOTIF_DECODE_AUDIO_STREAM_H
#define LEITMOTIF_DECODE_AUDIO_STREAM_H

#include "decode-audio/codec.h"

struct stream {
    const struct codec *codec;       /* borrowed */
    struct chunking chunking;
    const int32_t *codes;            /* borrowed: codebook k of frame t at codes[k codebook_step + t] */
    int64_t codebook_step, length;   /* length of the clip in frames */
    int64_t decoded;                 /* frames given so far */
    struct recurrence_state state;
    struct tensor *frames;           /* [n, width], owned: the LSTM's output from frame `first` on */
    int64_t first, ready;            /* ready: frames [0, ready) have passed the LSTM */
};

int stream_open(struct stream *stream, const struct codec *codec, struct chunking chunking, const int32_t *codes,
                int64_t codebook_step, int64_t length);
void stream_close(struct stream *stream); /* accepts all-zero */

/* Decodes the next chunk into samples, which has room for chunk hop of them. Returns the frames it was, 0 at the end
 * of the clip, -1 on failure. */
int64_t stream_next(struct stream *stream, float *samples);

#endif
