/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/failure.h"
#include "base/file.h"
#include "base/path.h"
#include "base/progress.h"
#include "base/text.h"
#include "leitmotif/store.h"

#define KEY "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
#define OTHER_KEY "ab00000123456789abcdef0123456789abcdef0123456789abcdef0123456789"

static char workspace[] = "/tmp/test-store-XXXXXX";

static int open_workspace(void **state)
{
    (void)state;
    strcpy(workspace, "/tmp/test-store-XXXXXX");
    return mkdtemp(workspace) ? 0 : -1;
}

static int close_workspace(void **state)
{
    (void)state;
    failure_clear();
    return folder_remove(workspace);
}

static void put(const char *folder, const char *name, const char *content)
{
    char *path = path_join(folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
    free(path);
}

static void make(struct store *store, const char *key, const char *content)
{
    char *temporary = store_begin(store, key);
    assert_non_null(temporary);
    put(temporary, "tokens.safetensors", content);
    put(temporary, ".tokens.safetensors.AAAAAA.part", "half");
    json_t *made_by = json_pack("{s:f}", "seconds", 1.5);
    assert_int_equal(store_commit(store, key, temporary, "{\"tool\":\"x\"}", made_by), 0);
    assert_false(folder_exists(temporary));
    json_decref(made_by);
    free(temporary);
}

static void open_locked(struct store *store)
{
    store_init(store, workspace);
    assert_int_equal(store_lock(store), 0);
}

static bool has(const struct store *store, const char *key)
{
    json_t *result = store_result(store, key);
    bool there = result != NULL;
    json_decref(result);
    assert_false(failed());
    return there;
}

static void what_is_committed_is_there(void **state)
{
    struct store store;
    (void)state;
    open_locked(&store);
    assert_false(has(&store, KEY));
    assert_null(store_recipe(&store, KEY));
    make(&store, KEY, "tokens");
    json_t *result = store_result(&store, KEY);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(result, "files"), "tokens.safetensors")), 6);
    assert_int_equal(json_object_size(json_object_get(result, "files")), 1);
    assert_true(json_real_value(json_object_get(json_object_get(result, "tool"), "seconds")) == 1.5);
    char *recipe = store_recipe(&store, KEY), *path = store_path(&store, KEY, ".tokens.safetensors.AAAAAA.part");
    assert_string_equal(recipe, "{\"tool\":\"x\"}");
    assert_false(file_exists(path));
    assert_false(has(&store, OTHER_KEY));
    free(path);
    free(recipe);
    json_decref(result);
    store_release(&store);
}

static void damaged_entries_are_missing(void **state)
{
    static const struct {
        const char *file, *content; /* NULL: removed */
    } damages[] = {{"tokens.safetensors", NULL}, {"tokens.safetensors", "tok"}, {"result.json", NULL}, {"result.json", ""},
                   {"result.json", "{\"files\":{"}, {"result.json", "[]"}, {"result.json", "{\"files\":{}}"}};
    struct store store;
    (void)state;
    open_locked(&store);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        make(&store, KEY, "tokens"); /* over the damaged one */
        assert_true(has(&store, KEY));
        char *path = store_path(&store, KEY, damages[i].file), *folder = path_folder(path);
        if (damages[i].content)
            put(folder, damages[i].file, damages[i].content);
        else
            assert_int_equal(unlink(path), 0);
        assert_false(has(&store, KEY));
        free(folder);
        free(path);
    }
    store_release(&store);
}

static void stale_temporaries_go(void **state)
{
    struct store store;
    (void)state;
    open_locked(&store);
    char *temporary = store_begin(&store, KEY), *running = format_string("%s", store.running);
    put(temporary, "half", "half");
    close(store.lock); /* as if killed */
    free(store.running);
    free(store.folder);
    open_locked(&store);
    assert_false(folder_exists(running));
    assert_false(has(&store, KEY));
    store_release(&store);
    char *all = path_join(workspace, "store/temporary");
    assert_false(folder_exists(all));
    free(all);
    free(running);
    free(temporary);
}

/* A second writer gets the lock only when the first has let it go. */
static void writers_wait(void **state)
{
    struct store store;
    char *mark = path_join(workspace, "mark");
    (void)state;
    open_locked(&store);
    pid_t child = fork();
    if (child == 0) {
        struct store second;
        close(store.lock); /* inherited: it would hold the lock that it waits for */
        progress_quiet();
        store_init(&second, workspace);
        _exit(store_lock(&second) == 0 && file_exists(mark) ? 0 : 1);
    }
    usleep(200000);
    assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
    put(workspace, "mark", "x");
    store_release(&store);
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    free(mark);
}

static void renders_are_remembered(void **state)
{
    struct store store;
    (void)state;
    open_locked(&store);
    assert_null(store_render(&store, "game"));
    json_t *record = json_pack("{s:{s:s}}", "takes", "a", "b");
    assert_int_equal(store_render_save(&store, "game", record), 0);
    json_t *read = store_render(&store, "game");
    assert_true(json_equal(record, read));
    json_decref(read);
    json_decref(record);
    store_release(&store);
}

static void refuses_what_cannot_be_written(void **state)
{
    struct store store;
    (void)state;
    put(workspace, "store", "a file");
    store_init(&store, workspace);
    assert_int_equal(store_lock(&store), -1);
    assert_non_null(strstr(failure_text(), "cannot make folder"));
    store_release(&store);
    store_release(&store);
}

int main(void)
{
#define IN_WORKSPACE(test) cmocka_unit_test_setup_teardown(test, open_workspace, close_workspace)
    const struct CMUnitTest tests[] = {
        IN_WORKSPACE(what_is_committed_is_there), IN_WORKSPACE(damaged_entries_are_missing), IN_WORKSPACE(stale_temporaries_go),
        IN_WORKSPACE(writers_wait),               IN_WORKSPACE(renders_are_remembered),      IN_WORKSPACE(refuses_what_cannot_be_written),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
