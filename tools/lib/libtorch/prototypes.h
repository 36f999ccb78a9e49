/* SPDX-License-Identifier: Apache-2.0
 * prototypes - the C functions libtorch exports, written by hand, and one table of pointers to them.
 *
 * Two families: the AOTInductor shim (aoti_torch_*, backend-neutral ones only) and the stable ABI shim (torch_*), whose
 * argument lists stay as they are for two years after a release. Its own headers do not compile as C. A function
 * returns 0, or 1 with its text in torch_exception_get_what... of the same thread. Only this folder and
 * tests/fake-gpu, which stands in for some of them, include this.
 */
#ifndef LEITMOTIF_LIBTORCH_PROTOTYPES_H
#define LEITMOTIF_LIBTORCH_PROTOTYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tensor; /* what libtorch calls AtenTensorHandle: a reference-counted tensor, one reference per handle */

typedef uint64_t stack_value;        /* StableIValue: one argument or result of a dispatched operation */
typedef struct value_list *list_handle;
typedef struct value_string *string_handle;

/* REQUIRED(result, name, arguments): exported by 2.11 and later. */
#define LIBTORCH_REQUIRED(REQUIRED)                                                                                    \
    REQUIRED(uint64_t, aoti_torch_abi_version, (void))                                                                 \
    REQUIRED(int32_t, aoti_torch_dtype_float32, (void))                                                                \
    REQUIRED(int32_t, aoti_torch_dtype_float16, (void))                                                                \
    REQUIRED(int32_t, aoti_torch_dtype_bfloat16, (void))                                                               \
    REQUIRED(int32_t, aoti_torch_dtype_float64, (void))                                                                \
    REQUIRED(int32_t, aoti_torch_dtype_int8, (void))                                                                   \
    REQUIRED(int32_t, aoti_torch_dtype_uint8, (void))                                                                  \
    REQUIRED(int32_t, aoti_torch_dtype_int32, (void))                                                                  \
    REQUIRED(int32_t, aoti_torch_dtype_int64, (void))                                                                  \
    REQUIRED(int32_t, aoti_torch_dtype_bool, (void))                                                                   \
    REQUIRED(int32_t, aoti_torch_device_type_cpu, (void))                                                              \
    REQUIRED(int32_t, aoti_torch_device_type_cuda, (void))                                                             \
    REQUIRED(int32_t, aoti_torch_layout_strided, (void))                                                               \
    REQUIRED(int32_t, aoti_torch_memory_format_contiguous_format, (void))                                              \
    /* new tensors: rank, sizes, strides in elements, element type, device type and index */                           \
    REQUIRED(int32_t, aoti_torch_empty_strided,                                                                        \
             (int64_t, const int64_t *, const int64_t *, int32_t, int32_t, int32_t, struct tensor **))                 \
    REQUIRED(int32_t, aoti_torch_empty_strided_pinned,                                                                 \
             (int64_t, const int64_t *, const int64_t *, int32_t, int32_t, int32_t, struct tensor **))                 \
    /* data, rank, sizes, strides, offset, type, device type, index, result, layout, metadata, its size */             \
    REQUIRED(int32_t, aoti_torch_create_tensor_from_blob_v2,                                                           \
             (void *, int64_t, const int64_t *, const int64_t *, int64_t, int32_t, int32_t, int32_t, struct tensor **, \
              int32_t, const uint8_t *, int64_t))                                                                      \
    REQUIRED(int32_t, aoti_torch_scalar_to_tensor_float32, (float, struct tensor **))                                  \
    REQUIRED(int32_t, aoti_torch_new_tensor_handle, (struct tensor *, struct tensor **))                               \
    REQUIRED(int32_t, aoti_torch_delete_tensor_object, (struct tensor *))                                              \
    /* a view: rank, sizes, strides, offset in elements relative to the tensor's own start */                          \
    REQUIRED(int32_t, aoti_torch__reinterpret_tensor,                                                                  \
             (struct tensor *, int64_t, const int64_t *, const int64_t *, int64_t, struct tensor **))                  \
    REQUIRED(int32_t, aoti_torch_get_dim, (const struct tensor *, int64_t *))                                          \
    REQUIRED(int32_t, aoti_torch_get_numel, (const struct tensor *, int64_t *))                                        \
    REQUIRED(int32_t, aoti_torch_get_sizes, (const struct tensor *, const int64_t **)) /* borrowed */                  \
    REQUIRED(int32_t, aoti_torch_get_strides, (const struct tensor *, const int64_t **))                               \
    REQUIRED(int32_t, aoti_torch_get_dtype, (const struct tensor *, int32_t *))                                        \
    REQUIRED(int32_t, aoti_torch_get_device_type, (const struct tensor *, int32_t *))                                  \
    REQUIRED(int32_t, aoti_torch_get_device_index, (const struct tensor *, int32_t *))                                 \
    REQUIRED(int32_t, aoti_torch_is_contiguous, (const struct tensor *, bool *))                                       \
    REQUIRED(int32_t, aoti_torch_get_data_ptr, (const struct tensor *, void **))                                       \
    REQUIRED(int32_t, aoti_torch_copy_, (struct tensor *, struct tensor *, int32_t)) /* into, from, non_blocking */    \
    REQUIRED(int32_t, aoti_torch_zero_, (struct tensor *))                                                             \
    REQUIRED(int32_t, aoti_torch_aten_subtract_Tensor, (struct tensor *, struct tensor *, double, struct tensor **))   \
    /* any operation by name: name, overload, stack of arguments (then of results), version of the argument lists */   \
    REQUIRED(int32_t, torch_call_dispatcher, (const char *, const char *, stack_value *, uint64_t))                    \
    REQUIRED(int32_t, torch_new_list_reserve_size, (size_t, list_handle *))                                            \
    REQUIRED(int32_t, torch_list_push_back, (list_handle, stack_value))                                                \
    REQUIRED(int32_t, torch_new_string_handle, (const char *, size_t, string_handle *))                                \
    /* begin, end, least per thread, work(begin, end, context), context: on libtorch's threads */                      \
    REQUIRED(int32_t, torch_parallel_for, (int64_t, int64_t, int64_t, void (*)(int64_t, int64_t, void *), void *))     \
    REQUIRED(void, aoti_torch_grad_mode_set_enabled, (bool)) /* of this thread */

/* OPTIONAL(result, name, arguments): absent before 2.13, or a C++ function that nobody promises. NULL then. */
#define LIBTORCH_OPTIONAL(OPTIONAL)                                                                                    \
    OPTIONAL(const char *, torch_exception_get_what_without_backtrace, (void)) /* borrowed until the next error */     \
    OPTIONAL(int32_t, torch_new_stable_ivalue, (stack_value **))

struct libtorch_symbols {
#define MEMBER(result, name, arguments) result(*name) arguments;
    LIBTORCH_REQUIRED(MEMBER) LIBTORCH_OPTIONAL(MEMBER)
#undef MEMBER
    void (*set_num_threads)(int);      /* at::set_num_threads, or NULL */
    void *(*operator_new)(size_t);     /* C++ operator new, with which libtorch's `delete` pairs, or NULL */
};
extern struct libtorch_symbols torch;

void *libtorch_symbol(const char *name); /* of the opened library, or of one that it is linked with; NULL: none */

#endif
