/* SPDX-License-Identifier: Apache-2.0
 * Projects read: what is wrong, at which line and column; what is right, and what it comes to. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/failure.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/path.h"
#include "leitmotif/project-schema.h"
#include "leitmotif/project.h"
#include "scratch.h"

/* Reads yaml as the file p.yaml; problems without the file's name go to *lines, yours to free(). */
static int read_project(const char *yaml, struct project *project, char **lines)
{
    char *path = scratch_file("p.yaml", yaml, strlen(yaml));
    size_t length = strlen(path);
    struct text told = {0};
    int status = project_read(project, path);
    for (const char *line = text_string(&project->problems); *line; line = strchr(line, '\n') + 1) {
        assert_memory_equal(line, path, length);
        text_append_bytes(&told, line + length + 1, strcspn(line + length + 1, "\n") + 1);
    }
    *lines = text_take(&told);
    free(path);
    return status;
}

static void assert_problems(const char *yaml, const char *expected)
{
    struct project project;
    char *lines;
    int status = read_project(yaml, &project, &lines);
    if (strcmp(lines, expected))
        print_error("%s\n", yaml);
    assert_string_equal(lines, expected);
    assert_int_equal(status, *expected ? -1 : 0);
    assert_int_equal(failure_status(), *expected ? EXIT_MISUSE : EXIT_DONE);
    failure_clear();
    free(lines);
    project_release(&project);
}

struct snippet {
    const char *yaml, *expected;
};

#define TRACKS "tracks: {a: x}\n"

/* Around a snippet: a project that is good without it, and lets it begin in line 2. */
static void assert_snippets(const struct snippet *snippets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *yaml = format_string("leitmotif: 1\n%s\n" TRACKS, snippets[i].yaml);
        assert_problems(yaml, snippets[i].expected);
        free(yaml);
    }
}

static void the_top_level(void **state)
{
    static const struct snippet snippets[] = {
        {"", ""},
        {"titel: x", "2:1: unknown key 'titel' in the file (did you mean 'title'?)\n"},
        {"zzz: x", "2:1: unknown key 'zzz' in the file\n"},
        {"<<: {title: x}", "2:1: unknown key '<<' in the file\n"},
        {"title: a b", "2:8: title 'a b' may only have letters, digits, '_', '.' and '-'\n"},
        {"title: .a", "2:8: title '.a' begins with a dot\n"},
        {"title: store", "2:8: title 'store' is the name of a folder of the workspace\n"},
        {"title: \"\"", "2:8: title '' is empty\n"},
        {"title: ~", "2:8: 'title' has no value; give a text, or remove the key\n"},
        {"title: [x]", "2:8: 'title' must be a text, not a list\n"},
        {"title: 2024", ""},
        {"seed: -1", "2:7: 'seed' must be a whole number from 0 to 9223372036854775807, not '-1'\n"},
        {"seed: 9223372036854775808", "2:7: 'seed' must be a whole number from 0 to 9223372036854775807, not '9223372036854775808'\n"},
        {"seed: 9223372036854775807", ""},
        {"seed: 1.0", "2:7: 'seed' must be a whole number from 0 to 9223372036854775807, not '1.0'\n"},
        {"seed: 0x10", "2:7: 'seed' must be a whole number from 0 to 9223372036854775807, not '0x10'\n"},
        {"include: [styles/a.yaml]", "2:1: 'include' is not supported by this version; remove it\n"},
        {"styles: {}", "2:1: 'styles' is not supported by this version; remove it\n"},
        {"model: \"\"", "2:8: 'model' is empty; give a name such as small, or a folder\n"},
        {"loudness: {target: -14, over: album}", "2:31: 'over: album' is not supported yet, use 'track'\n"},
        {"loudness: {over: [track]}", "2:18: 'over' must be 'track'\n"},
        {"loudness: {target: 1}", "2:20: 'target' must be a number from -70 to 0 LUFS, not '1'\n"},
        {"loudness: -14", "2:11: loudness '-14' must be a map of 'key: value'\n"},
        {"loudness:", "2:10: 'loudness' has no value; give one, or remove the key\n"},
        {"verify: {max_silnce: 1}", "2:10: unknown key 'max_silnce' in verify (did you mean 'max_silence'?)\n"},
        {"verify: {max_silence: -1}", "2:23: 'max_silence' must be a number from 0 to 14400 seconds, not '-1'\n"},
    };
    (void)state;
    assert_snippets(snippets, COUNT_OF(snippets));
}

static void the_version_is_required(void **state)
{
    (void)state;
    assert_problems(TRACKS, "1:1: 'leitmotif' is missing in the file\n");
    assert_problems("leitmotif: 2\n" TRACKS, "1:12: 'leitmotif' is the version of the format; this program reads version 1\n");
    assert_problems("leitmotif: '1'\n" TRACKS, "1:12: 'leitmotif' is the version of the format; this program reads version 1\n");
    assert_problems("leitmotif: 1\n", "1:1: 'tracks' is missing in the file\n");
    assert_problems("- leitmotif\n", "1:1: the file must be a map of 'key: value'\n");
}

static void numbers_are_strict(void **state)
{
    static const struct snippet snippets[] = {
        {"defaults: {duration: ten}", "2:22: 'duration' must be a number from 0.02 to 14400 seconds, not 'ten'\n"},
        {"defaults: {duration: 0}", "2:22: 'duration' must be a number from 0.02 to 14400 seconds, not '0'\n"},
        {"defaults: {duration: -1}", "2:22: 'duration' must be a number from 0.02 to 14400 seconds, not '-1'\n"},
        {"defaults: {duration: .nan}", "2:22: 'duration' must be a number from 0.02 to 14400 seconds, not '.nan'\n"},
        {"defaults: {duration: .inf}", "2:22: 'duration' must be a number from 0.02 to 14400 seconds, not '.inf'\n"},
        {"defaults: {duration: 1e9}", "2:22: 'duration' must be a number from 0.02 to 14400 seconds, not '1e9'\n"},
        {"defaults: {duration: 10 s}", "2:22: 'duration' must be a number from 0.02 to 14400 seconds, not '10 s'\n"},
        {"defaults: {duration: '10'}", "2:22: 'duration' must be a number from 0.02 to 14400 seconds, not the quoted '10'\n"},
        {"defaults: {duration: true}", "2:22: 'duration' must be a number from 0.02 to 14400 seconds, not 'true'\n"},
        {"defaults: {duration: {}}", "2:22: 'duration' must be a number from 0.02 to 14400 seconds, not a map\n"},
        {"defaults: {duration: null}", "2:22: 'duration' has no value; give a number from 0.02 to 14400 seconds, or remove the key\n"},
        {"defaults: {duration: 0.02}", ""},
        {"defaults: {duration: 1.2e1}", ""},
        {"defaults: {temperature: -0.1}", "2:25: 'temperature' must be a number from 0 to 100, not '-0.1'\n"},
        {"defaults: {temperature: 0}", ""},
        {"defaults: {top_k: 2.5}", "2:19: 'top_k' must be a whole number from 0 to 1000000, not '2.5'\n"},
        {"defaults: {top_p: 1.01}", "2:19: 'top_p' must be a number from 0 to 1, not '1.01'\n"},
        {"defaults: {guidance: 3,5}", "2:24: unknown key '5' in defaults\n"},
        {"defaults: {retries: 2, top-k: 1}", "2:12: 'retries' is not supported by this version; remove it\n"
                                             "2:24: unknown key 'top-k' in defaults (did you mean 'top_k'?)\n"},
    };
    (void)state;
    assert_snippets(snippets, COUNT_OF(snippets));
}

static void outputs_follow_their_formats(void **state)
{
    static const struct snippet snippets[] = {
        {"outputs: []", "2:10: 'outputs' must be a list with an entry per format, such as '- {format: ogg}'\n"},
        {"outputs: ogg", "2:10: 'outputs' must be a list with an entry per format, such as '- {format: ogg}'\n"},
        {"outputs: [ogg]", "2:11: an entry of outputs 'ogg' must be a map of 'key: value'\n"},
        {"outputs: [{}]", "2:11: 'format' is missing in an entry of outputs\n"},
        {"outputs: [{format: mpx}]", "2:20: 'format' must be one of wav, flac, ogg, mp3, opus, not 'mpx'\n"},
        {"outputs: [{format: ogg}, {format: mp3}, {format: ogg}]",
         "2:50: 'format': it is there twice and both would write one file; keep one of them\n"},
        {"outputs: [{format: ogg, rate: 7999}]", "2:31: 'rate' must be a whole number from 8000 to 192000 Hz, not '7999'\n"},
        {"outputs: [{format: mp3, rate: 96000}]", "2:31: 'rate': mp3 cannot have a rate of 96000 Hz: it takes 8000, 11025, 12000, 16000, "
                                                  "22050, 24000, 32000, 44100 or 48000\n"},
        {"outputs: [{format: opus, rate: 44100}]", "2:32: 'rate': opus always plays at 48000 Hz; remove it\n"},
        {"outputs: [{format: opus, rate: 48000, bitrate: 96k}]", ""},
        {"outputs: [{format: wav, bits: 20}]", "2:31: 'bits': wav cannot have 20 bits: it takes 16, 24 or 32\n"},
        {"outputs: [{format: flac, bits: 32}]", "2:32: 'bits': flac cannot have 32 bits: it takes 16 or 24\n"},
        {"outputs: [{format: ogg, bits: 16}]", "2:31: 'bits': ogg has no bits to choose: that is for wav and flac\n"},
        {"outputs: [{format: mp3, quality: 10}]", "2:34: 'quality': mp3 cannot have quality 10: it must be 0 to 9\n"},
        {"outputs: [{format: ogg, quality: -1}]", ""},
        {"outputs: [{format: opus, quality: 5}]", "2:35: 'quality': opus has no quality to choose: give a bit rate\n"},
        {"outputs: [{format: mp3, bitrate: 192k}]", ""},
        {"outputs: [{format: mp3, bitrate: 192000}]", ""},
        {"outputs: [{format: mp3, bitrate: \"192K\"}]", ""},
        {"outputs: [{format: mp3, bitrate: 192kbps}]",
         "2:34: 'bitrate' must be a bit rate such as 192k, from 6000 to 512000 bits per second, not '192kbps'\n"},
        {"outputs: [{format: mp3, bitrate: 193k, rate: 44100}]",
         "2:34: 'bitrate': mp3 at 44100 Hz cannot have a bit rate of 193 kbit/s: it takes 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, "
         "224, 256 or 320\n"},
        {"outputs: [{format: mp3, bitrate: 144k}]", ""}, /* of low rates; the model's is not known here */
        {"outputs: [{format: wav, bitrate: 128k}]", "2:34: 'bitrate': wav has no bit rate to choose: it is lossless\n"},
        {"outputs: [{format: opus, channels: 1, bitrate: 300k}]",
         "2:48: 'bitrate': opus with 1 channel cannot have a bit rate of 300 kbit/s: it must be 6 to 255\n"},
        {"outputs: [{format: opus, bitrate: 300k}]", ""},
        {"outputs: [{format: ogg, quality: 5, bitrate: 128k}]", "2:46: 'bitrate': ogg cannot have both a quality and a bit rate: give one\n"},
        {"outputs: [{format: ogg, channels: 3, codec: x}]", "2:35: 'channels' must be a whole number from 1 to 2, not '3'\n"
                                                            "2:38: unknown key 'codec' in an entry of outputs\n"},
    };
    (void)state;
    assert_snippets(snippets, COUNT_OF(snippets));
}

static void tracks_have_names_and_prompts(void **state)
{
    static const struct snippet cases[] = {
        {"tracks: {}", "2:9: 'tracks' must be a map of at least one 'name: {prompt: …}'\n"},
        {"tracks: [a]", "2:9: 'tracks' must be a map of at least one 'name: {prompt: …}'\n"},
        {"tracks: {.a: x}", "2:10: the track's name '.a' begins with a dot\n"},
        {"tracks: {a/b: x}", "2:10: the track's name 'a/b' may only have letters, digits, '_', '.' and '-'\n"},
        {"tracks: {ä: x}", "2:10: the track's name 'ä' may only have letters, digits, '_', '.' and '-'\n"},
        {"tracks:\n  a:", "3:3: track 'a' has no prompt; give one: 'prompt: …'\n"},
        {"tracks: {a: {duration: 3}}", "2:10: 'prompt' is missing in track 'a'\n"},
        {"tracks: {a: {prompt: ~}}", "2:22: 'prompt' has no value; give a text, or remove the key\n"},
        {"tracks: {a: {prompt: \"\"}}", ""},
        {"tracks: {a: {prompt: 42}}", ""},
        {"tracks: {a: {prompt: \"x\\e[1m\"}}", "2:22: 'prompt' holds the control character 0x1b; remove it\n"},
        {"tracks: {a: {prompt: [x, y]}}", "2:22: 'prompt' must be a text, not a list\n"},
        {"tracks: {a: [x]}", "2:13: track 'a' must be a map of 'key: value'\n"},
        {"tracks: {a: {promt: x}}", "2:10: 'prompt' is missing in track 'a'\n"
                                    "2:14: unknown key 'promt' in track 'a' (did you mean 'prompt'?)\n"},
        {"tracks: {a: {prompt: x, loop: true, retries: 1, style: [d]}}",
         "2:25: 'loop' is not supported by this version; remove it\n2:37: 'retries' is not supported by this version; remove it\n"
         "2:49: 'style' is not supported by this version; remove it\n"},
        {"tracks: {a: {prompt: x, variations: [{seed: 1}]}}", "2:37: 'variations' as a list is not supported by this version; give how many\n"},
        {"tracks: {a: {prompt: x, variations: 0}}", "2:37: 'variations' must be a whole number from 1 to 1000, not '0'\n"},
        {"tracks: {a: {prompt: x, variations: 2}, a_1: y}", "2:41: track 'a' (line 2) and track 'a_1' would both make 'a_1'; rename one\n"},
        {"tracks: {a_1: y, a: {prompt: x, variations: 2}}", "2:18: track 'a_1' (line 2) and track 'a' would both make 'a_1'; rename one\n"},
        {"tracks: {a: x, a: y}", "2:16: key 'a' is there twice; first in line 2\n"},
        {"tracks: {a: {prompt: x, variations: 2, seed: 9223372036854775807}}",
         "2:10: the variations of 'a' count up from its seed, which is too large\n"},
        {"tracks: {a: {prompt: x, variations: 1, seed: 9223372036854775807}}", ""},
        {"tracks: {a: {prompt: x, model: ./nowhere}}", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *yaml = format_string("leitmotif: 1\n%s\n", cases[i].yaml);
        char *nowhere = format_string("2:32: model './nowhere': there is no folder '%s/./nowhere'\n", scratch);
        assert_problems(yaml, cases[i].expected ? cases[i].expected : nowhere);
        free(nowhere);
        free(yaml);
    }
}

/* %s in an expectation: the file's folder. */
static void inputs_are_files_and_tracks(void **state)
{
    static const struct snippet cases[] = {
        {"a: {prompt: x, melody: tunes/a.wav}", ""},
        {"a: {prompt: x, melody: tunes/none.wav}", "3:26: 'melody': cannot open '%s/tunes/none.wav': No such file or directory\n"},
        {"a: {prompt: x, melody: tunes, variations: 3}", "3:26: 'melody': cannot read '%s/tunes': not a regular file\n"},
        {"a: {prompt: x, melody: [tunes/a.wav]}", "3:26: 'melody' must be a text, not a list\n"},
        {"a: {prompt: x, melody: }", "3:26: 'melody' has no value; give a text, or remove the key\n"},
        {"a: {prompt: x, continue: tunes/a.wav, melody: tunes/a.wav}", ""},
        {"a: {prompt: x, continue: b}\n  b: y", ""},
        {"a: x\n  b: {prompt: y, continue: a}\n  c: {prompt: z, continue: b, variations: 2}\n  d: {prompt: z, continue: c_2}", ""},
        {"theme: x\n  b: {prompt: y, continue: teme}", "4:28: 'continue': there is no track 'teme' and no file '%s/teme' (did you mean 'theme'?)\n"},
        {"a: x\n  b: {prompt: y, continue: bb, variations: 2}", "4:28: 'continue': there is no track 'bb' and no file '%s/bb'\n"},
        {"a: x\n  b: {prompt: y, continue: tunes}", "4:28: 'continue': there is no track 'tunes' and no file '%s/tunes'\n"},
        {"a: x\n  b: {prompt: y, continue: {track: a}}", "4:28: 'continue' must be a text, not a map\n"},
        {"a: {duration: 2}\n  b: {prompt: y, continue: a}", "3:3: 'prompt' is missing in track 'a'\n"},
        {"a: {prompt: x, continue: a}", "3:28: 'continue': it goes round in a circle: 'a' -> 'a'; let one of them begin\n"},
        {"d: {prompt: x, continue: c}\n  a: {prompt: x, continue: b}\n  b: {prompt: x, continue: c}\n  c: {prompt: x, continue: a}",
         "4:28: 'continue': it goes round in a circle: 'a' -> 'b' -> 'c' -> 'a'; let one of them begin\n"},
        {"a: {prompt: x, continue: b}\n  b: {prompt: x, continue: a}\n  c: {prompt: x, continue: c}",
         "3:28: 'continue': it goes round in a circle: 'a' -> 'b' -> 'a'; let one of them begin\n"
         "5:28: 'continue': it goes round in a circle: 'c' -> 'c'; let one of them begin\n"},
        {"a: {prompt: x, variations: 2, continue: a}", "3:43: 'continue': it goes round in a circle: 'a_1' -> 'a_1'; let one of them begin\n"},
        {"a: {prompt: x, duration: 9000}\n  b: {prompt: x, duration: 5400, continue: a}", ""},
        {"a: {prompt: x, duration: 9000}\n  b: {prompt: x, duration: 5401, continue: a}\n  c: {prompt: x, continue: b}",
         "4:44: 'continue': with what it continues 'b' would be 14401 seconds long, more than 14400\n"},
    };
    (void)state;
    free(scratch_file("tunes/a.wav", "RIFF", 4));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *yaml = format_string("leitmotif: 1\ntracks:\n  %s\n", cases[i].yaml);
        const char *folder = strstr(cases[i].expected, "%s");
        size_t before = folder ? (size_t)(folder - cases[i].expected) : 0;
        char *expected = folder ? format_string("%.*s%s%s", (int)before, cases[i].expected, scratch, folder + 2) : copy_string(cases[i].expected);
        assert_problems(yaml, expected);
        free(expected);
        free(yaml);
    }
}

static void a_take_knows_what_it_continues(void **state)
{
    struct project project;
    char *lines, *tune = scratch_file("tunes/a.wav", "RIFF", 4), *named_c = scratch_file("c", "RIFF", 4);
    (void)state;
    int status = read_project("leitmotif: 1\ntracks:\n  a: {prompt: x, continue: c}\n  b: {prompt: x, continue: c_2}\n"
                              "  c: {prompt: y, variations: 2, melody: tunes/a.wav}\n  d: {prompt: x, continue: ./c}\n", &project, &lines);
    assert_int_equal(status, 0);
    assert_int_equal(project.take_count, 5);
    const struct take *takes = project.takes;
    assert_ptr_equal(takes[0].earlier, &takes[2]);
    assert_ptr_equal(takes[1].earlier, &takes[3]);
    assert_null(takes[2].earlier);
    assert_null(takes[0].earlier_file);
    assert_string_equal(takes[3].melody, "tunes/a.wav");
    assert_string_equal(takes[3].melody_file, tune);
    assert_null(takes[4].earlier);
    assert_string_equal(path_name(takes[4].earlier_file), "c");
    unlink(named_c);
    free(named_c);
    free(tune);
    free(lines);
    project_release(&project);
}

/* Of the longest chain too: no walk is by recursion. */
static void a_long_chain_is_read(void **state)
{
    struct project project;
    struct text yaml = {0};
    char *lines;
    (void)state;
    text_append(&yaml, "leitmotif: 1\ndefaults: {duration: 0.1}\ntracks:\n  t0: x\n");
    for (int i = 30000; i > 0; i--)
        text_appendf(&yaml, "  t%d: {prompt: x, continue: t%d}\n", i, i - 1);
    assert_int_equal(read_project(yaml.data, &project, &lines), 0);
    assert_int_equal(project.take_count, 30001);
    free(lines);
    project_release(&project);
    text_release(&yaml);
}

/* --- what models can do ------------------------------------------------------------------------------------------ */

/* As published models are, as far as a configuration is read; what stands for the type, the rate, the ratios and the channels. */
static void put_model(const char *name, const char *type, int rate_hz, const char *ratios, int channels)
{
    char *path = format_string("%s/config.json", name);
    char *config = format_string("{\"model_type\":\"%s\",\"text_encoder\":{\"model_type\":\"t5\"},\"decoder\":{\"num_codebooks\":%d,"
                                 "\"audio_channels\":%d},\"audio_encoder\":{\"model_type\":\"encodec\",\"sampling_rate\":%d,"
                                 "\"codebook_size\":2048,\"upsampling_ratios\":%s,\"use_causal_conv\":false,\"use_conv_shortcut\":false}}",
                                 type, 4 * channels, channels, rate_hz, ratios);
    char *weights = format_string("%s/model.safetensors", name);
    free(scratch_file(path, config, strlen(config)));
    free(scratch_file(weights, "weights", 7));
    free(weights);
    free(config);
    free(path);
}

static void assert_limits(const char *yaml, const char *problems, const char *warnings)
{
    struct project project;
    char *lines, *path = scratch_path("p.yaml:"), *whole = format_string("leitmotif: 1\n%s\n", yaml);
    assert_int_equal(read_project(whole, &project, &lines), 0);
    assert_int_equal(project_check_models(&project), *problems ? -1 : 0);
    assert_int_equal(failure_status(), *problems ? EXIT_MISUSE : EXIT_DONE);
    const char *told = text_string(&project.problems), *warned = text_string(&project.warnings);
    assert_string_equal(*told ? told + strlen(path) : told, problems);
    if (!*warnings)
        assert_string_equal(warned, "");
    assert_non_null(strstr(warned, warnings));
    failure_clear();
    project_release(&project);
    free(lines);
    free(whole);
    free(path);
}

static void what_a_model_cannot_do_is_told_where_it_is_asked_for(void **state)
{
    static const struct {
        const char *yaml, *problems, *warnings;
    } cases[] = {
        {"tracks: {a: {prompt: x, model: m/melody, melody: tunes/a.wav}, b: {prompt: x, model: m/melody}}", "", ""},
        {"model: m/text\ntracks:\n  a: {prompt: x, melody: tunes/a.wav, variations: 2}",
         "4:26: 'melody': 'text' is no melody model; use one, such as 'model: melody', or remove the key\n", ""},
        {"tracks: {a: {prompt: x, model: m/effects, melody: tunes/a.wav}}",
         "2:51: 'melody': 'effects' is no melody model; use one, such as 'model: melody', or remove the key\n", ""},
        {"tracks: {a: {prompt: x, model: nobody/nothing, melody: tunes/a.wav}}", "", "p.yaml:2:32: warning: "},
        {"tracks: {a: {prompt: x, model: m/text}, b: {prompt: x, model: m/melody, continue: a}}", "", ""},
        {"tracks: {a: {prompt: x, model: m/effects}, b: {prompt: x, model: m/text, continue: a}}",
         "2:84: 'continue': 'a' is by 'effects' (16000 Hz, mono, 4 codebooks of 2048, 50 frames a second), "
         "which 'text' (32000 Hz, mono, 4 codebooks of 2048, 50 frames a second) cannot continue\n", ""},
        {"tracks: {a: {prompt: x, model: m/text}, b: {prompt: x, model: m/stereo, continue: a}}",
         "2:83: 'continue': 'a' is by 'text' (32000 Hz, mono, 4 codebooks of 2048, 50 frames a second), "
         "which 'stereo' (32000 Hz, stereo, 8 codebooks of 2048, 50 frames a second) cannot continue\n", ""},
        {"tracks: {a: {prompt: x, model: nobody/nothing}, b: {prompt: x, model: m/stereo, continue: a}}", "", "nobody/nothing"},
        {"model: m/effects\noutputs:\n  - {format: ogg, rate: 44100, channels: 2}\n  - {format: wav}\n" TRACKS, "", ""},
        {"model: m/effects\noutputs:\n  - {format: mp3, bitrate: 320k}\n" TRACKS,
         "4:28: with model 'effects', mp3 at 16000 Hz cannot have a bit rate of 320 kbit/s: it takes 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, "
         "112, 128, 144 or 160; give the output a 'rate' or another setting\n", ""},
        {"model: m/effects\noutputs:\n  - {format: mp3, bitrate: 320k, rate: 44100}\n" TRACKS, "", ""},
        {"model: m/text\noutputs: [{format: opus, bitrate: 300k}]\n" TRACKS,
         "3:35: with model 'text', opus with 1 channel cannot have a bit rate of 300 kbit/s: it must be 6 to 255; give the output a 'rate' or another setting\n", ""},
        {"model: m/stereo\noutputs: [{format: opus, bitrate: 300k}]\n" TRACKS, "", ""},
    };
    (void)state;
    free(scratch_file("tunes/a.wav", "RIFF", 4));
    put_model("m/text", "musicgen", 32000, "[8,5,4,4]", 1);
    put_model("m/stereo", "musicgen", 32000, "[8,5,4,4]", 2);
    put_model("m/melody", "musicgen_melody", 32000, "[8,5,4,4]", 1);
    put_model("m/effects", "musicgen", 16000, "[8,5,4,2]", 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_limits(cases[i].yaml, cases[i].problems, cases[i].warnings);
}

static void a_model_that_cannot_be_read_is_a_warning(void **state)
{
    (void)state;
    free(scratch_file("m/broken/config.json", "{", 1));
    assert_limits("model: m/broken\n" TRACKS, "", "p.yaml:2:8: warning: ");
}

static void all_problems_are_found_at_once_in_the_files_order(void **state)
{
    (void)state;
    assert_problems("tracks:\n  a: {prompt: x, duration: 0}\n  b: {prompt: [x]}\nleitmotif: 1\nseed: x\ndefaults: {top_p: 2}\n",
                    "2:28: 'duration' must be a number from 0.02 to 14400 seconds, not '0'\n"
                    "3:15: 'prompt' must be a text, not a list\n"
                    "5:7: 'seed' must be a whole number from 0 to 9223372036854775807, not 'x'\n"
                    "6:19: 'top_p' must be a number from 0 to 1, not '2'\n");
}

static void too_many_results_are_refused(void **state)
{
    struct text yaml = {0};
    (void)state;
    text_append(&yaml, "leitmotif: 1\ntracks:\n");
    for (int i = 0; i < 101; i++)
        text_appendf(&yaml, "  t%d: {prompt: x, variations: 1000}\n", i);
    assert_problems(yaml.data, "103:3: more than 100000 results; split the file\n");
    text_release(&yaml);
}

/* Expected from: printf '7\0exploration\000%d\0000' 2 | sha256sum, the first 16 digits shifted right by one bit. */
static void seeds_are_the_documented_hash(void **state)
{
    (void)state;
    assert_int_equal(take_seed(0, "a", 0, 0), INT64_C(7912067167977763541));
    assert_int_equal(take_seed(7, "exploration", 2, 0), INT64_C(8692850639731225521));
    assert_int_equal(take_seed(7, "exploration", 2, 1), INT64_C(599616353301868324));
}

static void settings_come_down_to_each_take(void **state)
{
    struct project project;
    char *lines;
    (void)state;
    int status = read_project("leitmotif: 1\nmodel: medium\nseed: 7\ntracks:\n"
                              "  theme: {prompt: \"a theme\", duration: 25, guidance: 3.5, seed: 42, variations: 2}\n"
                              "  rain: heavy rain\n"
                              "  ocarina: {model: small, prompt: b, top_k: 0}\n"
                              "defaults: {duration: 20, temperature: 0.5, top_p: 0.9}\n"
                              "verify: {max_silence: 2}\nloudness: {true_peak: -2}\n",
                              &project, &lines);
    assert_int_equal(status, 0);
    assert_string_equal(lines, "");
    assert_string_equal(project.title, "p");
    assert_int_equal(project.take_count, 4);
    const struct take *first = &project.takes[0], *second = &project.takes[1], *rain = &project.takes[2], *ocarina = &project.takes[3];
    assert_string_equal(first->name, "theme_1");
    assert_string_equal(second->name, "theme_2");
    assert_string_equal(second->track, "theme");
    assert_int_equal(second->variation, 2);
    assert_int_equal(first->seed, 42);
    assert_int_equal(second->seed, 43);
    assert_true(first->seed_explicit);
    assert_true(first->duration == 25 && first->temperature == 0.5 && first->guidance == 3.5 && first->top_p == 0.9);
    assert_string_equal(rain->prompt, "heavy rain");
    assert_string_equal(rain->model, "medium");
    assert_true(rain->duration == 20 && isnan(rain->guidance));
    assert_int_equal(rain->top_k, 250);
    assert_false(rain->seed_explicit);
    assert_int_equal(rain->seed, take_seed(7, "rain", 0, 0));
    assert_string_equal(ocarina->model, "small");
    assert_int_equal(ocarina->top_k, 0);
    assert_int_equal(ocarina->model_line, 7);
    assert_int_equal(ocarina->model_column, 20);
    assert_int_equal(rain->model_line, 2);
    assert_true(project.verify.max_silence == 2 && isnan(project.verify.duration_tolerance));
    assert_true(project.loudness_on && project.loudness_target == -14 && project.true_peak == -2);
    assert_int_equal(project.release_count, 1);
    assert_string_equal(project.releases[0].format, "ogg");
    free(lines);
    project_release(&project);
}

static void a_models_folder_is_found_beside_the_file(void **state)
{
    struct project project;
    char *lines, *here = scratch_file("models/mine/config.json", "{}", 2), *expected = scratch_path("models/mine");
    (void)state;
    assert_int_equal(read_project("leitmotif: 1\nmodel: models/mine\n" TRACKS, &project, &lines), 0);
    assert_string_equal(project.takes[0].model, expected);
    free(lines);
    project_release(&project);
    assert_int_equal(read_project("leitmotif: 1\nmodel: facebook/musicgen-small\n" TRACKS, &project, &lines), 0);
    assert_string_equal(project.takes[0].model, "facebook/musicgen-small");
    free(lines);
    project_release(&project);
    free(here);
    free(expected);
}

static void a_file_that_cannot_be_a_title_says_so(void **state)
{
    static const char yaml[] = "leitmotif: 1\n" TRACKS;
    char *path = scratch_file("my game.yaml", yaml, strlen(yaml));
    struct project project;
    (void)state;
    assert_int_equal(project_read(&project, path), -1);
    assert_non_null(strstr(text_string(&project.problems), ":1:1: the file's name 'my game' cannot be the title; give one by 'title:'\n"));
    failure_clear();
    project_release(&project);
    free(path);
}

static void a_missing_file_is_a_failure_without_problems(void **state)
{
    char *path = scratch_path("nowhere.yaml");
    struct project project;
    (void)state;
    assert_int_equal(project_read(&project, path), -1);
    assert_int_equal(project.problem_count, 0);
    assert_int_equal(failure_status(), EXIT_FAILED);
    failure_clear();
    project_release(&project);
    free(path);
}

/* --- pipelines/schema.json says what the tables say -------------------------------------------------------------- */

static void assert_field_in_schema(const struct block *block, const struct field *field, const json_t *properties)
{
    const json_t *property = json_object_get(properties, field->name);
    const json_t *minimum = json_object_get(property, "minimum"), *maximum = json_object_get(property, "maximum");
    bool number = field->type == FIELD_NUMBER || field->type == FIELD_INTEGER;
    if ((property != NULL) == (field->type == FIELD_UNSUPPORTED))
        print_error("schema.json and the table of %s disagree on '%s'\n", block->name, field->name);
    assert_true((property != NULL) == (field->type != FIELD_UNSUPPORTED));
    if (!number)
        return;
    assert_string_equal(json_string_value(json_object_get(property, "type")), field->type == FIELD_NUMBER ? "number" : "integer");
    assert_true(json_number_value(minimum) == field->minimum && json_number_value(maximum) == field->maximum);
}

static void assert_block_in_schema(const struct block *block, const json_t *schema)
{
    const json_t *properties = json_object_get(schema, "properties");
    size_t supported = 0, required = 0;
    assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
    for (const struct field *field = block->fields; field->name; field++) {
        assert_field_in_schema(block, field, properties);
        supported += field->type != FIELD_UNSUPPORTED;
        required += field->required;
    }
    assert_int_equal(json_object_size(properties), supported);
    assert_int_equal(json_array_size(json_object_get(schema, "required")), required);
}

static void the_schema_has_the_keys_and_ranges_of_the_tables(void **state)
{
    json_t *schema = json_read("pipelines/schema.json", 1 << 20);
    (void)state;
    assert_non_null(schema);
    const json_t *top = json_object_get(schema, "properties");
    assert_block_in_schema(&project_block, schema);
    assert_block_in_schema(&defaults_block, json_object_get(top, "defaults"));
    assert_block_in_schema(&output_block, json_object_get(json_object_get(top, "outputs"), "items"));
    assert_block_in_schema(&loudness_block, json_object_get(top, "loudness"));
    assert_block_in_schema(&verify_block, json_object_get(top, "verify"));
    const json_t *definitions = json_object_get(schema, "definitions");
    assert_block_in_schema(&track_block, json_object_get(definitions, "track"));
    assert_block_in_schema(&section_block, json_object_get(definitions, "section"));
    json_decref(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_top_level),
        cmocka_unit_test(the_version_is_required),
        cmocka_unit_test(numbers_are_strict),
        cmocka_unit_test(outputs_follow_their_formats),
        cmocka_unit_test(tracks_have_names_and_prompts),
        cmocka_unit_test(inputs_are_files_and_tracks),
        cmocka_unit_test(a_take_knows_what_it_continues),
        cmocka_unit_test(a_long_chain_is_read),
        cmocka_unit_test(what_a_model_cannot_do_is_told_where_it_is_asked_for),
        cmocka_unit_test(a_model_that_cannot_be_read_is_a_warning),
        cmocka_unit_test(all_problems_are_found_at_once_in_the_files_order),
        cmocka_unit_test(too_many_results_are_refused),
        cmocka_unit_test(seeds_are_the_documented_hash),
        cmocka_unit_test(settings_come_down_to_each_take),
        cmocka_unit_test(a_models_folder_is_found_beside_the_file),
        cmocka_unit_test(a_file_that_cannot_be_a_title_says_so),
        cmocka_unit_test(a_missing_file_is_a_failure_without_problems),
        cmocka_unit_test(the_schema_has_the_keys_and_ranges_of_the_tables),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_remove);
}
