/* SPDX-License-Identifier: Apache-2.0
 * lanes-avx2 - LANES floats as two registers of AVX2 with FMA and F16C. For kernels-vector.h.
 */
#include <immintrin.h>
#include <stdint.h>

#include "cpu/kernels.h"

enum { PART_ROWS = 2 }; /* rows of a tile whose two vectors of outputs are summed at once: 8 of 16 registers; else one vector */
#define MOST_TILE_ROWS 6

typedef struct { __m256 low, high; } lanes;
typedef struct { __m256i low, high; } pairs;

static inline lanes lanes_zero(void) { return (lanes){_mm256_setzero_ps(), _mm256_setzero_ps()}; }
static inline lanes lanes_set(float x) { return (lanes){_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
static inline lanes lanes_load(const float *x) { return (lanes){_mm256_loadu_ps(x), _mm256_loadu_ps(x + 8)}; }
static inline lanes lanes_add(lanes a, lanes b) { return (lanes){_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
static inline lanes lanes_sub(lanes a, lanes b) { return (lanes){_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)}; }
static inline lanes lanes_mul(lanes a, lanes b) { return (lanes){_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
static inline lanes lanes_larger(lanes a, lanes b) { return (lanes){_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)}; }

static inline void lanes_store(float *x, lanes a)
{
    _mm256_storeu_ps(x, a.low);
    _mm256_storeu_ps(x + 8, a.high);
}

static inline lanes lanes_load_half(const uint16_t *x)
{
    return (lanes){_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)x)), _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(x + 8)))};
}

static inline void lanes_store_half(uint16_t *x, lanes a)
{
    _mm_storeu_si128((__m128i *)x, _mm256_cvtps_ph(a.low, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    _mm_storeu_si128((__m128i *)(x + 8), _mm256_cvtps_ph(a.high, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

/* a b + c */
static inline lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return (lanes){_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}

static inline lanes lanes_absolute(lanes a)
{
    const __m256 mask = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    return (lanes){_mm256_and_ps(a.low, mask), _mm256_and_ps(a.high, mask)};
}

static inline lanes lanes_copy_sign(lanes size, lanes sign)
{
    const __m256 mask = _mm256_set1_ps(-0.0f);
    return (lanes){_mm256_or_ps(_mm256_andnot_ps(mask, size.low), _mm256_and_ps(mask, sign.low)),
                   _mm256_or_ps(_mm256_andnot_ps(mask, size.high), _mm256_and_ps(mask, sign.high))};
}

/* a < b ? then : otherwise */
static inline lanes lanes_less(lanes a, lanes b, lanes then, lanes otherwise)
{
    return (lanes){_mm256_blendv_ps(otherwise.low, then.low, _mm256_cmp_ps(a.low, b.low, _CMP_LT_OQ)),
                   _mm256_blendv_ps(otherwise.high, then.high, _mm256_cmp_ps(a.high, b.high, _CMP_LT_OQ))};
}

static inline __m256 power_of_two(__m256 n)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvttps_epi32(n), _mm256_set1_epi32(127)), 23));
}

/* n: integers from -127 on */
static inline lanes lanes_power_of_two(lanes n) { return (lanes){power_of_two(n.low), power_of_two(n.high)}; }

static inline __m256 larger_bits(__m256 a, __m256 b)
{
    return _mm256_castsi256_ps(_mm256_max_epu32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
}

static inline lanes lanes_larger_bits(lanes a, lanes b) { return (lanes){larger_bits(a.low, b.low), larger_bits(a.high, b.high)}; }

static inline float lanes_largest_bits(lanes a)
{
    __m256 eight = larger_bits(a.low, a.high);
    __m128i four = _mm_max_epu32(_mm_castps_si128(_mm256_castps256_ps128(eight)), _mm_castps_si128(_mm256_extractf128_ps(eight, 1)));
    __m128i two = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtss_f32(_mm_castsi128_ps(_mm_max_epu32(two, _mm_shuffle_epi32(two, 0xb1))));
}

static inline float lanes_largest(lanes a)
{
    __m256 eight = _mm256_max_ps(a.low, a.high);
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

static inline float lanes_sum(lanes a)
{
    __m256 eight = _mm256_add_ps(a.low, a.high);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* To int16, to even. Packing goes by halves of a register: the middle quarters change places. */
static inline void lanes_store_integers(int16_t *x, lanes a)
{
    __m256i packed = _mm256_packs_epi32(_mm256_cvtps_epi32(a.low), _mm256_cvtps_epi32(a.high));
    _mm256_storeu_si256((__m256i *)x, _mm256_permute4x64_epi64(packed, 0xd8));
}

/* LANES outputs' pairs of inputs */

static inline pairs pairs_zero(void) { return (pairs){_mm256_setzero_si256(), _mm256_setzero_si256()}; }
static inline lanes pairs_float(pairs a) { return (lanes){_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high)}; }

static inline pairs pairs_load(const int8_t *x)
{
    return (pairs){_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)x)),
                   _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(x + 16)))};
}

static inline pairs pairs_set(const int16_t *x)
{
    int32_t both;
    __builtin_memcpy(&both, x, sizeof both);
    return (pairs){_mm256_set1_epi32(both), _mm256_set1_epi32(both)};
}

static inline __m256i dot(__m256i sum, __m256i weights, __m256i input)
{
#if defined(__AVXVNNI__)
    return _mm256_dpwssd_avx_epi32(sum, weights, input);
#else
    return _mm256_add_epi32(sum, _mm256_madd_epi16(weights, input));
#endif
}

/* sum + weights[0] input[0] + weights[1] input[1], in 32 bits without saturation */
static inline pairs pairs_dot(pairs sum, pairs weights, pairs input)
{
    return (pairs){dot(sum.low, weights.low, input.low), dot(sum.high, weights.high, input.high)};
}
