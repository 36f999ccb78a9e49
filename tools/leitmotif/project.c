/* SPDX-License-Identifier: Apache-2.0 */
#include "leitmotif/project.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/path.h"
#include "leitmotif/project-schema.h"

#define DEFAULT_MODEL "small"
#define DEFAULT_TARGET_LUFS -14
#define DEFAULT_TRUE_PEAK_DBTP -1

static const struct track_settings built_in = {.duration = 10, .temperature = 1, .top_k = 250, .top_p = 0, .guidance = NAN, .seed = -1};

int64_t take_seed(int64_t project_seed, const char *track, int variation, int attempt)
{
    unsigned char digest[32];
    uint64_t seed = 0;
    struct text text = {0};
    text_appendf(&text, "%lld%c%s%c%d%c%d", (long long)project_seed, 0, track, 0, variation, 0, attempt);
    hash_raw(text.data, text.length, digest);
    for (int i = 0; i < 8; i++)
        seed = seed << 8 | digest[i];
    text_release(&text);
    return (int64_t)(seed >> 1); /* the first 63 bits, big-endian */
}

/* --- the readers of the top level ------------------------------------------------------------------------------ */

void read_version(struct reading *reading, const struct yaml_node *value, void *target)
{
    (void)target;
    if (value->kind != YAML_TEXT || !value->plain || strcmp(value->text, "1"))
        problem_add(&reading->problems, value->line, value->column,
                    "'leitmotif' is the version of the format; this program reads version 1");
}

void read_title(struct reading *reading, const struct yaml_node *value, void *target)
{
    struct project *project = target;
    const char *reason = strcmp(project->title, "store") ? name_refused(project->title) : "is the name of a folder of the workspace";
    if (reason)
        problem_add(&reading->problems, value->line, value->column, "title '%s' %s", project->title, reason);
}

void read_defaults(struct reading *reading, const struct yaml_node *value, void *target)
{
    (void)target;
    block_read(reading, &defaults_block, value, value, &reading->defaults);
}

void read_loudness(struct reading *reading, const struct yaml_node *value, void *target)
{
    struct project *project = target;
    project->loudness_on = true;
    block_read(reading, &loudness_block, value, value, project);
}

void read_over(struct reading *reading, const struct yaml_node *value, void *target)
{
    (void)target;
    if (value->kind == YAML_TEXT && !strcmp(value->text, "album"))
        problem_add(&reading->problems, value->line, value->column, "'over: album' is not supported yet, use 'track'");
    else if (value->kind != YAML_TEXT || strcmp(value->text, "track"))
        problem_add(&reading->problems, value->line, value->column, "'over' must be 'track'");
}

void read_verify(struct reading *reading, const struct yaml_node *value, void *target)
{
    struct project *project = target;
    block_read(reading, &verify_block, value, value, &project->verify);
}

/* --- the whole file ----------------------------------------------------------------------------------------------- */

/* A file without a title has its own name's, without the extension. */
static void default_title(struct reading *reading)
{
    struct project *project = reading->project;
    const char *name = path_name(project->path), *extension = path_extension(name);
    project->title = copy_bytes(name, strlen(name) - strlen(extension) - (*extension != 0));
    if (name_refused(project->title) || !strcmp(project->title, "store"))
        problem_add(&reading->problems, 1, 1, "the file's name '%s' cannot be the title; give one by 'title:'", project->title);
}

static void read_tree(struct reading *reading, const struct yaml_node *root)
{
    struct project *project = reading->project;
    size_t before = reading->problems.count;
    block_read(reading, &project_block, root, root, project);
    if (!project->title)
        default_title(reading);
    if (!project->release_count && reading->problems.count == before)
        outputs_default(reading);
    takes_check_names(reading);
    takes_link(reading);
}

static void set_defaults(struct project *project, const char *path)
{
    *project = (struct project){.path = copy_string(path), .folder = path_folder(path), .model = copy_string(DEFAULT_MODEL)};
    project->loudness_target = DEFAULT_TARGET_LUFS;
    project->true_peak = DEFAULT_TRUE_PEAK_DBTP;
    project->verify = (struct verify_settings){NAN, NAN, NAN};
}

int project_refuse(struct project *project, struct problems *problems)
{
    project->problem_count = problems->count;
    problems_tell(problems, project->path, &project->problems);
    if (!project->problem_count)
        return 0;
    return misuse("'%s': %zu problem%s", project->path, project->problem_count, project->problem_count == 1 ? "" : "s");
}

int project_read(struct project *project, const char *path)
{
    struct reading reading = {.project = project, .defaults = built_in};
    struct text content = {0};
    struct yaml_tree tree;
    set_defaults(project, path);
    if (file_read(path, YAML_MAX_BYTES, &content)) {
        text_release(&content);
        return -1;
    }
    yaml_tree_read(&tree, text_string(&content), content.length, &reading.problems);
    if (tree.root)
        read_tree(&reading, tree.root);
    int status = project_refuse(project, &reading.problems);
    problems_release(&reading.problems);
    yaml_tree_release(&tree);
    text_release(&content);
    return status;
}

void project_release(struct project *project)
{
    for (size_t i = 0; i < project->take_count; i++) {
        free(project->takes[i].name);
        free(project->takes[i].track);
        free(project->takes[i].prompt);
        free(project->takes[i].model);
        free(project->takes[i].melody);
        free(project->takes[i].melody_file);
        free(project->takes[i].continues);
        free(project->takes[i].earlier_file);
    }
    for (size_t i = 0; i < project->release_count; i++)
        free(project->releases[i].format);
    for (size_t i = 0; i < project->section_list_count; i++)
        section_list_release(&project->sections[i]);
    free(project->sections);
    free(project->takes);
    free(project->releases);
    free(project->path);
    free(project->folder);
    free(project->title);
    free(project->model);
    text_release(&project->problems);
    text_release(&project->warnings);
    *project = (struct project){0};
}
