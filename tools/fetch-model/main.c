/* SPDX-License-Identifier: Apache-2.0
 * fetch-model - brings published models into a cache in the hub's layout. The only program that uses the network.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/tool.h"
#include "fetch-model/cache.h"
#include "fetch-model/choice.h"
#include "fetch-model/download.h"
#include "fetch-model/environment.h"

struct process {
    char *cache_dir, *endpoint;
    bool offline;
};

struct job {
    char *model, *revision;
};

static const struct setting SETTINGS[] = {
    {.name = "model", .type = SETTING_STRING, .scope = SCOPE_JOB, .offset = offsetof(struct job, model), .argument = "NAME",
     .help = "short name (small, medium, large, melody, stereo-small, ...) or hub id; also given without --model"},
    {.name = "revision", .type = SETTING_STRING, .scope = SCOPE_JOB, .offset = offsetof(struct job, revision), .argument = "NAME",
     .help = "branch, tag or commit of the model's repository (default: main)"},
    {.name = "cache-dir", .type = SETTING_STRING, .scope = SCOPE_PROCESS, .offset = offsetof(struct process, cache_dir),
     .argument = "FOLDER", .help = "cache to write (default: $HF_HUB_CACHE, $HF_HOME/hub, ~/.cache/huggingface/hub)"},
    {.name = "endpoint", .type = SETTING_STRING, .scope = SCOPE_PROCESS, .offset = offsetof(struct process, endpoint),
     .argument = "URL", .help = "the hub (default: $HF_ENDPOINT, https://huggingface.co)"},
    {.name = "offline", .type = SETTING_FLAG, .scope = SCOPE_PROCESS, .offset = offsetof(struct process, offline),
     .help = "no network: only say whether the model is there (also HF_HUB_OFFLINE=1)"},
    {0},
};

/* before anything runs */

/* The hub id of a request; NULL when it is none. */
static const char *id_of(const char *request)
{
    const char *id = hub_id_of_name(request);
    if (id)
        return id;
    return hub_is_id(request) || (has_prefix(request, "t5-") && hub_is_plain_name(request, strlen(request))) ? request : NULL;
}

/* A revision becomes part of a path below refs/. */
static bool is_revision(const char *revision)
{
    for (const char *at = revision; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("._-/+@", *at))
            return false;
    return revision[0] && revision[0] != '/' && revision[0] != '.' && !has_suffix(revision, "/") && !has_suffix(revision, ".lock") &&
           !strstr(revision, "..") && !strstr(revision, "//") && !strstr(revision, "/.");
}

static int check(const void *process, void *job)
{
    const char *model = ((struct job *)job)->model, *revision = ((struct job *)job)->revision;
    (void)process;
    if (!model || !model[0])
        return misuse("a model is missing: give a short name such as 'small', or a hub id; see --help");
    if (strcmp(model, "demo") == 0)
        return misuse("model 'demo' comes with the project's files; there is nothing to fetch");
    if (strcmp(model, "facebook/musicgen-style") == 0)
        return misuse("model '%s' cannot be used: it takes a style from audio by a network (MERT) that no program here runs", model);
    if (!id_of(model))
        return misuse("'%s' is no model's name%s; give a short name such as 'small', or a hub id such as "
                      "'facebook/musicgen-small'", model, hub_name_suggestion(model));
    if (revision && !is_revision(revision))
        return misuse("'%s' is no revision: give a branch, a tag or a commit", revision);
    return 0;
}

/* what is told */

static char *size_text(int64_t bytes)
{
    return bytes >= 1000000000 ? format_string("%.2f GB", (double)bytes / 1e9)
           : bytes >= 1000000  ? format_string("%.1f MB", (double)bytes / 1e6)
                               : format_string("%.1f kB", (double)bytes / 1e3);
}

static const char *licence_note(const char *id)
{
    const char *licence = hub_licence(id);
    if (strcmp(licence, "CC-BY-NC-4.0") == 0)
        return "CC-BY-NC 4.0: not for commercial use";
    return strcmp(licence, "unknown") == 0 ? "licence unknown here: see its page" : licence;
}

static void announce(const struct choice *choice, const struct place *place)
{
    int64_t all = choice_bytes(choice), to_come = choice_bytes_to_come(choice);
    char *amount = size_text(to_come), *there = size_text(all - to_come);
    note("fetching '%s': %s to download%s%s%s, from '%s' into '%s'", choice->repositories[0]->id, amount,
         to_come < all ? " (" : "", to_come < all ? there : "", to_come < all ? " are there)" : "", place->remote->endpoint, place->root);
    for (size_t i = 0; i < MOST_REPOSITORIES; i++)
        for (size_t j = 0; choice->repositories[i] && j < choice->count; j++)
            if (choice->files[j]->repository == choice->repositories[i]) {
                note("weights of '%s': %s", choice->repositories[i]->id, licence_note(choice->repositories[i]->id));
                break;
            }
    free(amount);
    free(there);
}

static int check_space(const struct choice *choice, const char *root)
{
    int64_t available, needed = choice_bytes_to_come(choice);
    if (cache_free_bytes(root, &available))
        return -1;
    if (needed <= available)
        return 0;
    char *needed_text = size_text(needed), *available_text = size_text(available);
    fail("'%s' needs %s and '%s' has %s free; make room, or give another --cache-dir", choice->repositories[0]->id, needed_text, root,
         available_text);
    free(needed_text);
    free(available_text);
    return -1;
}

/* fetching */

static int fetch_files(const struct choice *choice)
{
    struct tally tally;
    tally_start(&tally, choice->files, choice->count);
    for (size_t i = 0; i < choice->count; i++) {
        struct file *file = choice->files[i];
        if (!file->whole && download(file, &tally))
            return -1;
        if (cache_link(file->repository->folder, file->repository->commit, file->name, file->etag))
            return -1;
    }
    return 0;
}

/* The references last, the model's own as the very last: they are what makes a model be found. */
static int refer(const struct choice *choice)
{
    for (int i = MOST_REPOSITORIES - 1; i >= 0; i--) {
        const struct repository *repository = choice->repositories[i];
        if (repository && repository->commit[0] && strcmp(repository->commit, repository->revision) != 0 &&
            cache_refer(repository->folder, repository->revision, repository->commit))
            return -1;
    }
    return 0;
}

static int fetch_missing(const struct choice *choice, const struct place *place)
{
    if (choice_bytes_to_come(choice) > 0) {
        announce(choice, place);
        if (check_space(choice, place->root))
            return -1;
    }
    if (fetch_files(choice))
        return -1;
    progress_end();
    return refer(choice);
}

static json_t *fetch(const struct place *place, const struct job *job)
{
    struct choice choice;
    json_t *result = json_pack("{s:s}", "model", job->model);
    if (choice_make(&choice, place, id_of(job->model), job->revision ? job->revision : "main") == 0) {
        int64_t downloaded = choice_bytes_to_come(&choice);
        if (!place->remote || fetch_missing(&choice, place) == 0) {
            char *folder = repository_snapshot(choice.repositories[0]);
            json_object_set_new(result, "folder", json_string(folder));
            json_object_set_new(result, "bytes", json_integer(downloaded));
            note("'%s' is in '%s'", job->model, folder);
            free(folder);
        }
    }
    choice_release(&choice);
    return result;
}

/* the program */

static int fetch_all(struct tool_run *run, const struct place *place)
{
    for (size_t i = 0; i < run->count; i++)
        if (tool_job_begin(run, i)) {
            const struct job *job = tool_job(run, i);
            progress_job(i + 1, run->count, job->model);
            tool_job_end(run, i, fetch(place, job));
        }
    return 0;
}

static int work(struct tool_run *run)
{
    const struct process *process = run->process;
    const char *endpoint = process->endpoint ? process->endpoint : environment_endpoint();
    struct remote remote = {0};
    struct place place = {0};
    int result = 0;
    if (!http_is_url(endpoint))
        return misuse("'%s' is no endpoint: give a URL such as 'https://huggingface.co'", endpoint);
    if (!process->offline && !environment_offline()) {
        result = remote_open(&remote, endpoint);
        place.remote = &remote;
    }
    if (result == 0)
        place.root = cache_root(process->cache_dir);
    result = place.root ? fetch_all(run, &place) : -1;
    remote_close(&remote);
    free(place.root);
    return result;
}

int main(int argc, char **argv)
{
    static const struct tool tool = {
        .name = "fetch-model",
        .purpose = "brings published models into a cache on this machine",
        .usage = "MODEL... [--cache-dir FOLDER] [--endpoint URL] [--revision NAME] [--offline]",
        .notes = "Takes the smallest set of files that makes the model run, checks each by its hash, and goes on where an earlier fetch\n"
                 "was broken off. HF_TOKEN is sent to the endpoint only. The published MusicGen and AudioGen weights are CC-BY-NC 4.0:\n"
                 "not for commercial use.",
        .settings = SETTINGS,
        .job_size = sizeof(struct job),
        .process_size = sizeof(struct process),
        .check = check,
        .work = work,
        .positional = "model",
    };
    return tool_main(&tool, argc, argv);
}
