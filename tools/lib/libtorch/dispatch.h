/* SPDX-License-Identifier: Apache-2.0
 * dispatch - calling an operation of libtorch by name with typed arguments.
 *
 * libtorch checks nothing here: a wrong slot is a crash. So every call stands in a typed wrapper of this folder, with
 * the arguments of the operation's schema in order, none left out, and self-test.c runs each wrapper at start-up.
 */
#ifndef LEITMOTIF_LIBTORCH_DISPATCH_H
#define LEITMOTIF_LIBTORCH_DISPATCH_H

#include "libtorch/prototypes.h"
#include "libtorch/tensor.h"

enum { MAX_RANK = 8 };

enum argument_kind { ARGUMENT_END, ARGUMENT_NONE, ARGUMENT_VALUE, ARGUMENT_TENSOR, ARGUMENT_INTEGERS, ARGUMENT_TENSORS, ARGUMENT_STRING };

struct argument {
    enum argument_kind kind;
    bool optional;           /* the schema says T?, and this is some T */
    stack_value value;       /* ARGUMENT_VALUE */
    const void *pointer;     /* a struct tensor, int64_t[count], struct tensor *[count], or a string */
    int count;
};

struct argument of_tensor(struct tensor *tensor);            /* Tensor: the caller keeps its own reference */
struct argument maybe_tensor(struct tensor *tensor_or_null); /* Tensor? */
struct argument of_tensors(struct tensor *const *tensors, int count);
struct argument of_integer(int64_t value);                   /* int, SymInt, ScalarType, MemoryFormat */
struct argument of_number(double value);                     /* float */
struct argument of_flag(bool value);
struct argument of_device(struct device device);
struct argument of_integers(const int64_t *values, int count);
struct argument of_string(const char *string);
struct argument none(void);                                  /* None, whatever the type */
struct argument some(struct argument argument);              /* T? given */

/* Calls name.overload with arguments up to ARGUMENT_END; count results land in results, in the innermost scope.
 * Does nothing after a failure. 0, or -1 with libtorch's text recorded. */
int dispatch(const char *name, const char *overload, const struct argument *arguments, struct tensor **results, int count);

#define ARGUMENTS(...) (const struct argument[]){__VA_ARGS__, {.kind = ARGUMENT_END}}

/* The usual case: one result, or NULL. */
struct tensor *operation(const char *name, const char *overload, const struct argument *arguments);

/* Puts the new handle *tensor into the innermost scope and returns it; or, when status says so, records what went wrong.
 * By address, so that adopt(torch.shim(..., &tensor), &tensor, ...) reads it after the shim has set it. */
struct tensor *adopt(int32_t status, struct tensor **tensor, const char *what);

/* Records a failing shim's text: "libtorch cannot WHAT: ...". Always returns -1. */
int libtorch_failure(const char *what);

/* Nothing has failed so far in this thread; and grad mode is off in it from here on. */
bool libtorch_ready(void);

int32_t type_code(enum tensor_type type);
int32_t device_code(struct device device);
int32_t device_slot(struct device device); /* the index as libtorch's constructors want it: -1 for the CPU */

#endif
