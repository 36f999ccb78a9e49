/* SPDX-License-Identifier: Apache-2.0
 * safetensors - named arrays in one file: u64 header length, JSON header, data. Checked wholly before use
 * (docs/formats.md lists the checks), mapped, never copied.
 */
#ifndef LEITMOTIF_FORMATS_SAFETENSORS_H
#define LEITMOTIF_FORMATS_SAFETENSORS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum element_type {
    ELEMENT_BOOL, ELEMENT_U8, ELEMENT_I8, ELEMENT_F8_E4M3, ELEMENT_F8_E5M2, ELEMENT_I16, ELEMENT_U16, ELEMENT_F16,
    ELEMENT_BF16, ELEMENT_I32, ELEMENT_U32, ELEMENT_F32, ELEMENT_I64, ELEMENT_U64, ELEMENT_F64, ELEMENT_TYPES
};

enum { ARRAY_MAX_RANK = 8 };

struct array {
    const char *name;
    enum element_type type;
    int rank;
    int64_t shape[ARRAY_MAX_RANK];
    const void *data; /* row-major little-endian; NOT necessarily aligned to the element size */
    size_t bytes;
};

struct safetensors; /* an open file */

/* NULL on failure, which names the file. Arrays stay valid until safetensors_close. */
struct safetensors *safetensors_open(const char *path);
void safetensors_close(struct safetensors *file);

size_t safetensors_count(const struct safetensors *file);
const struct array *safetensors_array(const struct safetensors *file, size_t index); /* sorted by name */
const struct array *safetensors_find(const struct safetensors *file, const char *name); /* or NULL, no failure */
const char *safetensors_metadata(const struct safetensors *file, const char *key);      /* or NULL, no failure */

/* Writes arrays as a result file (base/file.h); metadata: an object of strings, or NULL; borrowed. */
int safetensors_write(const char *path, const struct array *arrays, size_t count, const json_t *metadata);

/* The same for data that is made as it is written: `write` is called for each array in the order of the file, and puts
 * array->bytes bytes out by output_write. 0, or -1 with a failure. */
struct output;
typedef int array_writer(void *context, struct output *output, const struct array *array);
int safetensors_stream(const char *path, const struct array *arrays, size_t count, const json_t *metadata, array_writer *write,
                       void *context);

const char *element_name(enum element_type type); /* "F16" */
size_t element_size(enum element_type type);
int64_t array_elements(const struct array *array);
const char *shape_text(int rank, const int64_t *shape); /* "[4, 2048]"; a few results stay valid at once */

/* IEEE half <-> float, exact / to nearest even. */
float half_to_float(uint16_t half);
uint16_t float_to_half(float value);

/* Of an array of F32, F16 or BF16, wherever its data lie: one number; and whether float16 holds all of them exactly. */
float array_number(const struct array *array, int64_t index);
bool array_fits_half(const struct array *array);

#endif
