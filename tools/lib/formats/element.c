/* SPDX-License-Identifier: Apache-2.0
 * element - the element types of safetensors: names, sizes, shapes as text, and half precision (IEEE 754 binary16).
 */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "formats/safetensors.h"

static const struct {
    const char *name;
    size_t size;
} elements[ELEMENT_TYPES] = {
    [ELEMENT_BOOL] = {"BOOL", 1},      [ELEMENT_U8] = {"U8", 1},           [ELEMENT_I8] = {"I8", 1},
    [ELEMENT_F8_E4M3] = {"F8_E4M3", 1}, [ELEMENT_F8_E5M2] = {"F8_E5M2", 1}, [ELEMENT_I16] = {"I16", 2},
    [ELEMENT_U16] = {"U16", 2},        [ELEMENT_F16] = {"F16", 2},         [ELEMENT_BF16] = {"BF16", 2},
    [ELEMENT_I32] = {"I32", 4},        [ELEMENT_U32] = {"U32", 4},         [ELEMENT_F32] = {"F32", 4},
    [ELEMENT_I64] = {"I64", 8},        [ELEMENT_U64] = {"U64", 8},         [ELEMENT_F64] = {"F64", 8},
};

const char *element_name(enum element_type type)
{
    return elements[type].name;
}

size_t element_size(enum element_type type)
{
    return elements[type].size;
}

int64_t array_elements(const struct array *array)
{
    return (int64_t)(array->bytes / element_size(array->type));
}

const char *shape_text(int rank, const int64_t *shape)
{
    enum { RESULTS = 4, TEXT_SIZE = 2 + ARRAY_MAX_RANK * 22 };
    static _Thread_local char results[RESULTS][TEXT_SIZE];
    static _Thread_local int next;
    char *text = results[next++ % RESULTS];
    size_t length = (size_t)snprintf(text, TEXT_SIZE, "[");
    for (int i = 0; i < rank && i < ARRAY_MAX_RANK; i++)
        length += (size_t)snprintf(text + length, TEXT_SIZE - length, "%s%lld", i ? ", " : "", (long long)shape[i]);
    snprintf(text + length, TEXT_SIZE - length, "]");
    return text;
}

static float as_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t as_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

float half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 1023;
    if (exponent == 31) /* infinities and NaN */
        return as_float(sign | 0x7f800000 | fraction << 13);
    if (exponent == 0) /* zero and subnormals: multiples of 2^-24 */
        return as_float(sign | as_bits((float)fraction * 0x1p-24f));
    return as_float(sign | (exponent + 112) << 23 | fraction << 13);
}

uint16_t float_to_half(float value)
{
    uint32_t bits = as_bits(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) /* NaN stays one, quiet */
        return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 1023));
    if (magnitude >= 0x477ff000) /* from 65520 on the nearest is infinity */
        return (uint16_t)(sign | 0x7c00);
    if (magnitude < 0x38800000) /* below 2^-14: the sum with 0.5 rounds to a multiple of 2^-24, to even */
        return (uint16_t)(sign | (as_bits(as_float(magnitude) + 0.5f) - 0x3f000000));
    magnitude += 0xfff + (magnitude >> 13 & 1);
    return (uint16_t)(sign | (magnitude - 0x38000000) >> 13);
}

/* Is this float32 a float16 too? Normal: 10 bits of fraction, exponent -14 to 15. Subnormal: a multiple of 2^-24. */
static bool half_holds(uint32_t bits)
{
    int exponent = (int)(bits >> 23 & 0xff) - 127;
    uint32_t fraction = bits & 0x7fffff;
    if (exponent >= -14)
        return exponent <= 15 && (fraction & 0x1fff) == 0;
    if (exponent < -24)
        return (bits & 0x7fffffff) == 0;
    return (fraction & ((1u << (-1 - exponent)) - 1)) == 0;
}

float array_number(const struct array *array, int64_t index)
{
    const char *at = (const char *)array->data + index * (int64_t)elements[array->type].size;
    uint32_t bits;
    uint16_t half;
    if (array->type == ELEMENT_F32) {
        memcpy(&bits, at, sizeof bits);
        return as_float(bits);
    }
    memcpy(&half, at, sizeof half);
    return array->type == ELEMENT_BF16 ? as_float((uint32_t)half << 16) : half_to_float(half);
}

bool array_fits_half(const struct array *array)
{
    for (int64_t i = 0; array->type != ELEMENT_F16 && i < array_elements(array); i++)
        if (!half_holds(as_bits(array_number(array, i))))
            return false;
    return true;
}
