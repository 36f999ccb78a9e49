/* SPDX-License-Identifier: Apache-2.0
 * fake - the parts of the fake libtorch.so for a GPU. Exported are the functions of prototypes.h and cuda-prototypes.h that a
 * GPU changes; the others are the real library's. README.md says what is modelled.
 *
 *     real     the real libtorch's functions, and the text of an error
 *     storage  live handles and the memory behind them: where it is, who holds it, how much of the GPU is taken
 *     values   the arguments of a dispatched operation as a tree that can be kept and given again
 *     perform  an operation: what a GPU would refuse, its results; lstm: of cuDNN
 *     transfer copies between host and GPU; streams, and what was given to them and is not done yet
 *     capture  graphs
 *     report   counters and violations
 *
 * Everything runs under one lock (enter, leave). "Held" memory is the program's: it counts. "Kept" is memory that recorded or
 * waiting work still needs here: on a GPU it would be free again, so it does not count.
 */
#ifndef LEITMOTIF_FAKE_GPU_FAKE_H
#define LEITMOTIF_FAKE_GPU_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libtorch/cuda-prototypes.h"
#include "libtorch/prototypes.h"

enum { STACK_SLOTS = 32, HOST = -1, MAX_RESULTS = 3 };

#pragma GCC visibility push(default)
#define DECLARE(result, name, arguments) result name arguments;
LIBTORCH_REQUIRED(DECLARE)
LIBTORCH_OPTIONAL(DECLARE)
LIBTORCH_CUDA(DECLARE)
CUDA_RUNTIME(DECLARE)
#undef DECLARE
#pragma GCC visibility pop

/* real */

#define REAL_ONLY(FUNCTION)                                                        \
    FUNCTION(int32_t, aoti_torch_clone, (struct tensor *, struct tensor **))       \
    FUNCTION(int32_t, aoti_torch_get_storage_offset, (struct tensor *, int64_t *)) \
    FUNCTION(int32_t, aoti_torch_get_storage_size, (struct tensor *, int64_t *))   \
    FUNCTION(size_t, aoti_torch_dtype_element_size, (int32_t))                     \
    FUNCTION(int32_t, torch_delete_list, (list_handle))                            \
    FUNCTION(int32_t, torch_delete_stable_ivalue, (stack_value *))                 \
    FUNCTION(int32_t, torch_delete_string, (string_handle))

struct real {
#define MEMBER(result, name, arguments) result(*name) arguments;
    LIBTORCH_REQUIRED(MEMBER) LIBTORCH_OPTIONAL(MEMBER) REAL_ONLY(MEMBER)
#undef MEMBER
    void *(*operator_new)(size_t); /* for cells, before 2.13 */
    void (*operator_delete)(void *);
};
extern struct real real;

bool enter(void); /* false: the real library called us from within; then its own function is meant, and leave is not called */
void leave(void);
int64_t real_elements(const struct tensor *tensor);
int32_t real_type(const struct tensor *tensor);
size_t real_bytes(const struct tensor *tensor); /* of its elements, side by side */
int32_t call_real(const char *name, const char *overload, stack_value *stack, uint64_t built_for); /* direct:: names too */
int32_t refuse(const char *format, ...) __attribute__((format(printf, 1, 2))); /* 1; the text is the program's to read */

/* map: pointers to pointers */

struct map { struct entry *buckets[1 << 12]; };
void *map_get(const struct map *map, const void *key);
void map_put(struct map *map, const void *key, void *value);
void *map_take(struct map *map, const void *key); /* removes; NULL when it was not there */
void map_each(const struct map *map, void (*visit)(const void *key, void **value, void *context), void *context);

/* storage */

struct storage {
    void *base;
    size_t bytes;
    int gpu; /* HOST, or its index */
    bool pinned, floating;
    size_t held, kept; /* by handles of the program; by work recorded or waiting */
    unsigned capture;  /* the recording that it was made in; 0: none */
};

struct storage *storage_of(const struct tensor *tensor); /* of a handle of the program; NULL: unknown */

/* A new handle of the program: of one of the `known` storages, or of a new one on `gpu`. Refuses what the GPU cannot hold: then
 * the tensor is deleted. */
int32_t storage_adopt(struct tensor *tensor, int gpu, struct storage *const *known, size_t count);
void storage_add_handle(struct tensor *tensor, struct storage *storage);
struct storage *storage_disown(const struct tensor *tensor); /* the handle is given away; storage_release follows */
void storage_release(struct storage *storage);               /* one holder less */
void storage_moved(struct storage *from, struct storage *onto); /* handles whose tensors are views of `onto` now */
void storage_poison(struct storage *storage);                /* NaN, or large numbers */
void storage_keep(struct storage *storage);
void storage_unkeep(struct storage *storage);

struct kept { struct tensor *tensor; struct storage *storage; }; /* a reference of our own */
struct kept keep(struct tensor *tensor, struct storage *storage_or_null);
void unkeep(struct kept *kept);

int32_t memory_take(size_t bytes); /* 0, or refused as libtorch's allocator refuses */
void memory_give(size_t bytes);
int32_t memory_begin_library(size_t which); /* 0 or 1: its work space is taken when it is first used, not while recording */
void memory_begin(void); /* the GPU is used: its context takes memory */
void memory_count_outside(void); /* as if something had been allocated outside of a recording */
uint64_t memory_outside(void); /* how often something was */

/* values */

enum value_kind { VALUE_PLAIN, VALUE_TENSOR, VALUE_LIST, VALUE_CELL, VALUE_STRING };

struct value {
    enum value_kind kind;
    stack_value plain; /* as it was given; the call consumes it */
    struct kept tensor;
    bool disowned; /* the storage is still to be released */
    struct value *items;
    size_t count;
    char *string;
};

struct call {
    char *name, *overload;
    uint64_t built_for;
    struct value values[STACK_SLOTS];
    struct value **tensors; /* those among them, in order */
    size_t tensor_count;
};

struct call *call_read(const char *name, const char *overload, const stack_value *stack, uint64_t built_for);
void call_drop_arguments(struct call *call, stack_value *stack); /* of a call that is refused */
void call_disown(struct call *call);  /* what it was given is no longer held */
void call_free(struct call *call);    /* call_disown, and our own references too */
void call_make(const struct call *call, stack_value *stack);     /* the arguments once more */
bool call_is(const struct call *call, const char *name, const char *overload);

/* perform */

int32_t perform(const char *name, const char *overload, stack_value *stack, uint64_t built_for);

/* lstm */

int32_t lstm_before(const struct call *call); /* what a call of aten::lstm takes beside its results */
int32_t lstm_flatten(const struct call *call, int gpu, struct tensor **piece);

/* transfer */

int32_t transfer(struct tensor *into, struct tensor *from, bool non_blocking); /* one is on the GPU, the other is not */
bool queue_is_captured(void); /* the current stream of this thread is being recorded */
void queue_launch(void *executable);
void queue_flush(void); /* everything is done */

/* capture */

int32_t capture_refuse(const char *what); /* always 1; the recording is lost */
bool capture_is_lost(void);
void capture_before(const struct call *call); /* keeps what the call is about to change */
void capture_after(struct call *call, struct tensor *const *results, size_t count); /* takes what the call holds */
void capture_made(struct tensor *tensor, struct storage *storage);
unsigned capture_number(void); /* of the recording under way; 0: none */
void capture_replay(void *executable);
void *capture_stream(void);

/* report */

extern struct counters {
    uint64_t allocations, operations, captures, recorded, launches, host_to_device, device_to_host, synchronisations;
    size_t live_bytes, peak_bytes;
} counters;

void violate(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool violated(void);

#endif
