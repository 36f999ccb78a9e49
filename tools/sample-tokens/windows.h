/* SPDX-License-Identifier: Apache-2.0
 * windows - pieces of any length as passes of the language model over at most one window of frames each.
 *
 * Every window restarts at position 0. It begins with the last frames that exist already, its prompt, and adds new
 * ones after them. After a full window the next one starts `stride` frames later, so it carries window - stride frames.
 * A section changes the condition at a frame: a window ends there, and the next one carries just as many frames.
 * Everything counts whole frames.
 */
#ifndef LEITMOTIF_SAMPLE_TOKENS_WINDOWS_H
#define LEITMOTIF_SAMPLE_TOKENS_WINDOWS_H

#include <stddef.h>
#include <stdint.h>

struct window {
    int64_t offset;  /* its first frame, of the piece */
    int64_t prompt;  /* frames that are known, from offset on */
    int64_t length;  /* frames with the prompt: prompt < length <= window */
    size_t section;  /* whose condition it has */
};

struct windows {
    struct window *items;
    size_t count, capacity;
};

struct piece {
    int64_t known, total;     /* frames given before the first pass; frames at the end: known < total */
    int64_t window, stride;   /* 0 < stride < window */
    const int64_t *starts;    /* [sections] first frame of each section, rising; the first is at or before `known` */
    size_t sections;
};

void windows_plan(struct windows *windows, const struct piece *piece); /* windows: all zero */
void windows_release(struct windows *windows);

#endif
