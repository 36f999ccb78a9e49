/* SPDX-License-Identifier: Apache-2.0
 * What fetch-model decides without a network: origins, tokens, cache entries. The rest: tests/cli/fetch-model.sh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fetch-model/cache.h"
#include "fetch-model/environment.h"
#include "fetch-model/http.h"
#include "formats/hub.h"
#include "scratch.h"

static const char commit[] = "0123456789abcdef0123456789abcdef01234567";

static void an_origin_is_scheme_host_and_port(void **state)
{
    (void)state;
    assert_true(http_same_origin("https://huggingface.co/a", "https://huggingface.co"));
    assert_true(http_same_origin("https://HuggingFace.co:443/a?b", "https://huggingface.co/c"));
    assert_true(http_same_origin("http://127.0.0.1:80/", "http://127.0.0.1"));
    assert_false(http_same_origin("http://huggingface.co/a", "https://huggingface.co/a"));
    assert_false(http_same_origin("https://huggingface.co:8443/a", "https://huggingface.co/a"));
    assert_false(http_same_origin("https://huggingface.co.evil.example/", "https://huggingface.co/"));
    assert_false(http_same_origin("https://huggingface.co@evil.example/", "https://huggingface.co/"));
    assert_false(http_same_origin("https://cdn.huggingface.co/", "https://huggingface.co/"));
    assert_false(http_same_origin("http://localhost/", "http://127.0.0.1/"));
    assert_false(http_same_origin("file:///etc/passwd", "file:///etc/passwd"));
    assert_false(http_same_origin("", ""));
}

static void https_is_not_left_for_http(void **state)
{
    (void)state;
    assert_true(http_less_secure("http://cdn.example/x", "https://huggingface.co/x"));
    assert_true(http_less_secure("ftp://cdn.example/x", "https://huggingface.co/x"));
    assert_false(http_less_secure("https://cdn.example/x", "https://huggingface.co/x"));
    assert_false(http_less_secure("http://127.0.0.1:1/x", "http://127.0.0.1:2/x"));
}

static void an_endpoint_is_a_bare_url(void **state)
{
    static const char *const good[] = {"https://huggingface.co", "http://127.0.0.1:8080", "https://mirror.example/hub/"};
    static const char *const bad[] = {"", "huggingface.co", "ftp://x", "file:///x", "https://", "https://x/?q", "https://x/#f", "https://a:b@x/"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(http_is_url(good[i]));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(http_is_url(bad[i]));
    char *escaped = http_escape("refs/pr/1 ä");
    assert_string_equal(escaped, "refs%2Fpr%2F1%20%C3%A4");
    free(escaped);
}

static void forget_environment(void)
{
    static const char *const variables[] = {"HF_TOKEN", "HF_TOKEN_PATH", "HF_HOME", "XDG_CACHE_HOME", "HF_HUB_OFFLINE", "HF_HUB_CACHE",
                                            "HUGGINGFACE_HUB_CACHE", "AUDIOCRAFT_CACHE_DIR"};
    for (size_t i = 0; i < COUNT_OF(variables); i++)
        unsetenv(variables[i]);
    setenv("HOME", scratch, 1);
}

static void assert_token(const char *expected)
{
    char *token;
    assert_int_equal(environment_token(&token), 0);
    if (expected)
        assert_string_equal(token, expected);
    else
        assert_null(token);
    free(token);
}

static void a_token_is_found_as_the_hubs_client_does(void **state)
{
    char *token, *path;
    (void)state;
    forget_environment();
    assert_token(NULL);
    free(scratch_file(".cache/huggingface/token", "hf_usual\n", 9));
    assert_token("hf_usual");
    path = scratch_file("home/token", " hf_home \r\n", 11);
    *strrchr(path, '/') = 0;
    setenv("HF_HOME", path, 1);
    assert_token("hf_home");
    free(path);
    path = scratch_file("path", "hf_path", 7);
    setenv("HF_TOKEN_PATH", path, 1);
    assert_token("hf_path");
    setenv("HF_TOKEN", "hf_variable", 1);
    assert_token("hf_variable");
    setenv("HF_TOKEN", "hf\nX-Other: y", 1);
    assert_int_equal(environment_token(&token), -1);
    assert_refused("token", "a character that no token has");
    free(path);
    forget_environment();
}

static void offline_is_said_in_four_words(void **state)
{
    static const char *const yes[] = {"1", "ON", "yes", "True"}, *const no[] = {"", "0", "off", "no", "2"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        setenv("HF_HUB_OFFLINE", yes[i], 1);
        assert_true(environment_offline());
    }
    for (size_t i = 0; i < COUNT_OF(no); i++) {
        setenv("HF_HUB_OFFLINE", no[i], 1);
        assert_false(environment_offline());
    }
    forget_environment();
}

static void the_first_root_is_written(void **state)
{
    (void)state;
    forget_environment();
    char *cache = scratch_path("first"), *home = scratch_path("home"), *root, *expected;
    setenv("HF_HOME", home, 1);
    expected = path_join(home, "hub");
    root = cache_root(NULL);
    assert_string_equal(root, expected);
    free(root);
    setenv("HUGGINGFACE_HUB_CACHE", cache, 1);
    root = cache_root(NULL);
    assert_string_equal(root, cache);
    free(root);
    root = cache_root(home);
    assert_string_equal(root, home);
    free(root);
    free(expected);
    free(cache);
    free(home);
    forget_environment();
}

static void entries_are_the_hubs(void **state)
{
    (void)state;
    char target[64] = "", *folder = scratch_path("models--a--b"), *link = path_join(folder, "snapshots"), *found;
    char *path = format_string("%s/%s/config.json", link, commit);
    for (int i = 0; i < 2; i++) /* a link to another blob is replaced */
        assert_int_equal(cache_link(folder, commit, "config.json", i ? "newer" : "older"), 0);
    assert_true(readlink(path, target, sizeof target - 1) > 0);
    assert_string_equal(target, "../../blobs/newer");
    assert_int_equal(cache_mark_absent(folder, commit, "x.bin"), 0);
    assert_int_equal(cache_mark_absent(folder, commit, "x.bin"), 0);
    free(scratch_file("models--a--b/refs/main", "../x", 4));
    assert_int_equal(cache_refer(folder, "main", commit), 0);
    assert_int_equal(cache_refer(folder, "refs/pr/1", commit), 0);
    found = hub_commit(folder, "refs/pr/1");
    assert_string_equal(found, commit);
    free(found);
    found = hub_commit(folder, "main");
    assert_string_equal(found, commit);
    free(found);
    free(path);
    free(link);
    free(folder);
}

/* A client that removes the file of the lock it held must not leave two holders. */
static void a_lock_on_a_removed_file_is_none(void **state)
{
    int status;
    (void)state;
    char *path = scratch_path(".locks/models--a--b/etag.lock");
    int first = cache_lock(scratch, "models--a--b", "etag");
    assert_true(first >= 0);
    pid_t child = fork();
    if (child == 0) {
        close(first); /* the lock is the parent's */
        alarm(20);
        int second = cache_lock(scratch, "models--a--b", "etag"); /* waits, then finds its file gone and takes a new one */
        int third = open(path, O_RDWR);
        _exit(second >= 0 && third >= 0 && flock(third, LOCK_EX | LOCK_NB) != 0 ? 0 : 1);
    }
    usleep(200000);
    assert_int_equal(waitpid(child, &status, WNOHANG), 0);
    unlink(path);
    close(first);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    free(path);
}

static void weights_have_licences(void **state)
{
    (void)state;
    assert_string_equal(hub_licence("facebook/musicgen-stereo-large"), "CC-BY-NC-4.0");
    assert_string_equal(hub_licence("facebook/audiogen-medium"), "CC-BY-NC-4.0");
    assert_string_equal(hub_licence("t5-base"), "Apache-2.0");
    assert_string_equal(hub_licence("google-t5/t5-large"), "Apache-2.0");
    assert_string_equal(hub_licence("somebody/musicgen-small"), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_origin_is_scheme_host_and_port),
        cmocka_unit_test(https_is_not_left_for_http),
        cmocka_unit_test(an_endpoint_is_a_bare_url),
        cmocka_unit_test(a_token_is_found_as_the_hubs_client_does),
        cmocka_unit_test(offline_is_said_in_four_words),
        cmocka_unit_test(the_first_root_is_written),
        cmocka_unit_test(entries_are_the_hubs),
        cmocka_unit_test(a_lock_on_a_removed_file_is_none),
        cmocka_unit_test(weights_have_licences),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_remove);
}
