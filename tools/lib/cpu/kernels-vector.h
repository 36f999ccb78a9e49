/* SPDX-License-Identifier: Apache-2.0
 * The kernels in terms of `lanes`, LANES floats at once: included by one file for each instruction set, which gives the type,
 * its operations (lanes_*, pairs_*) and how many rows and vectors side by side its registers hold (MOST_TILE_ROWS,
 * PART_ROWS). Each operation is that of kernels-plain.c, in its order.
 */
#include <stdbool.h>

#include "cpu/kernels-constants.h"
#include "cpu/kernels.h"

#if defined(__clang__)
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 32")
#endif
/* Bytes. What is read is asked for so far ahead: the processor's own guesses alone leave a fifth of the memory's speed. */
enum { CACHE_LINE = 64, WEIGHTS_AHEAD = 4096, VALUES_AHEAD = 2048 };

#define INLINED static inline __attribute__((always_inline))

/* functions of LANES numbers */

INLINED lanes lanes_polynomial(const float *terms, int count, lanes x)
{
    lanes sum = lanes_set(terms[count - 1]);
    UNROLLED
    for (int i = count - 2; i >= 0; i--)
        sum = lanes_fma(sum, x, lanes_set(terms[i]));
    return sum;
}

INLINED lanes lanes_exponential(lanes x)
{
    const lanes round = lanes_set(ROUND_TO_INTEGER);
    lanes n = lanes_sub(lanes_add(lanes_mul(x, lanes_set(LOG2_E)), round), round);
    lanes r = lanes_fma(n, lanes_set(-LN2_LOW), lanes_fma(n, lanes_set(-LN2_HIGH), x));
    lanes sum = lanes_polynomial(EXP_FIT, EXP_TERMS, r);
    lanes value = lanes_mul(lanes_add(lanes_fma(lanes_mul(r, r), sum, r), lanes_set(1.0f)), lanes_power_of_two(n));
    return lanes_less(x, lanes_set(EXP_LOWEST), lanes_zero(), value);
}

INLINED lanes lanes_error_function(lanes x)
{
    const lanes one = lanes_set(1.0f);
    lanes size = lanes_absolute(x);
    lanes near = lanes_mul(x, lanes_polynomial(ERF_FIT, ERF_TERMS, lanes_mul(x, x)));
    lanes far = lanes_sub(one, lanes_exponential(lanes_polynomial(LOG_ERFC_FIT, LOG_ERFC_TERMS, size)));
    far = lanes_copy_sign(lanes_less(size, lanes_set(ERF_ONE_FROM), far, one), x);
    return lanes_less(size, one, near, far);
}

/* The first `count` numbers at x, zeros after them. */
INLINED lanes lanes_load_some(const float *x, int64_t count)
{
    float whole[LANES] = {0};
    for (int64_t i = 0; i < count; i++)
        whole[i] = x[i];
    return lanes_load(whole);
}

INLINED void lanes_store_some(float *x, lanes value, int64_t count)
{
    float whole[LANES];
    lanes_store(whole, value);
    for (int64_t i = 0; i < count; i++)
        x[i] = whole[i];
}

/* Has so many bytes brought to the first cache; an address that is nobody's does no harm. */
INLINED void ask_for(const char *place, const int bytes)
{
    for (int line = 0; line < bytes; line += CACHE_LINE)
        __builtin_prefetch(place + line);
}

/* products: tiles of some rows and `parts` vectors of outputs, whose sums stay in registers for a chunk of inputs */

INLINED lanes load_f32(const void *panel, int64_t input, int part)
{
    return lanes_load((const float *)panel + input * PANEL + part * LANES);
}

INLINED lanes load_f16(const void *panel, int64_t input, int part)
{
    return lanes_load_half((const uint16_t *)panel + input * PANEL + part * LANES);
}

INLINED void store_sums(float *y, lanes sum, bool first)
{
    lanes_store(y, first ? sum : lanes_add(lanes_load(y), sum));
}

typedef lanes load_weights(const void *panel, int64_t input, int part);

INLINED void tile_float(const struct panel_work *work, load_weights *load, int row, const int rows, int part, const int parts,
                        int64_t from, int64_t to)
{
    const float *x = (const float *)work->x + row * work->x_stride;
    const int line = PANEL * (load == load_f16 ? 2 : 4); /* bytes of one input's weights */
    lanes sums[MOST_TILE_ROWS][2];
    UNROLLED
    for (int r = 0; r < rows; r++)
        UNROLLED
        for (int p = 0; p < parts; p++)
            sums[r][p] = lanes_zero();
    for (int64_t i = from; i < to; i++) {
        lanes weights[2];
        ask_for((const char *)work->panel + i * line + WEIGHTS_AHEAD, line);
        UNROLLED
        for (int p = 0; p < parts; p++)
            weights[p] = load(work->panel, i, part + p);
        UNROLLED
        for (int r = 0; r < rows; r++) {
            lanes input = lanes_set(x[r * work->x_stride + i]);
            UNROLLED
            for (int p = 0; p < parts; p++)
                sums[r][p] = lanes_fma(input, weights[p], sums[r][p]);
        }
    }
    UNROLLED
    for (int r = 0; r < rows; r++)
        UNROLLED
        for (int p = 0; p < parts; p++)
            store_sums(work->y + (row + r) * work->y_stride + (part + p) * LANES, sums[r][p], from == 0);
}

INLINED void tile_i8(const struct panel_work *work, int row, const int rows, int part, const int parts, int64_t from, int64_t to)
{
    const int16_t *x = (const int16_t *)work->x + row * work->x_stride;
    pairs sums[MOST_TILE_ROWS][2];
    UNROLLED
    for (int r = 0; r < rows; r++)
        UNROLLED
        for (int p = 0; p < parts; p++)
            sums[r][p] = pairs_zero();
    for (int64_t i = from; i < to; i += 2) {
        pairs weights[2];
        ask_for((const char *)work->panel + i * PANEL + WEIGHTS_AHEAD, 2 * PANEL);
        UNROLLED
        for (int p = 0; p < parts; p++)
            weights[p] = pairs_load((const int8_t *)work->panel + (i / 2 * PANEL + (part + p) * LANES) * 2);
        UNROLLED
        for (int r = 0; r < rows; r++) {
            pairs input = pairs_set(x + r * work->x_stride + i);
            UNROLLED
            for (int p = 0; p < parts; p++)
                sums[r][p] = pairs_dot(sums[r][p], weights[p], input);
        }
    }
    UNROLLED
    for (int r = 0; r < rows; r++)
        UNROLLED
        for (int p = 0; p < parts; p++)
            store_sums(work->y + (row + r) * work->y_stride + (part + p) * LANES, pairs_float(sums[r][p]), from == 0);
}

#define TILE(kind, rows)                                                              \
    case rows:                                                                        \
        for (int part = 0; part < 2; part += rows <= PART_ROWS ? 2 : 1)               \
            TILE_##kind(rows, part, rows <= PART_ROWS ? 2 : 1);                       \
        break;
#define TILE_f32(rows, part, parts) tile_float(work, load_f32, row, rows, part, parts, from, to)
#define TILE_f16(rows, part, parts) tile_float(work, load_f16, row, rows, part, parts, from, to)
#define TILE_i8(rows, part, parts) tile_i8(work, row, rows, part, parts, from, to)
#if MOST_TILE_ROWS == 12
#define WIDE_TILES(kind) TILE(kind, 7) TILE(kind, 8) TILE(kind, 9) TILE(kind, 10) TILE(kind, 11) TILE(kind, 12)
#else
#define WIDE_TILES(kind)
#endif

/* Rows are cut into tiles as equal as can be. */
#define PANEL_FUNCTION(kind)                                                                                           \
    static void panel_chunk_##kind(const struct panel_work *work, int64_t from, int64_t to)                            \
    {                                                                                                                  \
        int tiles = (work->rows + MOST_TILE_ROWS - 1) / MOST_TILE_ROWS;                                                \
        for (int tile = 0; tile < tiles; tile++) {                                                                     \
            int row = work->rows * tile / tiles;                                                                       \
            switch (work->rows * (tile + 1) / tiles - row) {                                                           \
                TILE(kind, 1) TILE(kind, 2) TILE(kind, 3) TILE(kind, 4) TILE(kind, 5) TILE(kind, 6) WIDE_TILES(kind)   \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    static void panel_all_##kind(const struct panel_work *work)                                                        \
    {                                                                                                                  \
        for (int64_t from = 0; from < work->inputs; from += CHUNK)                                                     \
            panel_chunk_##kind(work, from, from + CHUNK < work->inputs ? from + CHUNK : work->inputs);                 \
    }
PANEL_FUNCTION(f32)
PANEL_FUNCTION(f16)
PANEL_FUNCTION(i8)

static void panel_scaled_i8(const struct panel_work *work)
{
    panel_all_i8(work);
    for (int row = 0; row < work->rows; row++)
        for (int part = 0; part < 2; part++) {
            float *y = work->y + row * work->y_stride + part * LANES;
            lanes scale = lanes_mul(lanes_set(work->x_scales[row]), lanes_load(work->scales + part * LANES));
            lanes_store(y, lanes_mul(lanes_load(y), scale));
        }
}

static float quantise(int16_t *q, const float *x, int64_t count)
{
    int64_t whole = count / LANES * LANES;
    lanes sizes = lanes_absolute(lanes_load_some(x + whole, count - whole));
    for (int64_t i = 0; i < whole; i += LANES)
        sizes = lanes_larger_bits(sizes, lanes_absolute(lanes_load(x + i)));
    float largest = lanes_largest_bits(sizes), inverse = quantum_inverse(largest);
    if (inverse == 0)
        for (int64_t i = 0; i < count; i++)
            q[i] = 0;
    for (int64_t i = 0; inverse > 0 && i < whole; i += LANES)
        lanes_store_integers(q + i, lanes_mul(lanes_load(x + i), lanes_set(inverse)));
    for (int64_t i = whole; inverse > 0 && i < count; i++)
        q[i] = (int16_t)(x[i] * inverse + ROUND_TO_INTEGER - ROUND_TO_INTEGER);
    return quantum(largest);
}

/* rows */

static void normalise(float *y, const float *x, const float *weight, const float *bias, int64_t count)
{
    int64_t whole = count / LANES * LANES, rest = count - whole;
    lanes sums = lanes_zero(), squares = lanes_zero();
    for (int64_t i = 0; i < whole; i += LANES)
        sums = lanes_add(sums, lanes_load(x + i));
    if (rest)
        sums = lanes_add(sums, lanes_load_some(x + whole, rest));
    lanes mean = lanes_set(lanes_sum(sums) / (float)count);
    for (int64_t i = 0; i < whole; i += LANES) {
        lanes distance = lanes_sub(lanes_load(x + i), mean);
        squares = lanes_fma(distance, distance, squares);
    }
    if (rest) {
        float distances[LANES] = {0};
        lanes_store_some(distances, lanes_sub(lanes_load_some(x + whole, rest), mean), rest);
        squares = lanes_fma(lanes_load(distances), lanes_load(distances), squares);
    }
    lanes scale = lanes_set(1.0f / sqrtf(lanes_sum(squares) / (float)count + NORM_EPSILON));
    for (int64_t i = 0; i < whole; i += LANES) {
        lanes centred = lanes_mul(lanes_sub(lanes_load(x + i), mean), scale);
        lanes_store(y + i, lanes_fma(centred, lanes_load(weight + i), lanes_load(bias + i)));
    }
    if (rest) {
        lanes centred = lanes_mul(lanes_sub(lanes_load_some(x + whole, rest), mean), scale);
        lanes value = lanes_fma(centred, lanes_load_some(weight + whole, rest), lanes_load_some(bias + whole, rest));
        lanes_store_some(y + whole, value, rest);
    }
}

INLINED lanes lanes_gelu(lanes x)
{
    const lanes one = lanes_set(1.0f);
    lanes half = lanes_mul(lanes_set(0.5f), x);
    return lanes_mul(half, lanes_add(one, lanes_error_function(lanes_mul(x, lanes_set(SQRT_HALF)))));
}

static void gelu(float *x, int64_t count)
{
    int64_t whole = count / LANES * LANES;
    for (int64_t i = 0; i < whole; i += LANES)
        lanes_store(x + i, lanes_gelu(lanes_load(x + i)));
    if (count > whole)
        lanes_store_some(x + whole, lanes_gelu(lanes_load_some(x + whole, count - whole)), count - whole);
}

static void add(float *x, const float *added, int64_t count)
{
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        lanes_store(x + i, lanes_add(lanes_load(x + i), lanes_load(added + i)));
    for (; i < count; i++)
        x[i] += added[i];
}

static void add_half(float *x, const uint16_t *added, int64_t count)
{
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        lanes_store(x + i, lanes_add(lanes_load(x + i), lanes_load_half(added + i)));
    for (; i < count; i++)
        x[i] += half_to_float(added[i]);
}

/* attention */

static void store_head(const struct head_cache *cache, int64_t position, const float *key, const float *value)
{
    int64_t width = cache->width, stride = head_stride(width);
    int64_t key_place = position / LANES * width * LANES + position % LANES;
    for (int64_t from = 0; from < stride; from += LANES) {
        int64_t count = from + LANES <= width ? LANES : width - from;
        lanes part = count == LANES ? lanes_load(value + from) : lanes_load_some(value + from, count);
        if (cache->type == ELEMENT_F16)
            lanes_store_half((uint16_t *)cache->values + position * stride + from, part);
        else
            lanes_store((float *)cache->values + position * stride + from, part);
    }
    for (int64_t from = 0; from < width; from += LANES) {
        int64_t count = from + LANES <= width ? LANES : width - from;
        uint16_t halves[LANES];
        lanes_store_half(halves, lanes_load_some(key + from, count));
        for (int64_t i = 0; i < count; i++) {
            if (cache->type == ELEMENT_F16)
                ((uint16_t *)cache->keys)[key_place + (from + i) * LANES] = halves[i];
            else
                ((float *)cache->keys)[key_place + (from + i) * LANES] = key[from + i];
        }
    }
}

INLINED lanes cache_load(const struct head_cache *cache, const void *place, int64_t index, const bool half)
{
    (void)cache;
    return half ? lanes_load_half((const uint16_t *)place + index) : lanes_load((const float *)place + index);
}

/* The scores of some blocks of LANES positions side by side: their chains of sums run at once. */
INLINED void score_blocks(const struct attention_work *work, int64_t block, const int blocks, const bool half)
{
    const struct head_cache *cache = &work->cache;
    lanes scores[4];
    UNROLLED
    for (int b = 0; b < blocks; b++)
        scores[b] = lanes_zero();
    const int bytes = blocks * LANES * (half ? 2 : 4); /* of the next blocks, with each input as much as it has */
    const char *ahead = (const char *)cache->keys + (block + blocks) * cache->width * LANES * (half ? 2 : 4);
    for (int64_t i = 0; i < cache->width; i++) {
        lanes query = lanes_set(work->query[i] * work->scale);
        ask_for(ahead + i * bytes, bytes);
        UNROLLED
        for (int b = 0; b < blocks; b++)
            scores[b] = lanes_fma(query, cache_load(cache, cache->keys, ((block + b) * cache->width + i) * LANES, half), scores[b]);
    }
    UNROLLED
    for (int b = 0; b < blocks; b++)
        lanes_store(work->scores + (block + b) * LANES, scores[b]);
}

INLINED float weigh_positions(const struct attention_work *work, const bool half)
{
    int64_t blocks = (work->length + LANES - 1) / LANES, block = 0, whole = work->length / LANES * LANES;
    for (; block + 4 <= blocks; block += 4)
        score_blocks(work, block, 4, half);
    for (; block < blocks; block++)
        score_blocks(work, block, 1, half);
    for (int64_t t = work->length; t < blocks * LANES; t++)
        work->scores[t] = -INFINITY;
    lanes sizes = lanes_set(-INFINITY), sums = lanes_zero();
    for (int64_t t = 0; t < work->length; t += LANES)
        sizes = lanes_larger(lanes_load(work->scores + t), sizes);
    lanes largest = lanes_set(lanes_largest(sizes));
    for (int64_t t = 0; t < work->length; t += LANES) {
        lanes value = lanes_exponential(lanes_sub(lanes_load(work->scores + t), largest));
        lanes_store(work->scores + t, value);
        sums = lanes_add(sums, t < whole ? value : lanes_load_some(work->scores + t, work->length - t));
    }
    return lanes_sum(sums);
}

INLINED void mix_values(const struct attention_work *work, int64_t from, const int parts, float share, const bool half)
{
    const struct head_cache *cache = &work->cache;
    int64_t stride = head_stride(cache->width);
    lanes totals[4];
    UNROLLED
    for (int p = 0; p < parts; p++)
        totals[p] = lanes_zero();
    for (int64_t begin = 0; begin < work->length; begin += CHUNK) {
        int64_t end = begin + CHUNK < work->length ? begin + CHUNK : work->length;
        lanes sums[4];
        UNROLLED
        for (int p = 0; p < parts; p++)
            sums[p] = lanes_zero();
        for (int64_t t = begin; t < end; t++) {
            lanes weight = lanes_set(work->scores[t]);
            ask_for((const char *)cache->values + (t * stride + from) * (half ? 2 : 4) + VALUES_AHEAD, parts * LANES * (half ? 2 : 4));
            UNROLLED
            for (int p = 0; p < parts; p++)
                sums[p] = lanes_fma(weight, cache_load(cache, cache->values, t * stride + from + p * LANES, half), sums[p]);
        }
        UNROLLED
        for (int p = 0; p < parts; p++)
            totals[p] = lanes_add(totals[p], sums[p]);
    }
    UNROLLED
    for (int p = 0; p < parts; p++) {
        int64_t place = from + p * LANES, count = cache->width - place;
        lanes value = lanes_mul(totals[p], lanes_set(share));
        if (count >= LANES)
            lanes_store(work->out + place, value);
        else
            lanes_store_some(work->out + place, value, count);
    }
}

INLINED void attend_over(const struct attention_work *work, const bool half)
{
    float share = 1.0f / weigh_positions(work, half);
    int64_t stride = head_stride(work->cache.width), from = 0;
    for (; from + 4 * LANES <= stride; from += 4 * LANES)
        mix_values(work, from, 4, share, half);
    for (; from < stride; from += LANES)
        mix_values(work, from, 1, share, half);
}

static void attend(const struct attention_work *work)
{
    if (work->cache.type == ELEMENT_F16)
        attend_over(work, true);
    else
        attend_over(work, false);
}

#define KERNELS(variable, text)                                                                                              \
    extern const struct kernels variable;                                                                                    \
    const struct kernels variable = {                                                                                        \
        text, panel_all_f32, panel_all_f16, panel_scaled_i8, normalise, gelu, add, add_half, quantise, store_head, attend,   \
    }
