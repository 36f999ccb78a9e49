/* SPDX-License-Identifier: Apache-2.0
 * flags - a command line read by popt from tables of settings.
 */
#ifndef LEITMOTIF_BASE_FLAGS_H
#define LEITMOTIF_BASE_FLAGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/settings.h"

struct flag {
    const struct setting *setting;
    char *value; /* NULL for SETTING_FLAG */
};

/* A command line as read: every flag in the order given, and the arguments without a name. */
struct flags {
    struct flag *items;
    size_t count, capacity;
    struct string_list arguments;
    bool help, version;
};

struct flags_text {
    const char *program, *usage, *purpose, *notes; /* for --help; notes may be NULL */
};

/* Reads argv[1...]. `tables` are looked at in order and end with NULL; --help and --version are always known.
 * Unknown flags and missing values are misuse, with a suggestion. */
int flags_read(struct flags *flags, const struct setting *const *tables, int argc, char **argv);

void flags_print_help(const struct flags_text *text, const struct setting *const *tables); /* to stdout */

/* Applies the flags of one scope of one table, in order, to target. */
int flags_apply(const struct flags *flags, const struct setting *table, enum setting_scope scope, void *target);

bool flags_have(const struct flags *flags, const char *name);
void flags_release(struct flags *flags);

#endif
