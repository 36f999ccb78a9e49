/* SPDX-License-Identifier: Apache-2.0
 * parity - arrays of a stored reference, for tests that include cmocka.h first.
 */
#ifndef LEITMOTIF_TESTS_PARITY_H
#define LEITMOTIF_TESTS_PARITY_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "formats/safetensors.h"

static inline const struct array *parity_array(const struct safetensors *reference, const char *name)
{
    const struct array *array = safetensors_find(reference, name);
    assert_non_null(array);
    return array;
}

/* Stored int64 as int32; yours. */
static inline int32_t *parity_integers(const struct array *array)
{
    int32_t *values = allocate((size_t)array_elements(array), sizeof *values);
    for (int64_t i = 0; i < array_elements(array); i++) {
        int64_t value;
        memcpy(&value, (const char *)array->data + i * (int64_t)sizeof value, sizeof value);
        values[i] = (int32_t)value;
    }
    return values;
}

/* Stored float32, aligned; yours. */
static inline float *parity_floats(const struct array *array)
{
    float *values = allocate((size_t)array_elements(array), sizeof *values);
    memcpy(values, array->data, array->bytes);
    return values;
}

/* Stored one-hot rows [n, width] as [n] places; yours. */
static inline int32_t *parity_places(const struct array *array)
{
    int64_t width = array->shape[1];
    int32_t *places = allocate((size_t)array->shape[0], sizeof *places);
    float *rows = parity_floats(array);
    for (int64_t i = 0; i < array_elements(array); i++)
        if (rows[i] == 1)
            places[i / width] = (int32_t)(i % width);
    free(rows);
    return places;
}

static inline float parity_difference(const float *a, const float *b, int64_t count)
{
    float worst = 0;
    for (int64_t i = 0; i < count; i++) {
        assert_true(isfinite(a[i]));
        worst = fmaxf(worst, fabsf(a[i] - b[i]));
    }
    return worst;
}

#endif
