/* SPDX-License-Identifier: Apache-2.0 */
#include "base/flags.h"

#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"
#include "base/text.h"

enum { VALUE_HELP = 1 << 20, VALUE_VERSION, MOST_OPTIONS = 96 };

/* popt's table for all settings; each option's val is its number in `settings` plus one. */
struct options {
    struct poptOption table[MOST_OPTIONS];
    const struct setting *settings[MOST_OPTIONS];
    const char *names[MOST_OPTIONS];
    size_t count;
};

static void add_option(struct options *options, const struct setting *setting)
{
    size_t at = options->count++;
    options->settings[at] = setting;
    options->names[at] = setting->name;
    options->table[at] = (struct poptOption){
        .longName = setting->name,
        .shortName = setting->letter,
        .argInfo = setting->type == SETTING_FLAG ? POPT_ARG_NONE : POPT_ARG_STRING,
        .val = (int)at + 1,
        .descrip = setting->help,
        .argDescrip = setting->argument,
    };
}

static bool setting_is_job_key(const struct setting *setting)
{
    return setting->type == SETTING_CALL && !setting->call;
}

static void make_options(struct options *options, const struct setting *const *tables)
{
    static const struct poptOption always[] = {
        {"help", 'h', POPT_ARG_NONE, NULL, VALUE_HELP, "show this help and exit", NULL},
        {"version", 'V', POPT_ARG_NONE, NULL, VALUE_VERSION, "show the version and exit", NULL},
    };
    options->count = 0;
    for (; *tables; tables++)
        for (const struct setting *setting = *tables; setting->name; setting++)
            if (options->count + COUNT_OF(always) + 1 < MOST_OPTIONS && !setting_is_job_key(setting))
                add_option(options, setting);
    memcpy(options->table + options->count, always, sizeof always);
    for (size_t i = 0; i < COUNT_OF(always); i++)
        options->names[options->count + i] = always[i].longName;
    options->table[options->count + COUNT_OF(always)] = (struct poptOption)POPT_TABLEEND;
}

static void add_flag(struct flags *flags, const struct setting *setting, char *value)
{
    flags->items = grow(flags->items, flags->count, &flags->capacity, sizeof *flags->items);
    flags->items[flags->count++] = (struct flag){setting, value};
}

static int refuse(const struct options *options, const char *word, int error)
{
    char name[64];
    size_t length;
    if (error != POPT_ERROR_BADOPT)
        return misuse("'%s': %s; see --help", word, error == POPT_ERROR_NOARG ? "needs a value" : poptStrerror(error));
    length = strcspn(word + strspn(word, "-"), "=");
    snprintf(name, sizeof name, "%.*s", (int)(length < 60 ? length : 60), word + strspn(word, "-"));
    return misuse("unknown option '%s'%s; see --help", word, did_you_mean(name, options->names, options->count + 2));
}

static int read_options(struct flags *flags, const struct options *options, poptContext context)
{
    int value;
    while ((value = poptGetNextOpt(context)) > 0) {
        if (value == VALUE_HELP)
            flags->help = true;
        else if (value == VALUE_VERSION)
            flags->version = true;
        else
            add_flag(flags, options->settings[value - 1], poptGetOptArg(context));
    }
    if (value < -1)
        return refuse(options, poptBadOption(context, 0), value);
    for (const char *argument; (argument = poptGetArg(context));)
        string_list_add(&flags->arguments, argument);
    return 0;
}

int flags_read(struct flags *flags, const struct setting *const *tables, int argc, char **argv)
{
    struct options *options = allocate(1, sizeof *options);
    *flags = (struct flags){0};
    make_options(options, tables);
    poptContext context = poptGetContext(NULL, argc, (const char **)(uintptr_t)argv, options->table, 0);
    int result = read_options(flags, options, context);
    poptFreeContext(context);
    free(options);
    return result;
}

void flags_print_help(const struct flags_text *text, const struct setting *const *tables)
{
    struct options *options = allocate(1, sizeof *options);
    const char *arguments[] = {text->program, NULL};
    make_options(options, tables);
    poptContext context = poptGetContext(NULL, 1, arguments, options->table, 0);
    printf("%s - %s\n\n", text->program, text->purpose);
    poptSetOtherOptionHelp(context, text->usage);
    poptPrintHelp(context, stdout, 0);
    if (text->notes)
        printf("\n%s\n", text->notes);
    poptFreeContext(context);
    free(options);
}

int flags_apply(const struct flags *flags, const struct setting *table, enum setting_scope scope, void *target)
{
    for (size_t i = 0; i < flags->count; i++) {
        const struct flag *flag = &flags->items[i];
        if (flag->setting->scope == scope && setting_find(table, flag->setting->name) == flag->setting &&
            setting_set(flag->setting, target, flag->value))
            return -1;
    }
    return 0;
}

bool flags_have(const struct flags *flags, const char *name)
{
    for (size_t i = 0; i < flags->count; i++)
        if (strcmp(flags->items[i].setting->name, name) == 0)
            return true;
    return false;
}

void flags_release(struct flags *flags)
{
    for (size_t i = 0; i < flags->count; i++)
        free(flags->items[i].value);
    free(flags->items);
    string_list_release(&flags->arguments);
    *flags = (struct flags){0};
}
