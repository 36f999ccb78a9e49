/* SPDX-License-Identifier: Apache-2.0
 * verify's verdicts on files, on both sides of every limit of docs/verify.md.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/failure.h"
#include "base/file.h"
#include "base/memory.h"
#include "formats/stage.h"
#include "formats/wav.h"
#include "verify/checks.h"

enum { RATE_HZ = 8000, SECONDS = 6, FRAMES = RATE_HZ * SECONDS };

static char folder[] = "/tmp/test-verify.XXXXXX";
static struct expectations expectations;
static float samples[FRAMES];

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return folder_remove(folder);
}

static float tone(int64_t i)
{
    return 0.3f * sinf(0.35f * (float)i) + 0.1f * sinf(0.0137f * (float)i);
}

static int set_up(void **state)
{
    (void)state;
    memset(&expectations, 0, sizeof expectations);
    expectations_defaults(NULL, &expectations);
    expectations.input = path_join(folder, "file");
    for (int64_t i = 0; i < FRAMES; i++)
        samples[i] = tone(i);
    failure_clear();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(expectations.input);
    return 0;
}

/* --- the verdict on one check --- */

static char verdict[16];

/* The status of `check` in the findings, or "" when there is no such finding; the file as a whole must agree. */
static const char *status_of(const char *check)
{
    struct findings findings = {0};
    const char *kind;
    size_t index, failed_count = 0;
    json_t *finding;
    verdict[0] = 0;
    assert_int_equal(check_file(&expectations, &findings, &kind), 0);
    json_array_foreach(findings.list, index, finding) {
        const char *status = json_string_value(json_object_get(finding, "status"));
        failed_count += strcmp(status, "failed") == 0;
        if (strcmp(json_string_value(json_object_get(finding, "check")), check) == 0)
            snprintf(verdict, sizeof verdict, "%s", status);
    }
    assert_int_equal(findings.failed_count, failed_count);
    findings_release(&findings);
    return verdict;
}

static void write_wav(int64_t frames)
{
    struct wav_writer writer = {0};
    assert_int_equal(wav_create(&writer, expectations.input, RATE_HZ, 1), 0);
    assert_int_equal(wav_append(&writer, samples, (uint64_t)frames), 0);
    assert_int_equal(wav_commit(&writer), 0);
}

/* The same, of all samples written as a WAV file. */
static const char *heard(const char *check)
{
    write_wav(FRAMES);
    return status_of(check);
}

static void fill(double from_s, double to_s, float value)
{
    for (int64_t i = llround(from_s * RATE_HZ); i < llround(to_s * RATE_HZ); i++)
        samples[i] = value;
}

/* --- audio --- */

static void good_audio_has_no_findings(void **state)
{
    static const char *const asked[] = {"decode", "finite", "silence", "collapse", "clipping", "dc", "stuck"};
    static const char *const not_asked[] = {"duration", "rate", "channels", "codec", "bitrate", "loudness", "true-peak"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(asked); i++)
        assert_string_equal(heard(asked[i]), "ok");
    for (size_t i = 0; i < COUNT_OF(not_asked); i++)
        assert_string_equal(heard(not_asked[i]), "skipped");
}

static void duration(void **state)
{
    (void)state;
    expectations.duration = 6.099;
    assert_string_equal(heard("duration"), "ok");
    expectations.duration = 6.101;
    assert_string_equal(heard("duration"), "failed");
    expectations.duration = 5.899;
    assert_string_equal(heard("duration"), "failed");
    expectations.duration_tolerance = 0.2;
    assert_string_equal(heard("duration"), "ok");
}

static void header(void **state)
{
    (void)state;
    expectations.rate_hz = RATE_HZ;
    expectations.channels = 1;
    expectations.bit_rate = 256000;
    expectations.codec = copy_string("pcm_f32le");
    assert_string_equal(heard("rate"), "ok");
    assert_string_equal(heard("channels"), "ok");
    assert_string_equal(heard("bitrate"), "ok");
    assert_string_equal(heard("codec"), "ok");
    expectations.rate_hz++;
    expectations.channels = 2;
    expectations.bit_rate = 240000;
    free(expectations.codec);
    expectations.codec = copy_string("wav");
    assert_string_equal(heard("rate"), "failed");
    assert_string_equal(heard("channels"), "failed");
    assert_string_equal(heard("bitrate"), "failed");
    assert_string_equal(heard("codec"), "ok");
    free(expectations.codec);
    expectations.codec = copy_string("flac");
    assert_string_equal(heard("codec"), "failed");
    free(expectations.codec);
}

static void silence_in_the_middle(void **state)
{
    (void)state;
    fill(2, 3.99, 0);
    assert_string_equal(heard("silence"), "ok");
    fill(2, 4.01, 0);
    assert_string_equal(heard("silence"), "failed");
    assert_string_equal(heard("collapse"), "ok");
    expectations.max_silence = 3;
    assert_string_equal(heard("silence"), "ok");
    expectations.max_silence = 0.5;
    assert_string_equal(heard("silence"), "failed");
}

static void collapse_to_silence(void **state)
{
    (void)state;
    fill(4.01, 6, 0);
    assert_string_equal(heard("collapse"), "ok");
    fill(3.99, 6, 0.0005f);
    assert_string_equal(heard("collapse"), "failed");
    assert_string_equal(heard("silence"), "ok");
}

static void silence_throughout(void **state)
{
    (void)state;
    fill(0, 6, 0);
    expectations.max_silence = 100;
    assert_string_equal(heard("silence"), "failed");
    write_wav(RATE_HZ / 10); /* shorter than any limit */
    assert_string_equal(status_of("silence"), "failed");
}

static void clipping(void **state)
{
    (void)state;
    samples[100] = samples[101] = 1.2f;
    assert_string_equal(heard("clipping"), "ok");
    samples[102] = 1.0f;
    assert_string_equal(heard("clipping"), "failed");
}

static void dc(void **state)
{
    (void)state;
    for (int64_t i = 0; i < FRAMES; i++)
        samples[i] = tone(i) + 0.095f;
    assert_string_equal(heard("dc"), "ok");
    for (int64_t i = 0; i < FRAMES; i++)
        samples[i] = tone(i) - 0.105f;
    assert_string_equal(heard("dc"), "failed");
    write_wav(RATE_HZ / 2 - 1);
    assert_string_equal(status_of("dc"), "skipped");
}

static void stuck_sample(void **state)
{
    (void)state;
    fill(1, 1.49, 0.2f);
    assert_string_equal(heard("stuck"), "ok");
    fill(1, 1.51, 0.2f);
    assert_string_equal(heard("stuck"), "failed");
}

static void finite_samples(void **state)
{
    (void)state;
    samples[77] = NAN;
    expectations.max_true_peak = 0;
    assert_string_equal(heard("finite"), "failed");
    assert_string_equal(heard("true-peak"), "ok");
}

/* A full-scale sine of 997 Hz in one channel is -3.01 LUFS: amplitude 0.5 is -9.03. */
static void loudness(void **state)
{
    (void)state;
    for (int64_t i = 0; i < FRAMES; i++)
        samples[i] = 0.5f * sinf((float)(2 * 3.14159265358979 * 997 * (double)i / RATE_HZ));
    expectations.loudness = -9.5;
    assert_string_equal(heard("loudness"), "ok");
    expectations.loudness = -9.6;
    assert_string_equal(heard("loudness"), "failed");
    expectations.loudness_tolerance = 1;
    assert_string_equal(heard("loudness"), "ok");
    write_wav(RATE_HZ / 3); /* below one gating block */
    assert_string_equal(status_of("loudness"), "skipped");
    fill(0, 6, 0);
    assert_string_equal(heard("loudness"), "failed");
}

static void true_peak(void **state)
{
    (void)state;
    for (int64_t i = 0; i < FRAMES; i++) /* fs/4 at 45 degrees: samples at 0.707 of the peak between them, 0.5 */
        samples[i] = 0.35355f * (i % 4 < 2 ? 1.0f : -1.0f);
    expectations.max_true_peak = -8;
    assert_string_equal(heard("true-peak"), "failed"); /* its samples stay below -9 dBFS */
    expectations.max_true_peak = -5;
    assert_string_equal(heard("true-peak"), "ok");
}

static void what_is_no_audio(void **state)
{
    (void)state;
    assert_int_equal(file_write(expectations.input, "once upon a time\n", 17), 0);
    assert_string_equal(status_of("decode"), "failed");
    assert_int_equal(file_write(expectations.input, "", 0), 0);
    assert_string_equal(status_of("decode"), "failed");
    write_wav(0);
    assert_string_equal(status_of("decode"), "failed");
    assert_false(failed());
}

static void what_cannot_be_opened(void **state)
{
    struct findings findings = {0};
    const char *kind;
    (void)state;
    free(expectations.input);
    expectations.input = path_join(folder, "missing");
    assert_int_equal(check_file(&expectations, &findings, &kind), -1);
    assert_int_equal(failure_status(), EXIT_FAILED);
    assert_null(findings.list);
}

/* --- tokens --- */

enum { CODEBOOKS = 4, TOKEN_FRAMES = 500 };
static int32_t codes[CODEBOOKS * TOKEN_FRAMES];

static void vary_codes(int64_t frames)
{
    uint32_t random = 1;
    for (int64_t i = 0; i < CODEBOOKS * frames; i++) {
        random = random * 1664525 + 1013904223;
        codes[i] = (int32_t)(random >> 23);
    }
}

static void repeat_columns(int64_t frames, int64_t from, int64_t to, int64_t period)
{
    for (int64_t k = 0; k < CODEBOOKS; k++)
        for (int64_t t = from + period; t < to; t++)
            codes[k * frames + t] = codes[k * frames + t - period];
}

static void write_tokens(int64_t frames, json_t *recipe)
{
    const struct tokens tokens = {CODEBOOKS, frames, codes, recipe};
    assert_int_equal(tokens_write(&tokens, "test", expectations.input), 0);
    json_decref(recipe);
}

/* The status of `check` when frames from ... to repeat with a period. */
static const char *repeated(const char *check, int64_t from, int64_t to, int64_t period)
{
    vary_codes(TOKEN_FRAMES);
    repeat_columns(TOKEN_FRAMES, from, to, period);
    write_tokens(TOKEN_FRAMES, NULL);
    return status_of(check);
}

static void good_tokens(void **state)
{
    static const char *const names[] = {"decode", "range", "stuck", "repetition", "variety"};
    (void)state;
    vary_codes(TOKEN_FRAMES);
    write_tokens(TOKEN_FRAMES, json_pack("{s:i, s:i}", "vocabulary", 512, "frame_rate", 50));
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_string_equal(status_of(names[i]), "ok");
    assert_string_equal(status_of("duration"), "skipped");
}

static void duration_of_tokens(void **state)
{
    (void)state;
    vary_codes(TOKEN_FRAMES);
    expectations.duration = 10;
    write_tokens(TOKEN_FRAMES, NULL);
    assert_string_equal(status_of("duration"), "ok");
    write_tokens(TOKEN_FRAMES - 6, NULL);
    assert_string_equal(status_of("duration"), "failed");
    write_tokens(TOKEN_FRAMES, json_pack("{s:i}", "frame_rate", 25));
    assert_string_equal(status_of("duration"), "failed");
    expectations.duration = 20;
    assert_string_equal(status_of("duration"), "ok");
}

static void codes_outside_the_vocabulary(void **state)
{
    (void)state;
    vary_codes(TOKEN_FRAMES);
    codes[3] = 512;
    write_tokens(TOKEN_FRAMES, json_pack("{s:i}", "vocabulary", 512));
    assert_string_equal(status_of("range"), "failed");
    write_tokens(TOKEN_FRAMES, json_pack("{s:i}", "vocabulary", 513));
    assert_string_equal(status_of("range"), "ok");
    write_tokens(TOKEN_FRAMES, NULL);
    assert_string_equal(status_of("range"), "skipped");
}

static void stuck_tokens(void **state)
{
    (void)state;
    assert_string_equal(repeated("stuck", 200, 299, 1), "ok");
    assert_string_equal(repeated("stuck", 200, 300, 1), "failed");
    assert_string_equal(status_of("repetition"), "ok"); /* one fault, one finding */
}

static void repeating_tokens(void **state)
{
    (void)state;
    assert_string_equal(repeated("repetition", 200, 299, 2), "ok");
    assert_string_equal(repeated("repetition", 200, 300, 2), "failed");
    assert_string_equal(status_of("stuck"), "ok");
    assert_string_equal(repeated("repetition", 200, 349, 50), "ok"); /* not three turns */
    assert_string_equal(repeated("repetition", 200, 350, 50), "failed");
    assert_string_equal(repeated("repetition", 0, 500, 51), "ok"); /* a loop of more than a second is music */
}

static void short_tokens(void **state)
{
    (void)state;
    vary_codes(60);
    repeat_columns(60, 10, 39, 1);
    write_tokens(60, NULL);
    assert_string_equal(status_of("stuck"), "ok");
    repeat_columns(60, 10, 40, 1); /* half of it */
    write_tokens(60, NULL);
    assert_string_equal(status_of("stuck"), "failed");
    vary_codes(1);
    write_tokens(1, NULL);
    assert_string_equal(status_of("stuck"), "ok");
    assert_string_equal(status_of("variety"), "skipped");
}

static void few_different_frames(void **state)
{
    (void)state;
    for (int different = 7; different <= 8; different++) {
        vary_codes(TOKEN_FRAMES);
        for (int t = 100 + different; t < 400; t++)
            for (int k = 0; k < CODEBOOKS; k++)
                codes[k * TOKEN_FRAMES + t] = codes[k * TOKEN_FRAMES + 100 + 7 * t / 4 % different];
        write_tokens(TOKEN_FRAMES, NULL);
        assert_string_equal(status_of("variety"), different == 7 ? "failed" : "ok");
    }
}

static void what_means_nothing_to_tokens(void **state)
{
    struct findings findings = {0};
    const char *kind;
    (void)state;
    vary_codes(TOKEN_FRAMES);
    write_tokens(TOKEN_FRAMES, NULL);
    expectations.max_silence = 2;
    assert_int_equal(check_file(&expectations, &findings, &kind), -1);
    assert_int_equal(failure_status(), EXIT_MISUSE);
    findings_release(&findings);
}

static void damaged_tokens(void **state)
{
    struct text content = {0};
    (void)state;
    vary_codes(TOKEN_FRAMES);
    write_tokens(TOKEN_FRAMES, NULL);
    assert_int_equal(file_read(expectations.input, 1 << 20, &content), 0);
    assert_int_equal(file_write(expectations.input, content.data, content.length - 1), 0);
    assert_string_equal(status_of("decode"), "failed");
    text_release(&content);
}

/* --- conditions --- */

static void condition(void **state)
{
    int32_t ids[] = {7, 1};
    float hidden[] = {0.5f, -0.5f, 1, 2};
    struct condition good = {.tokens = 2, .width = 2, .ids = ids, .hidden = hidden};
    (void)state;
    assert_int_equal(condition_write(&good, "test", expectations.input), 0);
    assert_string_equal(status_of("decode"), "ok");
    hidden[3] = NAN;
    assert_int_equal(condition_write(&good, "test", expectations.input), 0);
    assert_string_equal(status_of("decode"), "failed");
}

#define CHECK_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_TEST(good_audio_has_no_findings), CHECK_TEST(duration), CHECK_TEST(header), CHECK_TEST(silence_in_the_middle),
        CHECK_TEST(collapse_to_silence), CHECK_TEST(silence_throughout), CHECK_TEST(clipping), CHECK_TEST(dc),
        CHECK_TEST(stuck_sample), CHECK_TEST(finite_samples), CHECK_TEST(loudness), CHECK_TEST(true_peak),
        CHECK_TEST(what_is_no_audio), CHECK_TEST(what_cannot_be_opened), CHECK_TEST(good_tokens), CHECK_TEST(duration_of_tokens),
        CHECK_TEST(codes_outside_the_vocabulary), CHECK_TEST(stuck_tokens), CHECK_TEST(repeating_tokens), CHECK_TEST(short_tokens),
        CHECK_TEST(few_different_frames), CHECK_TEST(what_means_nothing_to_tokens), CHECK_TEST(damaged_tokens),
        CHECK_TEST(condition),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
