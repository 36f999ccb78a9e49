/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol.h"

#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"
#include "base/text.h"
#include "cpu/kernels.h"
#include "measuring.h"

enum { LONGEST_TEXT = 4096, DEFAULT_BUFFER = 512 << 20 };

void protocol_defaults(struct protocol *protocol)
{
    protocol->frames = 500;
    protocol->late = 1400;
    protocol->window = 16;
    protocol->buffer = DEFAULT_BUFFER;
    protocol->cache = copy_string("f16");
}

/* Numbers as asked for, or `usual`, which ends with 0. Returns how many, or -1. */
static int read_list(const struct string_list *given, const char *option, const int64_t *usual, int64_t most, int64_t *numbers, size_t room)
{
    size_t count = 0;
    for (; given->count == 0 && usual[count]; count++)
        numbers[count] = usual[count];
    if (given->count > room)
        return misuse("'--%s' is given %zu times, at most %zu are possible", option, given->count, room);
    for (size_t i = 0; i < given->count; i++, count++)
        if (parse_integer(given->items[i], &numbers[i]) || numbers[i] < 1 || numbers[i] > most)
            return misuse("'--%s %s': expected a number from 1 to %lld", option, given->items[i], (long long)most);
    return (int)count;
}

int protocol_check(struct protocol *protocol)
{
    static const int64_t usual_tracks[] = {1, 2, 4, 8, 16, 0}, usual_texts[] = {10, 150, 0};
    int64_t tracks[MOST_SLOTS];
    protocol->track_count = read_list(&protocol->tracks_given, "tracks", usual_tracks, MOST_SLOTS, tracks, MOST_SLOTS);
    protocol->text_count = read_list(&protocol->texts_given, "text", usual_texts, LONGEST_TEXT, protocol->texts, MOST_TEXTS);
    if (protocol->track_count < 0 || protocol->text_count < 0)
        return -1;
    for (int i = 0; i < protocol->track_count; i++) {
        protocol->tracks[i] = (int)tracks[i];
        if (i && tracks[i] <= tracks[i - 1])
            return misuse("'--tracks %lld' after %lld: give rising numbers", (long long)tracks[i], (long long)tracks[i - 1]);
    }
    if (protocol->frames < 4 * protocol->window)
        return misuse("'--frames %lld' is less than four windows of %lld", (long long)protocol->frames, (long long)protocol->window);
    return 0;
}

/* Which of our own kernels compute; null for libtorch. */
static json_t *kernels_name(const struct engine_operations *operations)
{
    return operations == &ENGINE_CPU ? json_string(kernels_choose()->name) : json_null();
}

/* Was the engine to record its steps? null where it cannot. */
static json_t *graph_asked(struct device device)
{
    const char *word = getenv("LEITMOTIF_GRAPH");
    return device.kind == DEVICE_CPU ? json_null() : json_boolean(!word || strcmp(word, "off") != 0);
}

static json_t *device_json(struct device device)
{
    struct device_memory memory = {0};
    device_memory(device, &memory);
    return json_pack("{s:s, s:I}", "name", device_name(device), "memory_bytes", (json_int_t)memory.total);
}

static json_t *report(const struct measuring *measuring)
{
    const struct protocol *protocol = measuring->protocol;
    return json_pack("{s:s, s:o, s:o, s:o, s:s, s:s, s:i, s:O, s:O}", "engine", measuring->operations->name, "kernels",
                     kernels_name(measuring->operations), "device", device_json(measuring->device), "graph", graph_asked(measuring->device),
                     "weights", protocol->weights, "cache", protocol->cache, "threads", measuring->threads, "steps", measuring->cells,
                     "prefill", measuring->prefill);
}

json_t *protocol_run(const struct protocol *protocol, const struct engine_operations *operations, const struct model *model,
                     struct checkpoint *checkpoint, struct device device, int threads)
{
    struct measuring measuring = {.protocol = protocol, .operations = operations, .model = model, .checkpoint = checkpoint,
                                  .device = device, .threads = threads, .cells = json_array(), .prefill = json_null()};
    bool grid = operations == &ENGINE_TORCH;
    measuring.total = grid ? grid_total(protocol) : turns_total(protocol);
    measuring.bandwidth = bandwidth_open(device, (size_t)protocol->buffer, threads);
    if (measuring.bandwidth)
        budget_open(&measuring.budget, device, 0);
    if (!failed() && grid)
        grid_run(&measuring);
    else if (!failed())
        turns_run(&measuring);
    bandwidth_close(measuring.bandwidth);
    json_t *result = failed() ? NULL : report(&measuring);
    json_decref(measuring.cells);
    json_decref(measuring.prefill);
    return result;
}
