/* SPDX-License-Identifier: Apache-2.0
 * Tracks with sections: what is wrong with them and where, what they come to, and that their starts are exact.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/failure.h"
#include "base/memory.h"
#include "base/path.h"
#include "leitmotif/project.h"
#include "scratch.h"

/* Reads "leitmotif: 1" and tracks: with this below it, from line 3 and column 3 on. */
static int read_tracks_of(const char *tracks, struct project *project)
{
    char *yaml = format_string("leitmotif: 1\ntracks:\n  %s\n", tracks), *path = scratch_file("p.yaml", yaml, strlen(yaml));
    int status = project_read(project, path);
    free(path);
    free(yaml);
    return status;
}

/* The problems' lines without the file's name, yours. */
static char *lines_of(const struct text *problems)
{
    struct text lines = {0};
    for (const char *line = text_string(problems); *line; line = strchr(line, '\n') + 1) {
        const char *place = strstr(line, "p.yaml:") + strlen("p.yaml:");
        text_append_bytes(&lines, place, (size_t)(strchr(line, '\n') + 1 - place));
    }
    return lines.data ? text_take(&lines) : copy_string("");
}

static void assert_problems(const char *tracks, const char *expected)
{
    struct project project;
    int status = read_tracks_of(tracks, &project);
    char *lines = lines_of(&project.problems);
    assert_string_equal(lines, expected);
    assert_int_equal(status, *expected ? -1 : 0);
    failure_clear();
    free(lines);
    project_release(&project);
}

static void what_is_wrong_is_told_where_it_stands(void **state)
{
    static const struct {
        const char *tracks, *expected;
    } cases[] = {
        {"a: {sections: [{duration: 3, prompt: x}]}", ""},
        {"a: {sections: [{duration: 3, prompt: \"\"}, {duration: 0.02, prompt: x}], seed: 4, variations: 2}", ""},
        {"a: {sections: [{duration: 3}]}", "3:18: 'prompt' is missing in an entry of sections\n"},
        {"a: {sections: [{duration: 3, prompt: x}, {prompt: y}]}", "3:44: 'duration' is missing in an entry of sections\n"},
        {"a: {sections: [{duration: 3, prompt: x}], duration: 3}",
         "3:45: 'duration' cannot stand beside 'sections', which have their own; remove one of the two\n"},
        {"a: {prompt: y, sections: [{duration: 3, prompt: x}]}",
         "3:7: 'prompt' cannot stand beside 'sections', which have their own; remove one of the two\n"},
        {"a: {sections: [{duration: 3, prmpt: x}]}", "3:18: 'prompt' is missing in an entry of sections\n"
                                                     "3:32: unknown key 'prmpt' in an entry of sections (did you mean 'prompt'?)\n"},
        {"a: {section: [{duration: 3, prompt: x}]}", "3:3: 'prompt' is missing in track 'a'\n"
                                                     "3:7: unknown key 'section' in track 'a' (did you mean 'sections'?)\n"},
        {"a: {sections: [{duration: 3, prompt: x, style: [calm]}]}", "3:43: 'style' is not supported by this version; remove it\n"},
        {"a: {sections: [{duration: 3, prompt: x, guidance: 2}]}", "3:43: unknown key 'guidance' in an entry of sections\n"},
        {"a: {sections: [{duration: 0.019, prompt: x}]}", "3:29: 'duration' must be a number from 0.02 to 14400 seconds, not '0.019'\n"},
        {"a: {sections: [{duration: .nan, prompt: [x]}]}", "3:29: 'duration' must be a number from 0.02 to 14400 seconds, not '.nan'\n"
                                                           "3:43: 'prompt' must be a text, not a list\n"},
        {"a: {sections: []}", "3:17: 'sections' must be a list of at least one '{duration: …, prompt: …}'\n"},
        {"a: {sections: x}", "3:17: 'sections' must be a list of at least one '{duration: …, prompt: …}'\n"},
        {"a: {sections: {duration: 3, prompt: x}}", "3:17: 'sections' must be a list of at least one '{duration: …, prompt: …}'\n"},
        {"a: {sections: }", "3:17: 'sections' has no value; give one, or remove the key\n"},
        {"a: {sections: [x]}", "3:18: an entry of sections 'x' must be a map of 'key: value'\n"},
        {"a: {sections: [{duration: 14399.99, prompt: x}, {duration: 0.02, prompt: x}]}",
         "3:17: 'sections' are 14400.01 seconds long together, more than 14400\n"},
        {"a: {sections: [{duration: 14399.98, prompt: x}, {duration: 0.02, prompt: x}]}", ""},
        {"a: {sections: [{duration: 9000, prompt: x}]}\n  b: {continue: a, sections: [{duration: 5400, prompt: x}, {duration: 1, prompt: y}]}",
         "4:17: 'continue': with what it continues 'b' would be 14401 seconds long, more than 14400\n"},
        {"a: {sections: &s [{duration: 3, prompt: x}]}\n  b: {sections: *s, continue: a}\n  c: {sections: *s, continue: b, variations: 3}", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_problems(cases[i].tracks, cases[i].expected);
}

static char *many_sections(int count)
{
    struct text tracks = {0};
    text_append(&tracks, "a: {sections: [");
    for (int i = 0; i < count; i++)
        text_append(&tracks, "{duration: 0.7, prompt: x},");
    text_append(&tracks, "]}");
    return text_take(&tracks);
}

static void at_most_a_thousand(void **state)
{
    char *most = many_sections(1000), *too_many = many_sections(1001);
    (void)state;
    assert_problems(most, "");
    assert_problems(too_many, "3:17: 'sections': more than 1000; let another track continue this one\n");
    free(most);
    free(too_many);
}

/* Doubles added up are not: the third is 0.30000000000000004 already. */
static void starts_are_the_sums_of_decimals(void **state)
{
    struct project project;
    (void)state;
    assert_int_equal(read_tracks_of("a: {sections: [{duration: 0.1, prompt: x}, {duration: 0.2, prompt: x}, {duration: 33.3, prompt: y}]}", &project), 0);
    const struct section *sections = project.takes[0].sections;
    assert_true(sections[0].start == 0 && sections[1].start == 0.1 && sections[2].start == 0.3);
    assert_true(project.takes[0].duration == 33.6);
    project_release(&project);

    char *tracks = many_sections(1000);
    assert_int_equal(read_tracks_of(tracks, &project), 0);
    for (int i = 0; i < 1000; i++) {
        assert_true(project.takes[0].sections[i].start == 7 * i / 10.0);
        assert_int_equal(frames_of_seconds(project.takes[0].sections[i].start, 50), 35 * i);
    }
    free(tracks);
    project_release(&project);
}

static void a_take_has_sections_or_a_prompt(void **state)
{
    struct project project;
    (void)state;
    int status = read_tracks_of("a: {sections: [{duration: 12, prompt: intro}, {duration: 0.5, prompt: \"\"}], variations: 2, seed: 7}\n  b: rain\n"
                                "  c: {sections: [{duration: 1, prompt: z}]}\ndefaults: {duration: 99, temperature: 0.5}", &project);
    assert_int_equal(status, 0);
    assert_int_equal(project.take_count, 4);
    const struct take *first = &project.takes[0], *second = &project.takes[1], *rain = &project.takes[2], *last = &project.takes[3];
    assert_null(first->prompt);
    assert_int_equal(first->section_count, 2);
    assert_ptr_equal(first->sections, second->sections);
    assert_true(first->duration == 12.5 && first->temperature == 0.5);
    assert_int_equal(second->seed, 8);
    char *prompt = take_prompt(first), *plain = take_prompt(rain);
    assert_string_equal(prompt, "intro (12 s) | no prompt (0.5 s)");
    assert_string_equal(plain, "rain");
    assert_null(rain->sections);
    assert_true(rain->duration == 99);
    assert_string_equal(last->sections[0].prompt, "z");
    free(prompt);
    free(plain);
    project_release(&project);
}

/* 32 kHz by these ratios: 25 frames a second, where 0.02 s may hold none. */
static void a_section_holds_a_frame_of_its_model(void **state)
{
    static const char slow[] = "{\"model_type\":\"musicgen\",\"text_encoder\":{\"model_type\":\"t5\"},\"decoder\":{\"num_codebooks\":4},"
                               "\"audio_encoder\":{\"model_type\":\"encodec\",\"sampling_rate\":32000,\"codebook_size\":2048,"
                               "\"upsampling_ratios\":[8,8,5,4],\"use_causal_conv\":false,\"use_conv_shortcut\":false}}";
    struct project project;
    (void)state;
    free(scratch_file("slow/config.json", slow, strlen(slow)));
    free(scratch_file("slow/model.safetensors", "weights", 7));
    assert_int_equal(read_tracks_of("a: {model: ./slow, sections: [{duration: 1.02, prompt: x}, {duration: 0.02, prompt: y}, {duration: 0.02, prompt: z}]}", &project), 0);
    assert_int_equal(project_check_models(&project), -1);
    char *lines = lines_of(&project.problems);
    assert_string_equal(lines, "3:91: 'sections': this one holds no frame of 'slow', which has 25 a second; make it longer\n");
    failure_clear();
    free(lines);
    project_release(&project);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_told_where_it_stands),
        cmocka_unit_test(at_most_a_thousand),
        cmocka_unit_test(starts_are_the_sums_of_decimals),
        cmocka_unit_test(a_take_has_sections_or_a_prompt),
        cmocka_unit_test(a_section_holds_a_frame_of_its_model),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_remove);
}
