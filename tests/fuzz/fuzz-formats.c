/* SPDX-License-Identifier: Apache-2.0
 * fuzz-formats COUNT SEED SCRATCH FOLDER...: COUNT times, one file of one good model folder is changed at random, and all that
 * reads models reads it. Reading may fail; it may not crash, take long, or allocate out of proportion (the sanitizer's options
 * say how much). Mutation I of a seed is always the same; SCRATCH/FOLDER holds the last one.
 *
 * Archives and pickles are also read from blocks of exactly their size, where a sanitizer sees every byte too far.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "formats/checkpoint.h"
#include "formats/model.h"
#include "formats/pickle.h"
#include "formats/zip-archive.h"

enum { SEED_MAX_BYTES = 1 << 20, SECONDS_EACH = 20, CHANGES_MAX = 8, RUN_MAX = 64 };

struct seed {
    char *folder;          /* in SCRATCH */
    char *path;            /* the file, in there */
    struct text content;   /* good */
};

struct fuzzer {
    struct seed *seeds;
    size_t count, capacity;
    uint64_t random;       /* xorshift64 */
    size_t opened, refused;
};

static uint64_t draw(struct fuzzer *fuzzer, uint64_t below)
{
    uint64_t x = fuzzer->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    fuzzer->random = x;
    return below ? (x >> 11) % below : 0;
}

static void add_file(struct fuzzer *fuzzer, const char *from, char *to, const char *folder)
{
    struct seed seed = {.folder = copy_string(folder), .path = to};
    if (file_read(from, SEED_MAX_BYTES, &seed.content) || file_write(to, text_string(&seed.content), seed.content.length))
        exit(failure_print("fuzz-formats"));
    fuzzer->seeds = grow(fuzzer->seeds, fuzzer->count, &fuzzer->capacity, sizeof *fuzzer->seeds);
    fuzzer->seeds[fuzzer->count++] = seed;
}

/* Copies a model folder, with those in it. */
static void add_folder(struct fuzzer *fuzzer, const char *from, const char *to, const char *model)
{
    DIR *listing = opendir(from);
    if (!listing || folder_make(to))
        exit(fprintf(stderr, "fuzz-formats: cannot copy '%s'\n", from) > 0);
    for (const struct dirent *entry; (entry = readdir(listing));) {
        if (entry->d_name[0] == '.')
            continue;
        char *source = path_join(from, entry->d_name), *target = path_join(to, entry->d_name);
        if (folder_exists(source)) {
            add_folder(fuzzer, source, target, model);
            free(target);
        } else {
            add_file(fuzzer, source, target, model);
        }
        free(source);
    }
    closedir(listing);
}

/* One change: a byte, a bit, an extreme number, a cut, a run taken out, doubled or moved. */
static void change(struct fuzzer *fuzzer, struct text *text)
{
    static const unsigned char extremes[] = {0, 1, 0x7f, 0x80, 0xff};
    size_t at = (size_t)draw(fuzzer, text->length), run = 1 + (size_t)draw(fuzzer, RUN_MAX);
    unsigned char *bytes = (unsigned char *)text->data;
    if (!text->length)
        return;
    if (run > text->length - at)
        run = text->length - at;
    switch (draw(fuzzer, 8)) {
    case 0:
        bytes[at] ^= (unsigned char)(1 << draw(fuzzer, 8));
        break;
    case 1:
        bytes[at] = (unsigned char)draw(fuzzer, 256);
        break;
    case 2:
        memset(bytes + at, extremes[draw(fuzzer, sizeof extremes)], run < 8 ? run : 8);
        break;
    case 3:
        text->length = draw(fuzzer, 4) ? text->length : at;
        break;
    case 4:
        memmove(bytes + at, bytes + at + run, text->length - at - run);
        text->length -= run;
        break;
    case 5:
        memmove(bytes + at, bytes + (size_t)draw(fuzzer, text->length - run + 1), run);
        break;
    case 6: { /* a run once more */
        char *copy = copy_bytes((char *)bytes + at, text->length - at);
        size_t rest = text->length - at;
        text->length = at + run;
        text_append_bytes(text, copy, rest);
        free(copy);
        break;
    }
    default:
        bytes[at] = bytes[(size_t)draw(fuzzer, text->length)];
    }
}

static void mutate(struct fuzzer *fuzzer, const char *bytes, size_t length, struct text *mutated)
{
    text_append_bytes(mutated, bytes, length);
    for (uint64_t changes = 1 + draw(fuzzer, CHANGES_MAX); changes; changes--)
        change(fuzzer, mutated);
}

static unsigned touch(const unsigned char *bytes, size_t size)
{
    unsigned sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += bytes[i];
    return sum;
}

/* A block of exactly that size. */
static unsigned char *exact_copy(const void *bytes, size_t size)
{
    unsigned char *copy = allocate(size ? size : 1, 1);
    memcpy(copy, bytes, size);
    return copy;
}

static void read_pickle(struct fuzzer *fuzzer, const unsigned char *bytes, size_t size)
{
    struct text mutated = {0};
    mutate(fuzzer, (const char *)bytes, size, &mutated);
    unsigned char *copy = exact_copy(text_string(&mutated), mutated.length);
    pickle_free(pickle_read(copy, mutated.length));
    free(copy);
    text_release(&mutated);
    failure_clear();
}

static unsigned read_archive(const void *bytes, size_t size)
{
    struct zip_archive archive;
    unsigned sum = 0;
    unsigned char *copy = exact_copy(bytes, size);
    if (zip_archive_read(&archive, copy, size) == 0) {
        for (size_t i = 0; i < archive.count; i++)
            sum += touch(archive.members[i].data, archive.members[i].size);
        zip_archive_release(&archive);
    }
    free(copy);
    failure_clear();
    return sum;
}

/* What the programs do before they compute. */
static unsigned read_model(struct fuzzer *fuzzer, const char *folder)
{
    static const char *const names[] = {"decoder.lm_heads.0.weight", "decoder.model.decoder.layers.0.self_attn.k_proj.weight",
                                        "text_encoder.shared.weight", "audio_encoder.decoder.layers.3.conv.bias"};
    struct model model;
    unsigned sum = 0;
    bool good = model_open(&model, folder) == 0;
    if (good)
        free(model_identity(&model));
    model_release(&model);
    failure_clear();
    struct checkpoint *checkpoint = checkpoint_open(folder);
    for (size_t i = 0; checkpoint && i < COUNT_OF(names); i++) {
        const struct array *array = checkpoint_peek(checkpoint, names[i]);
        sum += array ? touch(array->data, array->bytes) : 0;
    }
    *(good && checkpoint ? &fuzzer->opened : &fuzzer->refused) += 1;
    checkpoint_close(checkpoint);
    failure_clear();
    return sum;
}

static unsigned run_once(struct fuzzer *fuzzer)
{
    const struct seed *seed = &fuzzer->seeds[draw(fuzzer, fuzzer->count)];
    struct text mutated = {0};
    struct zip_archive archive;
    unsigned sum = 0;
    if (zip_archive_begins((const unsigned char *)text_string(&seed->content), seed->content.length) && draw(fuzzer, 2)) {
        if (zip_archive_read(&archive, (const unsigned char *)seed->content.data, seed->content.length) == 0)
            for (size_t i = 0; i < archive.count; i++)
                if (has_suffix(archive.members[i].name, "/data.pkl"))
                    read_pickle(fuzzer, archive.members[i].data, archive.members[i].size);
        zip_archive_release(&archive);
        return 0;
    }
    mutate(fuzzer, text_string(&seed->content), seed->content.length, &mutated);
    FILE *file = fopen(seed->path, "wb"); /* not synced: only this process reads it */
    if (!file || fwrite(text_string(&mutated), 1, mutated.length, file) != mutated.length || fclose(file))
        exit(fprintf(stderr, "fuzz-formats: cannot write '%s'\n", seed->path) > 0);
    sum += read_archive(text_string(&mutated), mutated.length) + read_model(fuzzer, seed->folder);
    file = fopen(seed->path, "wb");
    if (!file || fwrite(text_string(&seed->content), 1, seed->content.length, file) != seed->content.length || fclose(file))
        exit(fprintf(stderr, "fuzz-formats: cannot write '%s'\n", seed->path) > 0);
    text_release(&mutated);
    return sum;
}

int main(int argc, char **argv)
{
    struct fuzzer fuzzer = {0};
    int64_t count, seed;
    if (argc < 5 || parse_integer(argv[1], &count) || parse_integer(argv[2], &seed)) {
        fprintf(stderr, "usage: fuzz-formats COUNT SEED SCRATCH FOLDER...\n");
        return EXIT_MISUSE;
    }
    for (int i = 4; i < argc; i++) {
        char *folder = path_join(argv[3], path_name(argv[i]));
        add_folder(&fuzzer, argv[i], folder, folder);
        if (read_model(&fuzzer, folder), fuzzer.refused)
            return fprintf(stderr, "fuzz-formats: '%s' is not good to begin with\n", folder) > 0;
        free(folder);
    }
    unsigned sum = 0;
    for (int64_t i = 0; i < count; i++) {
        fuzzer.random = ((uint64_t)seed << 32 | (uint64_t)i) * 0x9e3779b97f4a7c15 + 1;
        draw(&fuzzer, 1), draw(&fuzzer, 1);
        alarm(SECONDS_EACH);
        sum += run_once(&fuzzer);
    }
    printf("%lld mutations: %zu models opened, %zu refused; checksum %u\n", (long long)count, fuzzer.opened, fuzzer.refused, sum);
    for (size_t i = 0; i < fuzzer.count; i++) {
        free(fuzzer.seeds[i].folder);
        free(fuzzer.seeds[i].path);
        text_release(&fuzzer.seeds[i].content);
    }
    free(fuzzer.seeds);
    return EXIT_DONE;
}
