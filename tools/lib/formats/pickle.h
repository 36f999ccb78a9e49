/* SPDX-License-Identifier: Apache-2.0
 * pickle - reads the pickles of PyTorch's files (protocol 2) as plain data. Nothing is executed: names stand for a
 * closed list of meanings, everything else is refused by its name.
 *
 * Values live until pickle_free; texts point into the bytes that were read. Each value costs memory in proportion to the
 * bytes it was read from, and their number is capped. Nothing here recurses, and a value never contains itself.
 */
#ifndef LEITMOTIF_FORMATS_PICKLE_H
#define LEITMOTIF_FORMATS_PICKLE_H

#include <stdbool.h>

#include "formats/safetensors.h"

enum pickle_kind {
    PICKLE_PLAIN,   /* None, a truth value, a fraction, a number beyond 64 bits: nothing that is needed */
    PICKLE_INTEGER, PICKLE_TEXT,
    PICKLE_TUPLE, PICKLE_LIST, PICKLE_MAP,
    PICKLE_GLOBAL, PICKLE_STORAGE, PICKLE_TENSOR,
    PICKLE_MARK     /* private */
};

struct pickle_value {
    enum pickle_kind kind;
    unsigned char visit;             /* private */
    bool ordered;                    /* a map that is an OrderedDict */
    enum element_type type;          /* PICKLE_STORAGE; PICKLE_GLOBAL that names a storage */
    union {
        int64_t integer;             /* PICKLE_INTEGER; private: which global */
        struct {
            const char *bytes;       /* not terminated */
            size_t length;
        } text;                      /* PICKLE_TEXT; the key of a PICKLE_STORAGE */
        struct {
            struct pickle_value **items; /* of a map: key, value, key, value */
            size_t count, capacity;
        } list;
        struct pickle_tensor *tensor;
    };
    int64_t elements;                /* PICKLE_STORAGE */
};

struct pickle_tensor {
    const struct pickle_value *storage;
    int64_t offset;                  /* all in elements, as the file says: not checked against anything */
    int rank;
    int64_t shape[ARRAY_MAX_RANK], stride[ARRAY_MAX_RANK];
};

struct pickle;

/* NULL on failure. Borrows the bytes until pickle_free, which accepts NULL. */
struct pickle *pickle_read(const unsigned char *bytes, size_t length);
void pickle_free(struct pickle *pickle);

const struct pickle_value *pickle_root(const struct pickle *pickle);

/* The value of a text key in a map, NULL without a failure; also for values that are no maps. */
const struct pickle_value *pickle_member(const struct pickle_value *map, const char *key);

#endif
