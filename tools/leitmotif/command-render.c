/* SPDX-License-Identifier: Apache-2.0
 * leitmotif render FILE [TRACK...]: makes what is missing, publishes it to WORKSPACE/TITLE/, writes the report. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/progress.h"
#include "leitmotif/command.h"
#include "leitmotif/publish.h"
#include "leitmotif/render.h"

static const struct setting settings[] = {
    {RENDER_SETTING(model, SETTING_STRING), .argument = "MODEL", .help = "for every track, whatever the file says"},
    {RENDER_SETTING(force, SETTING_FLAG), .help = "make what was asked for again, though it is stored"},
    {.name = "fail-fast", .type = SETTING_FLAG, .offset = offsetof(struct render_options, fail_fast), .help = "stop everything at the first failure"},
    RENDER_SETTINGS,
    {0},
};

struct target {
    struct render *render;
    char *folder; /* WORKSPACE/TITLE */
};

static int publish(void *context, const struct plan_take *take, struct take_report *report)
{
    const struct target *target = context;
    int result = 0;
    for (size_t i = 0; i < take->files.count && result == 0; i++) {
        const char *name = take->files.items[i];
        char *stored = store_path(&target->render->store, take->release->key, name), *place = path_join(target->folder, name);
        result = publish_file(stored, place);
        free(stored);
        free(place);
    }
    for (size_t i = 0; i < take->files.count && result == 0; i++)
        string_list_add(&report->files, take->files.items[i]);
    if (result == 0 && take->wanted)
        publish_print(take, report);
    return result;
}

static bool is_unmade(const struct take_report *report)
{
    return report->status == TAKE_NOT_MADE || report->status == TAKE_FAILED;
}

/* A take that was not made, because nobody asked for it or because it failed, keeps the files that it has. */
static void list_earlier(const struct target *target, const json_t *earlier, const struct plan_take *take, struct take_report *report)
{
    struct string_list *files = report->status == TAKE_FAILED ? &report->earlier_files : &report->files;
    for (size_t i = 0; i < take->files.count && is_unmade(report); i++) {
        char *place = path_join(target->folder, take->files.items[i]);
        if (json_object_get(earlier, take->files.items[i]) && file_exists(place))
            string_list_add(files, take->files.items[i]);
        free(place);
    }
}

static json_t *names_of(const struct string_list *files)
{
    json_t *names = json_object();
    for (size_t i = 0; i < files->count; i++)
        json_object_set_new(names, files->items[i], json_true());
    return names;
}

static void keep_earlier(const struct target *target)
{
    struct string_list files = {0};
    report_files(target->folder, &files);
    json_t *earlier = names_of(&files);
    for (size_t t = 0; t < target->render->plan.take_count; t++)
        list_earlier(target, earlier, &target->render->plan.takes[t], &target->render->takes[t]);
    json_decref(earlier);
    string_list_release(&files);
}

static void remove_leftovers(const char *folder, const json_t *kept)
{
    struct string_list leftovers = {0};
    publish_leftovers(folder, kept, &leftovers);
    for (size_t i = 0; i < leftovers.count; i++) {
        char *place = path_join(folder, leftovers.items[i]);
        if (unlink(place) == 0)
            note("removed '%s'", place);
        free(place);
    }
    string_list_release(&leftovers);
}

static bool is_partial(const struct render *render)
{
    for (size_t t = 0; t < render->plan.take_count; t++)
        if (render->takes[t].status == TAKE_NOT_MADE)
            return true;
    return false;
}

static void keep_names(json_t *kept, const struct string_list *files)
{
    json_t *names = names_of(files);
    json_object_update(kept, names);
    json_decref(names);
}

/* The folder holds what the report will list, and foreign files. */
static void tidy(const struct target *target)
{
    const struct render *render = target->render;
    json_t *kept = json_object();
    if (is_partial(render) || render->failed_count)
        keep_earlier(target);
    for (size_t t = 0; t < render->plan.take_count; t++) {
        keep_names(kept, &render->takes[t].files);
        keep_names(kept, &render->takes[t].earlier_files);
    }
    remove_leftovers(target->folder, kept);
    json_decref(kept);
}

/* What `leitmotif plan` compares with: for a take that was not asked for, what it was when it was made. */
static int save_keys(const struct render *render)
{
    json_t *takes = json_object(), *earlier = is_partial(render) ? store_render(&render->store, render->project->title) : NULL;
    for (size_t i = 0; i < render->plan.take_count; i++) {
        const struct take_report *report = &render->takes[i];
        json_t *before = json_object_get(json_object_get(earlier, "takes"), report->take->name);
        json_object_set(takes, report->take->name, report->status == TAKE_NOT_MADE ? before : report->keys);
    }
    json_t *record = json_pack("{s:o}", "takes", takes);
    int result = store_render_save(&render->store, render->project->title, record);
    json_decref(record);
    json_decref(earlier);
    return result;
}

static int write_report(const struct target *target)
{
    struct render *render = target->render;
    const struct report report = {
        .project = render->project,
        .folder = target->folder,
        .takes = render->takes,
        .take_count = render->plan.take_count,
    };
    render_describe(render);
    tidy(target);
    if (report_write(&report) || save_keys(render))
        return -1;
    note("page: %s/index.html", target->folder);
    return 0;
}

static int make(struct target *target, const struct render_options *options, struct project *project, const struct string_list *tracks)
{
    struct render *render = target->render;
    target->folder = path_join(render_workspace(options), project->title);
    render->publish = publish;
    render->context = target;
    if (render_open(render, options, project, tracks) || folder_make(target->folder))
        return -1;
    render_run(render);
    if (write_report(target))
        return -1;
    if (render->failed_count)
        return fail("%zu of %zu results failed; '%s/report.json' says why", render->failed_count, render->asked_count, target->folder);
    return EXIT_DONE;
}

static int render_file(const struct render_options *options, struct project *project, const struct string_list *tracks)
{
    struct render render = {0};
    struct target target = {.render = &render};
    int status = make(&target, options, project, tracks);
    render_release(&render);
    free(target.folder);
    return status;
}

static int render_command_run(const void *options, const struct string_list *arguments)
{
    struct project project;
    if (arguments->count == 0)
        return misuse("render takes a FILE; see 'leitmotif render --help'");
    const struct string_list tracks = {.items = arguments->items + 1, .count = arguments->count - 1};
    int status = render_read(options, arguments->items[0], &project);
    if (status == 0)
        status = render_file(options, &project, &tracks);
    project_release(&project);
    return status;
}

const struct command render_command = {
    .name = "render",
    .text = {
        .program = "leitmotif render",
        .usage = "[OPTION...] FILE [TRACK...]",
        .purpose = "makes what is missing of a project, and its report and page",
        .notes = "Exit status 0 only if every requested result is there and passed its checks.",
    },
    .settings = settings,
    .options_size = sizeof(struct render_options),
    .run = render_command_run,
};
