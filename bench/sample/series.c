/* SPDX-License-Identifier: Apache-2.0 */
#include "series.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void series_add(struct series *series, double value)
{
    series->values = grow(series->values, series->count, &series->capacity, sizeof *series->values);
    series->values[series->count++] = value;
}

static int compare_values(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double series_rank(const struct series *series, double share)
{
    if (series->count == 0)
        return 0;
    double *sorted = allocate(series->count, sizeof *sorted);
    memcpy(sorted, series->values, series->count * sizeof *sorted);
    qsort(sorted, series->count, sizeof *sorted, compare_values);
    double value = sorted[(size_t)(share * (double)(series->count - 1) + 0.5)];
    free(sorted);
    return value;
}

double series_sum(const struct series *series)
{
    double sum = 0;
    for (size_t i = 0; i < series->count; i++)
        sum += series->values[i];
    return sum;
}

void series_release(struct series *series)
{
    free(series->values);
    *series = (struct series){0};
}
