/* SPDX-License-Identifier: Apache-2.0
 * stream - one mono clip from samples to codes, as its samples come, with memory for one block of them and a result that
 * does not depend on how it is cut (but for rounding).
 *
 *     stream_open; stream_push for all samples in pieces of any length; stream_finish; codes are complete; stream_close
 *
 * Convolutions run on chunks with margins and cut off what they gave; at the clip's true ends there is no margin, so that
 * the codec's own padding happens there and only there. The LSTM's state is carried from block to block.
 */
#ifndef LEITMOTIF_ENCODE_AUDIO_STREAM_H
#define LEITMOTIF_ENCODE_AUDIO_STREAM_H

#include <stdbool.h>

#include "encode-audio/encoder.h"

struct stream {
    const struct encoder *encoder;  /* borrowed */
    struct chunking chunking;
    float *samples;                 /* from sample `start` of the clip on; room for a block and its margins */
    int64_t start, held;
    bool ended;                     /* no more samples will come */
    struct recurrence_state state;
    struct tensor *frames;          /* [n, width], owned: the LSTM's output from frame `first` on */
    int64_t first, ready;           /* ready: frames [0, ready) have passed the LSTM */
    int32_t *codes;                 /* [count, codebooks], owned: frame by frame */
    int64_t count, capacity;
};

int stream_open(struct stream *stream, const struct encoder *encoder, struct chunking chunking);
void stream_close(struct stream *stream); /* accepts all-zero */

int stream_push(struct stream *stream, const float *samples, int64_t count);
int stream_finish(struct stream *stream); /* there were samples */

#endif
