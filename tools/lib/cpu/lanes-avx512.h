/* SPDX-License-Identifier: Apache-2.0
 * lanes-avx512 - LANES floats as one register of AVX-512F, BW, VL and DQ. For kernels-vector.h.
 */
#include <immintrin.h>
#include <stdint.h>

#include "cpu/kernels.h"

enum { PART_ROWS = 12 }; /* rows of a tile whose two vectors of outputs are summed at once: 24 of 32 registers */
#define MOST_TILE_ROWS 12

typedef __m512 lanes;
typedef __m512i pairs;

static inline lanes lanes_zero(void) { return _mm512_setzero_ps(); }
static inline lanes lanes_set(float x) { return _mm512_set1_ps(x); }
static inline lanes lanes_load(const float *x) { return _mm512_loadu_ps(x); }
static inline void lanes_store(float *x, lanes a) { _mm512_storeu_ps(x, a); }
static inline lanes lanes_load_half(const uint16_t *x) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)x)); }
static inline lanes lanes_add(lanes a, lanes b) { return _mm512_add_ps(a, b); }
static inline lanes lanes_sub(lanes a, lanes b) { return _mm512_sub_ps(a, b); }
static inline lanes lanes_mul(lanes a, lanes b) { return _mm512_mul_ps(a, b); }
static inline lanes lanes_fma(lanes a, lanes b, lanes c) { return _mm512_fmadd_ps(a, b, c); } /* a b + c */
static inline lanes lanes_larger(lanes a, lanes b) { return _mm512_max_ps(a, b); }

static inline void lanes_store_half(uint16_t *x, lanes a)
{
    _mm256_storeu_si256((__m256i *)x, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

static inline lanes lanes_absolute(lanes a)
{
    return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(a), _mm512_set1_epi32(0x7fffffff)));
}

static inline lanes lanes_copy_sign(lanes size, lanes sign)
{
    return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(_mm512_castps_si512(size), _mm512_castps_si512(sign),
                                                         _mm512_set1_epi32((int)0x80000000u), 0xd8)); /* sign where the mask has ones */
}

/* a < b ? then : otherwise */
static inline lanes lanes_less(lanes a, lanes b, lanes then, lanes otherwise)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), otherwise, then);
}

/* n: integers from -127 on */
static inline lanes lanes_power_of_two(lanes n)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvttps_epi32(n), _mm512_set1_epi32(127)), 23));
}

static inline lanes lanes_larger_bits(lanes a, lanes b)
{
    return _mm512_castsi512_ps(_mm512_max_epu32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
}

static inline float lanes_largest_bits(lanes a)
{
    return _mm512_cvtss_f32(_mm512_castsi512_ps(_mm512_set1_epi32((int)_mm512_reduce_max_epu32(_mm512_castps_si512(a)))));
}

static inline float lanes_largest(lanes a) { return _mm512_reduce_max_ps(a); }

static inline float lanes_sum(lanes a)
{
    __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* To int16, to even. */
static inline void lanes_store_integers(int16_t *x, lanes a)
{
    _mm256_storeu_si256((__m256i *)x, _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(a)));
}

/* LANES outputs' pairs of inputs */

static inline pairs pairs_zero(void) { return _mm512_setzero_si512(); }
static inline lanes pairs_float(pairs a) { return _mm512_cvtepi32_ps(a); }
static inline pairs pairs_load(const int8_t *x) { return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)x)); }

static inline pairs pairs_set(const int16_t *x)
{
    int32_t both;
    __builtin_memcpy(&both, x, sizeof both);
    return _mm512_set1_epi32(both);
}

/* sum + weights[0] input[0] + weights[1] input[1], in 32 bits without saturation */
static inline pairs pairs_dot(pairs sum, pairs weights, pairs input)
{
#if defined(__AVX512VNNI__)
    return _mm512_dpwssd_epi32(sum, weights, input);
#else
    return _mm512_add_epi32(sum, _mm512_madd_epi16(weights, input));
#endif
}
