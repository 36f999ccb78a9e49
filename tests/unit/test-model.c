/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <utime.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "formats/checkpoint.h"
#include "formats/model.h"
#include "scratch.h"

/* A configuration of the published small model's shape, as far as it is read. */
static const char base_config[] =
    "{\"model_type\":\"musicgen\","
    "\"text_encoder\":{\"model_type\":\"t5\",\"d_model\":768,\"num_layers\":12,\"num_heads\":12,\"d_ff\":3072},"
    "\"decoder\":{\"hidden_size\":1024,\"num_hidden_layers\":24,\"num_attention_heads\":16,\"ffn_dim\":4096},"
    "\"audio_encoder\":{\"model_type\":\"encodec\",\"sampling_rate\":32000,\"num_filters\":64,\"codebook_size\":2048,"
    "\"upsampling_ratios\":[8,5,4,4],\"use_causal_conv\":false,\"use_conv_shortcut\":false}}";

static void put_text(const char *name, const char *text)
{
    free(scratch_file(name, text, strlen(text)));
}

/* Sets the environment so that nothing outside the scratch folder is looked at but the project's own model-cache. */
static int start_alone(void **state)
{
    static const char *const unset[] = {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "AUDIOCRAFT_CACHE_DIR"};
    if (scratch_open(state))
        return -1;
    for (size_t i = 0; i < COUNT_OF(unset); i++)
        unsetenv(unset[i]);
    char *home = scratch_path("home"), *cache = scratch_path("hashes");
    setenv("HOME", home, 1);
    setenv("LEITMOTIF_CACHE", cache, 1);
    free(home);
    free(cache);
    return 0;
}

/* A model folder of this configuration with weights that nobody opens; "" or NULL: without that file. */
static char *model_folder(const char *name, const char *config, const char *generation)
{
    char *folder = scratch_path(name);
    const char *const files[][2] = {
        {"config.json", config}, {"generation_config.json", generation}, {"model.safetensors", "weights"}};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        char *path = format_string("%s/%s", name, files[i][0]), *whole = scratch_path(path);
        unlink(whole);
        if (files[i][1])
            put_text(path, files[i][1]);
        free(path);
        free(whole);
    }
    return folder;
}

/* The base configuration with section.key set to a JSON text; section "": at the top; value NULL: removed. */
static char *changed_config(const char *section, const char *key, const char *value)
{
    json_t *config = json_parse(base_config, strlen(base_config), "base");
    json_t *object = section[0] ? json_object_get(config, section) : config;
    if (value)
        json_object_set_new(object, key, json_parse(value, strlen(value), key));
    else
        json_object_del(object, key);
    assert_false(failed());
    char *text = json_canonical(config);
    json_decref(config);
    return text;
}

static void assert_config_refused(const char *section, const char *key, const char *value, const char *reason)
{
    struct model model;
    char *config = changed_config(section, key, value), *folder = model_folder("changed", config, NULL);
    if (model_open(&model, folder) == 0)
        print_error("%s.%s = %s was accepted\n", section, key, value ? value : "(absent)");
    assert_refused("/config.json'", reason);
    assert_null(model.folder);
    free(config);
    free(folder);
}

static void the_configuration_is_read(void **state)
{
    struct model model;
    (void)state;
    char *folder = model_folder("good", base_config, "{\"max_length\":1503,\"guidance_scale\":2.5}");
    assert_int_equal(model_open(&model, folder), 0);
    assert_string_equal(model.name, "good");
    assert_string_equal(model.licence, "unknown");
    assert_int_equal(model.kind, MODEL_TEXT);
    assert_int_equal(model.text.width, 768);
    assert_int_equal(model.text.head_width, 64);
    assert_int_equal(model.text.vocabulary, 32128);
    assert_true(model.text.epsilon == 1e-6);
    assert_int_equal(model.language.width, 1024);
    assert_int_equal(model.language.codebooks, 4);
    assert_int_equal(model.language.vocabulary, 2048);
    assert_int_equal(model.codec.codebooks, 4);
    assert_int_equal(model.codec.hop, 640);
    assert_int_equal(model.codec.ratio_count, 4);
    assert_int_equal(model.codec.ratios[1], 5);
    assert_true(model.codec.pad_reflect);
    assert_int_equal(model.frame_rate_hz, 50);
    assert_int_equal(model.window_frames, 1500);
    assert_int_equal(model.stride_frames, 900);
    assert_true(model.guidance == 2.5);
    model_release(&model);
    model_release(&model);
    free(folder);
}

static void every_value_has_its_check(void **state)
{
    static const struct {
        const char *section, *key, *value, *reason;
    } wrong[] = {
        {"", "model_type", NULL, "model_type is ''"},
        {"", "model_type", "\"llama\"", "model_type is 'llama'"},
        {"", "decoder", NULL, "decoder is missing"},
        {"", "text_encoder", "[]", "text_encoder is missing or no object"},
        {"text_encoder", "model_type", "\"bert\"", "only \"t5\" is supported"},
        {"text_encoder", "feed_forward_proj", "\"gated-gelu\"", "only \"relu\""},
        {"text_encoder", "is_gated_act", "true", "only false"},
        {"text_encoder", "d_model", "0", "d_model is 0, expected 1 to"},
        {"text_encoder", "d_model", "-1", "d_model is -1"},
        {"text_encoder", "d_model", "768.0", "not a whole number"},
        {"text_encoder", "d_model", "\"768\"", "not a whole number"},
        {"text_encoder", "num_layers", "1000000000000", "num_layers is 1000000000000"},
        {"text_encoder", "vocab_size", "9223372036854775807", "vocab_size is 9223372036854775807"},
        {"text_encoder", "layer_norm_epsilon", "0", "layer_norm_epsilon"},
        {"text_encoder", "layer_norm_epsilon", "\"x\"", "layer_norm_epsilon"},
        {"text_encoder", "relative_attention_num_buckets", "6", "not a multiple of 4"},
        {"text_encoder", "relative_attention_max_distance", "8", "not above a quarter"},
        {"decoder", "activation_function", "\"gelu_new\"", "only \"gelu\""},
        {"decoder", "scale_embedding", "true", "only false"},
        {"decoder", "hidden_size", "1000", "1000 with 16 heads, expected 64 for each"},
        {"decoder", "num_attention_heads", "8", "1024 with 8 heads"},
        {"decoder", "num_codebooks", "8", "expected 4 for each of 1 channels"},
        {"decoder", "audio_channels", "2", "expected 4 for each of 2 channels"},
        {"decoder", "audio_channels", "3", "audio_channels is 3"},
        {"decoder", "vocab_size", "1024", "but audio_encoder.codebook_size 2048"},
        {"decoder", "pad_token_id", "0", "pad_token_id is not the vocabulary's size"},
        {"decoder", "bos_token_id", "2048.0", "bos_token_id is not the vocabulary's size"},
        {"decoder", "cross_attention_hidden_size", "768", "only null"},
        {"audio_encoder", "model_type", "\"dac\"", "only \"encodec\""},
        {"audio_encoder", "audio_channels", "2", "only 1"},
        {"audio_encoder", "norm_type", "\"time_group_norm\"", "only \"weight_norm\""},
        {"audio_encoder", "use_causal_conv", NULL, "use_causal_conv is true, and only false"},
        {"audio_encoder", "use_conv_shortcut", "true", "only false"},
        {"audio_encoder", "normalize", "true", "only false"},
        {"audio_encoder", "chunk_length_s", "1.0", "only null"},
        {"audio_encoder", "pad_mode", "\"replicate\"", "pad_mode is 'replicate'"},
        {"audio_encoder", "pad_mode", "1", "pad_mode is ''"},
        {"audio_encoder", "codebook_dim", "64", "codebook_dim is not its hidden_size 128"},
        {"audio_encoder", "upsampling_ratios", "[]", "no array of 1 to 8"},
        {"audio_encoder", "upsampling_ratios", "[2,2,2,2,2,2,2,2,2]", "no array of 1 to 8"},
        {"audio_encoder", "upsampling_ratios", "640", "no array of 1 to 8"},
        {"audio_encoder", "upsampling_ratios", "[8,5,4,0]", "number 4 is not within"},
        {"audio_encoder", "upsampling_ratios", "[8,5,4,\"4\"]", "number 4 is not within"},
        {"audio_encoder", "upsampling_ratios", "[64,64,64,64,64,64,64,64]", "no whole number of frames"},
        {"audio_encoder", "upsampling_ratios", "[1,1,1]", "no whole number of frames"},
        {"audio_encoder", "sampling_rate", "32001", "no whole number of frames"},
        {"audio_encoder", "num_filters", "4095", "too many"},
        {"audio_encoder", "num_filters", "63", "not a multiple of compress 2"},
        {"audio_encoder", "kernel_size", "64", "kernel_size is 64"},
        {"audio_encoder", "compress", "0", "compress is 0"},
        {"audio_encoder", "num_lstm_layers", "0", "num_lstm_layers is 0"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_config_refused(wrong[i].section, wrong[i].key, wrong[i].value, wrong[i].reason);
}

static void null_and_absent_mean_the_default(void **state)
{
    static const char *const keys[][2] = {{"decoder", "pad_token_id"}, {"decoder", "audio_channels"}, {"audio_encoder", "kernel_size"},
                                          {"audio_encoder", "chunk_length_s"}, {"text_encoder", "layer_norm_epsilon"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct model model;
        char *config = changed_config(keys[i][0], keys[i][1], "null"), *folder = model_folder("null", config, "{\"max_length\":null}");
        assert_int_equal(model_open(&model, folder), 0);
        assert_int_equal(model.codec.kernel, 7);
        assert_int_equal(model.window_frames, 1500);
        model_release(&model);
        free(config);
        free(folder);
    }
}

static void the_kind_is_recognised(void **state)
{
    static const struct {
        const char *section, *key, *value;
        enum model_kind kind;
    } kinds[] = {
        {"", "model_type", "\"musicgen_melody\"", MODEL_MELODY},
        {"", "decoder", "{\"audio_channels\":2,\"num_codebooks\":8}", MODEL_STEREO},
        {"", "decoder", "{}", MODEL_TEXT},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct model model;
        char *config = changed_config(kinds[i].section, kinds[i].key, kinds[i].value), *folder = model_folder("kind", config, NULL);
        assert_int_equal(model_open(&model, folder), 0);
        assert_int_equal(model.kind, kinds[i].kind);
        assert_int_equal(model.codec.codebooks, 4);
        model_release(&model);
        free(config);
        free(folder);
    }
}

static void the_window_is_whole_seconds(void **state)
{
    static const struct {
        const char *generation;
        int64_t window, stride;
        const char *reason;
    } cases[] = {
        {NULL, 1500, 900, NULL},
        {"{}", 1500, 900, NULL},
        {"{\"max_length\":1500}", 1500, 900, NULL},
        {"{\"max_length\":503,\"guidance_scale\":3}", 500, 300, NULL},
        {"{\"max_length\":50}", 50, 30, NULL},
        {"{\"max_length\":49}", 0, 0, "max_length is no whole number of frames from one second, 50"},
        {"{\"max_length\":100000000}", 0, 0, "max_length"},
        {"{\"max_length\":\"1500\"}", 0, 0, "max_length"},
        {"{\"guidance_scale\":\"3\"}", 0, 0, "guidance_scale"},
        {"{\"guidance_scale\":-1}", 0, 0, "guidance_scale"},
        {"[]x", 0, 0, "not valid JSON"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct model model;
        char *folder = model_folder("window", base_config, cases[i].generation);
        int result = model_open(&model, folder);
        if (cases[i].reason)
            assert_refused("generation_config.json'", cases[i].reason);
        assert_int_equal(result, cases[i].reason ? -1 : 0);
        assert_int_equal(model.window_frames, cases[i].window);
        assert_int_equal(model.stride_frames, cases[i].stride);
        model_release(&model);
        free(folder);
    }
}

static void a_configuration_cut_at_any_byte_is_refused(void **state)
{
    struct model model;
    (void)state;
    for (size_t length = strlen(base_config); length-- > 0;) {
        char *config = copy_bytes(base_config, length), *folder = model_folder("cut", config, NULL);
        assert_int_equal(model_open(&model, folder), -1);
        assert_refused("/config.json'", "not valid JSON");
        free(config);
        free(folder);
    }
}

/* A model in the hub's layout below root: files are links into blobs/. Returns the snapshot's path below scratch. */
static char *hub_model(const char *root, const char *repository, const char *config, const char *blob)
{
    char *base = format_string("%s/models--%s", root, repository), *reference = format_string("%s/refs/main", base);
    char *snapshot = format_string("%s/snapshots/0123abc", base), *text_file = format_string("%s/config.json", snapshot);
    char *content = format_string("%s/blobs/%s", base, blob), *target = format_string("../../blobs/%s", blob);
    char *name = format_string("%s/model.safetensors", snapshot), *link = scratch_path(name);
    put_text(reference, "0123abc");
    put_text(text_file, config);
    put_text(content, "weights");
    unlink(link);
    assert_int_equal(symlink(target, link), 0);
    char *const all[] = {base, reference, text_file, content, target, name, link};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        free(all[i]);
    return snapshot;
}

static void assert_found(const char *request, const char *below_scratch)
{
    char *found = model_find(request), *expected = scratch_path(below_scratch);
    assert_string_equal(failure_text(), "");
    assert_string_equal(found, expected);
    free(found);
    free(expected);
}

static void set_root(const char *variable, const char *below_scratch)
{
    char *root = scratch_path(below_scratch);
    setenv(variable, root, 1);
    free(root);
}

static void caches_are_searched_in_order(void **state)
{
    static const struct {
        const char *variable, *value, *root;
    } places[] = {
        {"AUDIOCRAFT_CACHE_DIR", "craft", "craft"},
        {"HOME", "home", "home/.cache/huggingface/hub"},
        {"XDG_CACHE_HOME", "xdg", "xdg/huggingface/hub"},
        {"HF_HOME", "hf", "hf/hub"},
        {"HUGGINGFACE_HUB_CACHE", "older", "older"},
        {"HF_HUB_CACHE", "hub", "hub"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(places); i++) { /* each goes before those set so far */
        char *snapshot = hub_model(places[i].root, "facebook--musicgen-small", base_config, "b1");
        set_root(places[i].variable, places[i].value);
        assert_found("small", snapshot);
        assert_found("facebook/musicgen-small", snapshot);
        free(snapshot);
    }
    for (size_t i = 0; i < COUNT_OF(places); i++)
        if (strcmp(places[i].variable, "HOME") != 0)
            unsetenv(places[i].variable);
}

static void what_was_found_has_a_name_and_a_licence(void **state)
{
    struct model model;
    (void)state;
    char *snapshot = hub_model("named", "facebook--audiogen-medium", base_config, "b1"), *folder = scratch_path(snapshot);
    set_root("HF_HUB_CACHE", "named");
    static const char *const names[] = {"audiogen-medium", "facebook/audiogen-medium", NULL};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_int_equal(model_open(&model, names[i] ? names[i] : folder), 0);
        assert_string_equal(model.name, names[i] ? names[i] : "facebook/audiogen-medium");
        assert_string_equal(model.licence, "CC-BY-NC-4.0");
        assert_int_equal(model.kind, MODEL_AUDIOGEN);
        assert_int_equal(model.stride_frames, 300);
        model_release(&model);
    }
    unsetenv("HF_HUB_CACHE");
    free(snapshot);
    free(folder);
}

static void an_incomplete_model_is_passed_over_then_named(void **state)
{
    (void)state;
    char *first = hub_model("part", "facebook--musicgen-stereo-melody-large", base_config, "b1");
    char *blob = scratch_path("part/models--facebook--musicgen-stereo-melody-large/blobs/b1");
    assert_int_equal(unlink(blob), 0); /* the link is broken now */
    set_root("HF_HUB_CACHE", "part");
    assert_null(model_find("stereo-melody-large"));
    assert_refused("part/models--facebook--musicgen-stereo-melody-large/snapshots/0123abc'", "holds no weights");
    char *second = hub_model("whole", "facebook--musicgen-stereo-melody-large", base_config, "b2");
    set_root("AUDIOCRAFT_CACHE_DIR", "whole");
    assert_found("stereo-melody-large", second);
    put_text("part/models--facebook--musicgen-stereo-melody-large/refs/main", "../../../x");
    assert_null(model_find("stereo-melody-large"));
    assert_refused("refs/main'", "names no commit");
    unsetenv("HF_HUB_CACHE");
    unsetenv("AUDIOCRAFT_CACHE_DIR");
    free(first);
    free(second);
    free(blob);
}

static void a_folder_needs_no_slash_but_short_names_win(void **state)
{
    struct model model;
    (void)state;
    char *here = getcwd(NULL, 0);
    free(model_folder("mine", base_config, NULL));
    free(model_folder("stereo-melody-large", base_config, NULL));
    assert_int_equal(chdir(scratch), 0);
    assert_int_equal(model_open(&model, "mine"), 0);
    assert_string_equal(model.name, "mine");
    model_release(&model);
    assert_int_equal(model_open(&model, "./stereo-melody-large"), 0);
    assert_string_equal(model.licence, "unknown");
    model_release(&model);
    assert_null(model_find("stereo-melody-large"));
    assert_refused("stereo-melody-large", "fetch-model");
    assert_int_equal(chdir(here), 0);
    free(here);
}

static void a_missing_model_says_where_and_how(void **state)
{
    static const struct {
        const char *request, *reason;
    } missing[] = {
        {"stereo-melody-large", "home/.cache/huggingface/hub', '"},
        {"stereo-melody-large", "'/opt/leitmotif/model-cache'; fetch it with: fetch-model stereo-melody-large"},
        {"nobody/nothing", "fetch it with: fetch-model nobody/nothing"},
        {"meduim", "not known (did you mean 'medium'?)"},
        {"zzzzzzzzzzzz", "is not known and not in"},
        {"", "is no model"},
        {"a b", "is no model"},
        {"./nowhere", "does not exist"},
        {"/nowhere", "does not exist"},
        {"a/b/c", "does not exist"},
        {"../musicgen", "does not exist"},
        {"..", "holds no weights"},
    };
    struct model model;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(missing); i++) {
        assert_int_equal(model_open(&model, missing[i].request), -1);
        assert_int_equal(failure_status(), EXIT_FAILED);
        assert_null(strchr(failure_text(), '\n'));
        assert_refused(missing[i].request, missing[i].reason);
    }
}

static void the_demo_model_opens(void **state)
{
    static const char *const prefixes[] = {"text_encoder.*", "decoder.*", "audio_encoder.*", "enc_to_dec_proj.*"};
    struct model model;
    (void)state;
    assert_int_equal(model_open(&model, "demo"), 0);
    assert_string_equal(model.name, "demo");
    assert_string_equal(model.licence, "Apache-2.0");
    struct checkpoint *checkpoint = checkpoint_open(model.folder);
    assert_non_null(checkpoint);
    for (size_t i = 0; i < COUNT_OF(prefixes); i++)
        checkpoint_ignore(checkpoint, prefixes[i]);
    assert_int_equal(checkpoint_finish(checkpoint, ""), 0);
    assert_non_null(checkpoint_take(checkpoint, 2, (int64_t[]){model.language.vocabulary + 1, model.language.width},
                                    "decoder.model.decoder.embed_tokens.%d.weight", 0));
    checkpoint_close(checkpoint);
    model_release(&model);
}

static char *identity_of(const char *request)
{
    struct model model;
    assert_int_equal(model_open(&model, request), 0);
    char *identity = model_identity(&model);
    assert_non_null(identity);
    model_release(&model);
    return identity;
}

static void assert_identities(const char *one, const char *two, bool same)
{
    char *a = identity_of(one), *b = identity_of(two);
    assert_int_equal(strlen(a), HASH_HEX_SIZE - 1);
    assert_int_equal(strcmp(a, b) == 0, same);
    free(a);
    free(b);
}

static void identity_is_of_the_content(void **state)
{
    (void)state;
    char *one = model_folder("id-one", base_config, NULL), *two = model_folder("id-two", base_config, NULL);
    assert_identities(one, two, true);
    put_text("id-two/readme.md", "not read by any program");
    assert_identities(one, two, true);
    put_text("id-two/model.safetensors", "Weights");
    assert_identities(one, two, false);
    put_text("id-two/model.safetensors", "weights");
    put_text("id-two/spiece.model", "pieces");
    assert_identities(one, two, false);
    free(one);
    free(two);
}

/* The hash in the link's name is believed: the blob's own content is not that of this name. */
static void identity_takes_the_hash_of_the_hub(void **state)
{
    (void)state;
    char *one = hub_model("ids", "a--b", base_config, "00000000000000000000000000000000000000000000000000000000000000aa");
    char *two = hub_model("ids", "a--c", base_config, "00000000000000000000000000000000000000000000000000000000000000bb");
    set_root("HF_HUB_CACHE", "ids");
    assert_identities("a/b", "a/b", true);
    assert_identities("a/b", "a/c", false);
    unsetenv("HF_HUB_CACHE");
    free(one);
    free(two);
}

/* A large file changed behind the memory's back keeps its remembered hash while inode, size and times are the same:
 * so it is the memory that answers. Then a change that shows in the times is noticed. */
static void identity_remembers_large_files(void **state)
{
    char *weights = allocate(1, 2 << 20), *folder = model_folder("large", base_config, NULL);
    char *path = scratch_file("large/model.safetensors", weights, 2 << 20), *memory = scratch_path("hashes/file-hash");
    struct stat status;
    (void)state;
    char *fresh = identity_of(folder);
    assert_false(folder_exists(memory)); /* changed just now: not yet remembered */
    sleep(3);
    char *remembered = identity_of(folder);
    assert_string_equal(fresh, remembered);
    assert_int_equal(stat(path, &status), 0);
    char *line = format_string("%s/%lx-%lx", memory, (unsigned long)status.st_dev, (unsigned long)status.st_ino);
    struct text content = {0};
    assert_int_equal(file_read(line, 1000, &content), 0);
    char *digit = content.data + content.length - 1;
    *digit = *digit == '0' ? '1' : '0';
    assert_int_equal(file_write(line, content.data, content.length), 0);
    char *recalled = identity_of(folder);
    assert_string_not_equal(recalled, fresh);
    assert_int_equal(utime(path, NULL), 0);
    char *computed = identity_of(folder);
    assert_string_equal(computed, fresh);
    char *const all[] = {weights, folder, path, memory, fresh, remembered, line, recalled, computed};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        free(all[i]);
    text_release(&content);
}

static void identity_works_without_a_place_to_remember(void **state)
{
    char *kept = copy_string(getenv("LEITMOTIF_CACHE")), *folder = model_folder("unwritable", base_config, NULL);
    (void)state;
    setenv("LEITMOTIF_CACHE", "/dev/null/x", 1);
    free(identity_of(folder));
    assert_identities("demo", "demo", true);
    assert_false(failed());
    setenv("LEITMOTIF_CACHE", kept, 1);
    free(folder);
    free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_configuration_is_read),
        cmocka_unit_test(every_value_has_its_check),
        cmocka_unit_test(null_and_absent_mean_the_default),
        cmocka_unit_test(the_kind_is_recognised),
        cmocka_unit_test(the_window_is_whole_seconds),
        cmocka_unit_test(a_configuration_cut_at_any_byte_is_refused),
        cmocka_unit_test(caches_are_searched_in_order),
        cmocka_unit_test(what_was_found_has_a_name_and_a_licence),
        cmocka_unit_test(an_incomplete_model_is_passed_over_then_named),
        cmocka_unit_test(a_folder_needs_no_slash_but_short_names_win),
        cmocka_unit_test(a_missing_model_says_where_and_how),
        cmocka_unit_test(the_demo_model_opens),
        cmocka_unit_test(identity_is_of_the_content),
        cmocka_unit_test(identity_takes_the_hash_of_the_hub),
        cmocka_unit_test(identity_remembers_large_files),
        cmocka_unit_test(identity_works_without_a_place_to_remember),
    };
    return cmocka_run_group_tests(tests, start_alone, scratch_remove);
}
