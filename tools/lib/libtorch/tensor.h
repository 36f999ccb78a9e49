/* SPDX-License-Identifier: Apache-2.0
 * tensor - typed operations on libtorch tensors, with scopes instead of frees.
 *
 * Every function that returns a tensor puts it into the innermost open scope of the thread; scope_close frees what is
 * in it, newest first. scope_keep moves a tensor one scope out (a function that returns a tensor keeps it last).
 * tensor_own takes a tensor out of all scopes for what lives long (weights, caches); tensor_free frees such a one.
 * After a failure every operation does nothing and returns NULL, and NULL operands are accepted then (sizes are 0, data is
 * NULL): chains need no checks, look at failed() once at the end. A NULL operand without a failure is a programmer's error (assert), except
 * where "or NULL" is written. Shapes below are [sizes]; all results are new tensors unless "view" is written.
 */
#ifndef LEITMOTIF_LIBTORCH_TENSOR_H
#define LEITMOTIF_LIBTORCH_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libtorch/libtorch.h"

struct tensor; /* opaque */

enum tensor_type { TENSOR_F32, TENSOR_F16, TENSOR_BF16, TENSOR_F64, TENSOR_I8, TENSOR_U8, TENSOR_I32, TENSOR_I64, TENSOR_BOOL };

struct scope { size_t start; };
void scope_open(struct scope *scope);
void scope_close(struct scope *scope);
struct tensor *scope_keep(struct scope *scope, struct tensor *tensor); /* survives scope_close(scope) in the one outside */
struct tensor *tensor_own(struct tensor *tensor);
void tensor_free(struct tensor *tensor); /* NULL is fine; only for owned tensors */

/* Shape literals: SHAPE(2, 3) expands to "2, (const int64_t[]){2, 3}". */
#define SHAPE(...) (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]){__VA_ARGS__}

/* making */
struct tensor *tensor_new(struct device device, enum tensor_type type, int rank, const int64_t *shape); /* uninitialised */
struct tensor *tensor_zeros(struct device device, enum tensor_type type, int rank, const int64_t *shape);
struct tensor *tensor_from(struct device device, enum tensor_type type, int rank, const int64_t *shape, const void *data); /* copies; data may be unaligned */
struct tensor *tensor_wrap(void *data, enum tensor_type type, int rank, const int64_t *shape); /* CPU; borrows, data must outlive it and be aligned */
struct tensor *tensor_pinned(struct device device, enum tensor_type type, int rank, const int64_t *shape); /* CPU, zeros; the device copies to and from it without a detour; plain memory where there is none to pin */
struct tensor *tensor_scalar(float value); /* rank 0, CPU; combines with tensors of any device */

/* looking */
int tensor_rank(const struct tensor *tensor);
int64_t tensor_size(const struct tensor *tensor, int dimension); /* negative counts from the end */
int64_t tensor_elements(const struct tensor *tensor);
enum tensor_type tensor_type_of(const struct tensor *tensor);
struct device tensor_device(const struct tensor *tensor);
void *tensor_data(struct tensor *tensor);                       /* CPU and contiguous only (assert) */
int tensor_read(struct tensor *tensor, void *data, size_t bytes); /* to host memory, contiguous, its own type; waits */

/* moving and shaping */
struct tensor *tensor_to(struct tensor *x, struct device device, enum tensor_type type); /* same tensor when nothing changes */
struct tensor *tensor_cast(struct tensor *x, enum tensor_type type);
struct tensor *tensor_view(struct tensor *x, int rank, const int64_t *shape);  /* view; one size may be -1; x contiguous */
struct tensor *tensor_bytes(struct tensor *x);                                 /* view: U8 [bytes]; x contiguous */
struct tensor *tensor_narrow(struct tensor *x, int dimension, int64_t start, int64_t length); /* view */
struct tensor *tensor_select(struct tensor *x, int dimension, int64_t index);  /* view, one dimension less */
struct tensor *tensor_transpose(struct tensor *x, int a, int b);               /* view */
struct tensor *tensor_contiguous(struct tensor *x);
struct tensor *tensor_cat(struct tensor *const *parts, int count, int dimension);
int tensor_copy(struct tensor *into, struct tensor *from);                     /* in place; casts and moves; broadcasts */
int tensor_send(struct tensor *into, struct tensor *from);                     /* the same from pinned memory without waiting: `from` stays as it is until device_wait */
struct tensor *tensor_index_copy(struct tensor *into, int dimension, struct tensor *index, struct tensor *from); /* in place: into[.., index[i], ..] = from[.., i, ..]; index I64 [n], all different; the same tensor */
struct tensor *tensor_pad(struct tensor *x, int64_t left, int64_t right, bool reflect); /* last dimension; zeros if not reflect */

/* arithmetic; broadcasting as usual; add and sub want floating-point types */
struct tensor *tensor_add(struct tensor *a, struct tensor *b);
struct tensor *tensor_sub(struct tensor *a, struct tensor *b);
struct tensor *tensor_mul(struct tensor *a, struct tensor *b);
struct tensor *tensor_relu(struct tensor *x);
struct tensor *tensor_gelu(struct tensor *x);                                  /* exact, erf */
struct tensor *tensor_elu(struct tensor *x);                                   /* alpha 1 */
struct tensor *tensor_sum(struct tensor *x, int dimension, bool keep);
struct tensor *tensor_argmax(struct tensor *x, int dimension);                 /* I64; first maximum */

struct tensor *tensor_less_equal(struct tensor *a, struct tensor *b);          /* BOOL */
struct tensor *tensor_where(struct tensor *condition, struct tensor *a, struct tensor *b); /* condition BOOL; all on one device, or rank 0 */

/* layers */
struct tensor *tensor_linear(struct tensor *x, struct tensor *weight, struct tensor *bias_or_null); /* x [.., in], weight [out, in] */
struct tensor *tensor_product(struct tensor *x, struct tensor *weight);        /* linear of one type, x [n, in] -> F32: on a GPU sums of float16 are not rounded to it */
struct tensor *tensor_embedding(struct tensor *weight, struct tensor *ids);    /* ids I64 [..] -> [.., width] */
struct tensor *tensor_layer_norm(struct tensor *x, struct tensor *weight, struct tensor *bias, double epsilon); /* last dimension */
struct tensor *tensor_rms_norm(struct tensor *x, struct tensor *weight, double epsilon);
/* q [.., Tq, w], k and v [.., Tk, w]; mask_or_null adds to the scores [.., Tq, Tk]; causal aligns to the TOP LEFT, so
 * only for Tq == Tk. scale 0: 1/sqrt(w). */
struct tensor *tensor_attention(struct tensor *q, struct tensor *k, struct tensor *v, struct tensor *mask_or_null, bool causal, double scale);
struct tensor *tensor_conv1d(struct tensor *x, struct tensor *weight, struct tensor *bias, int64_t stride, int64_t padding, int64_t dilation); /* x [B, in, T], weight [out, in, k] */
struct tensor *tensor_conv_transpose1d(struct tensor *x, struct tensor *weight, struct tensor *bias, int64_t stride, int64_t padding, int64_t output_padding); /* weight [in, out, k] */
/* Time-major LSTM: x [T, B, in], state h and c [layers, B, width] -> y [T, B, width], new h and c. params: per layer
 * w_ih, w_hh, b_ih, b_hh. */
int tensor_lstm(struct tensor *x, struct tensor *h, struct tensor *c, struct tensor *const *params, int layers,
                struct tensor **y, struct tensor **h_out, struct tensor **c_out);
/* For a GPU: lays these weights, which are owned, out in one piece, so that cuDNN need not do so at each call, and warn of it.
 * Where that cannot be had they stay as they are. */
void tensor_lstm_arrange(struct tensor *const *params, int layers);
struct tensor *tensor_power_spectrum(struct tensor *x); /* [.., n] -> [.., n / 2 + 1]: |discrete Fourier transform|^2 */
struct tensor *tensor_weight_norm(struct tensor *v, struct tensor *g, int dimension); /* g v / |v| over all but `dimension` */

#endif
