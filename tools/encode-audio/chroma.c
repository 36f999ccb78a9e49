/* SPDX-License-Identifier: Apache-2.0 */
#include "encode-audio/chroma.h"

#include <math.h>
#include <stdlib.h>

#include "base/failure.h"
#include "base/memory.h"
#include "formats/model.h"

enum { LENGTH = 16384, HOP = 4096, BINS = LENGTH / 2 + 1, FRAMES_AT_ONCE = 16, OCTAVE_CENTRE = 5, OCTAVE_WIDTH = 2, A_TO_C = 3 };

#define PI 3.14159265358979323846
#define LOWEST_A_HZ (440.0 / 16)

/* Frequency j of the transform in semitones above the lowest A; the first, 0 Hz, a class and a half octave below the next. */
static double semitones(int j)
{
    if (j == 0)
        return semitones(1) - 1.5 * CHROMA_BINS;
    return CHROMA_BINS * log2((double)j * CHROMA_RATE_HZ / LENGTH / LOWEST_A_HZ);
}

/* One frequency's weights, a column of the bank: a bell around its pitch class as wide as a bin is in semitones, 1 at least; their length 1,
 * less for octaves far from the fifth. */
static void fill_filter(int j, float *weights)
{
    double at = semitones(j), width = fmax(semitones(j + 1) - at, 1), values[CHROMA_BINS], sum = 0;
    for (int c = 0; c < CHROMA_BINS; c++) {
        double distance = fmod(at - c + CHROMA_BINS / 2 + 10 * CHROMA_BINS, CHROMA_BINS) - CHROMA_BINS / 2;
        values[c] = exp(-0.5 * pow(2 * distance / width, 2));
        sum += values[c] * values[c];
    }
    double loudness = exp(-0.5 * pow((at / CHROMA_BINS - OCTAVE_CENTRE) / OCTAVE_WIDTH, 2));
    for (int c = 0; c < CHROMA_BINS; c++)
        weights[(size_t)c * BINS] = (float)(values[(c + A_TO_C) % CHROMA_BINS] / sqrt(sum) * loudness);
}

/* A CPU's, whatever device the model is on: some milliseconds a window, which a GPU's FFT library would take longer to be
 * loaded for; and a melody is the same on every machine. */
static const struct device HERE = {DEVICE_CPU, 0};

int chroma_open(struct chroma *chroma)
{
    float *bank = allocate((size_t)BINS * CHROMA_BINS, sizeof *bank), *window = allocate(LENGTH, sizeof *window);
    struct scope scope;
    *chroma = (struct chroma){0};
    for (int j = 0; j < BINS; j++)
        fill_filter(j, bank + j);
    for (int i = 0; i < LENGTH; i++)
        window[i] = (float)(0.5 - 0.5 * cos(2 * PI * i / LENGTH));
    scope_open(&scope);
    chroma->window = tensor_own(tensor_from(HERE, TENSOR_F32, SHAPE(LENGTH), window));
    chroma->bank = tensor_own(tensor_from(HERE, TENSOR_F32, SHAPE(CHROMA_BINS, BINS), bank));
    scope_close(&scope);
    free(bank);
    free(window);
    return failed() ? -1 : 0;
}

void chroma_release(struct chroma *chroma)
{
    tensor_free(chroma->window);
    tensor_free(chroma->bank);
    *chroma = (struct chroma){0};
}

int64_t chroma_frames(int64_t samples)
{
    return 1 + (samples < LENGTH ? LENGTH : samples) / HOP;
}

/* A signal with what surrounds it. */
struct signal {
    const float *samples;
    int64_t count, offset, length; /* samples lie at `offset` among `length`, zeros around them */
};

/* Sample `at`, which may be half a window outside: mirrored there without the edge sample. */
static float sample_at(const struct signal *signal, int64_t at)
{
    int64_t inside = at < 0 ? -at : at >= signal->length ? 2 * (signal->length - 1) - at : at;
    int64_t place = inside - signal->offset;
    return place < 0 || place >= signal->count ? 0 : signal->samples[place];
}

static int some_bins(const struct chroma *chroma, const struct signal *signal, int64_t first, int64_t count, int32_t *bins)
{
    float *frames = allocate((size_t)(count * LENGTH), sizeof *frames);
    int64_t strongest[FRAMES_AT_ONCE];
    struct scope scope;
    for (int64_t t = 0; t < count; t++)
        for (int64_t i = 0; i < LENGTH; i++)
            frames[t * LENGTH + i] = sample_at(signal, (first + t) * HOP - LENGTH / 2 + i);
    scope_open(&scope);
    struct tensor *x = tensor_from(HERE, TENSOR_F32, SHAPE(count, LENGTH), frames);
    struct tensor *energy = tensor_linear(tensor_power_spectrum(tensor_mul(x, chroma->window)), chroma->bank, NULL); /* [count, 12] */
    int result = tensor_read(tensor_argmax(energy, 1), strongest, (size_t)count * sizeof *strongest);
    scope_close(&scope);
    free(frames);
    for (int64_t t = 0; t < count && result == 0; t++)
        bins[t] = (int32_t)strongest[t];
    return result;
}

int chroma_bins(const struct chroma *chroma, const float *samples, int64_t count, int32_t *bins)
{
    int64_t missing = count < LENGTH ? LENGTH - count : 0, frames = chroma_frames(count);
    struct signal signal = {samples, count, missing / 2, count + missing};
    for (int64_t first = 0; first < frames; first += FRAMES_AT_ONCE) {
        int64_t some = frames - first < FRAMES_AT_ONCE ? frames - first : FRAMES_AT_ONCE;
        if (some_bins(chroma, &signal, first, some, bins + first))
            return -1;
    }
    return 0;
}

void chroma_plan(struct memory_plan *plan)
{
    const int64_t copies = 8, libraries = 4 << 20; /* frames, windowed, spectrum of complex numbers, their squares, power */
    memory_plan_add(plan, "chroma", (int64_t)sizeof(float) * (FRAMES_AT_ONCE * copies * LENGTH + BINS * CHROMA_BINS + LENGTH) + libraries);
}
