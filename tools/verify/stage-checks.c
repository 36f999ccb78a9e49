/* SPDX-License-Identifier: Apache-2.0
 * Tokens and conditions: what the readers of formats/stage.h refuse, and what they cannot know. docs/verify.md gives the
 * reason for every limit.
 */
#include "verify/checks.h"

#include <inttypes.h>
#include <math.h>

#include "base/json.h"
#include "formats/stage.h"
#include "verify/repetition.h"

static const double FRAME_RATE_HZ = 50;       /* of all MusicGen and AudioGen models, where the recipe does not say */
static const double LONGEST_PERIOD_S = 1;     /* a longer one is music */
static const double LOOP_LIMIT_S = 2, SHORTEST_LOOP_LIMIT_S = 0.5;
static const double VARIETY_WINDOW_S = 5, VARIETY_NEEDS_S = 1;
enum { LEAST_TURNS = 3 };

struct heard { /* tokens and how to count their time */
    struct codes codes;
    double frame_rate_hz;
};

static int64_t frames_in(const struct heard *heard, double seconds)
{
    return llround(seconds * heard->frame_rate_hz);
}

static double seconds_of(const struct heard *heard, int64_t frames)
{
    return (double)frames / heard->frame_rate_hz;
}

static void check_range(const struct tokens *tokens, struct findings *findings)
{
    long long vocabulary;
    int32_t largest = 0;
    for (int64_t i = 0; i < tokens->codebooks * tokens->frames; i++)
        if (tokens->codes[i] > largest)
            largest = tokens->codes[i];
    if (!tokens->recipe || json_member_integer(tokens->recipe, "vocabulary", 0, &vocabulary) || vocabulary <= 0) {
        failure_clear();
        finding_number(findings, CHECK_RANGE, VERDICT_SKIPPED, largest, NAN,
                       "the largest code is %" PRId32 "; the recipe names no vocabulary", largest);
        return;
    }
    finding_number(findings, CHECK_RANGE, verdict_if(true, largest < vocabulary), largest, (double)vocabulary - 1,
                   "the largest code is %" PRId32 ", at most %lld allowed", largest, vocabulary - 1);
}

/* Half of a short piece may not be stuck either. */
static int64_t loop_limit(const struct heard *heard)
{
    double half = seconds_of(heard, heard->codes.frames) / 2;
    return frames_in(heard, fmin(LOOP_LIMIT_S, fmax(half, SHORTEST_LOOP_LIMIT_S)));
}

static struct loop worst_loop(const struct heard *heard, int64_t shorter_than)
{
    struct loop worst = {0};
    for (int64_t period = 2; period <= frames_in(heard, LONGEST_PERIOD_S) && period < heard->codes.frames; period++) {
        struct loop loop = longest_loop(&heard->codes, period);
        if (loop.frames > worst.frames && loop.frames > shorter_than && loop.frames >= LEAST_TURNS * period)
            worst = loop;
    }
    return worst;
}

static void check_repetition(const struct heard *heard, struct findings *findings)
{
    struct loop stuck = longest_loop(&heard->codes, 1), loop = worst_loop(heard, stuck.frames);
    int64_t limit = loop_limit(heard);
    double limit_s = seconds_of(heard, limit), stuck_s = seconds_of(heard, stuck.frames), loop_s = seconds_of(heard, loop.frames);
    finding_number(findings, CHECK_STUCK, verdict_if(true, stuck.frames < limit), stuck_s, limit_s,
                   "stuck on one frame for %.3g s from %.3g s on, less than %.3g s allowed", stuck_s, seconds_of(heard, stuck.start),
                   limit_s);
    finding_number(findings, CHECK_REPETITION, verdict_if(true, loop.frames < limit), loop_s, limit_s,
                   "the same %" PRId64 " frames over and over for %.3g s from %.3g s on, less than %.3g s allowed", loop.period,
                   loop_s, seconds_of(heard, loop.start), limit_s);
}

static void check_variety(const struct heard *heard, struct findings *findings)
{
    int64_t window = frames_in(heard, VARIETY_WINDOW_S), start = 0;
    if (window > heard->codes.frames)
        window = heard->codes.frames;
    if (window < frames_in(heard, VARIETY_NEEDS_S)) {
        finding_number(findings, CHECK_VARIETY, VERDICT_SKIPPED, NAN, MOST_DISTINCT, "too short to count different frames");
        return;
    }
    int fewest = fewest_distinct(&heard->codes, window, &start);
    bool varied = fewest >= MOST_DISTINCT; /* counting stops there */
    finding_number(findings, CHECK_VARIETY, verdict_if(true, varied), fewest, MOST_DISTINCT,
                   varied ? "at least %d different frames in every %.3g s" : "only %d different frames in the %.3g s from %.3g s on", fewest,
                   seconds_of(heard, window), seconds_of(heard, start));
}

static double frame_rate_of(const struct tokens *tokens)
{
    double rate = FRAME_RATE_HZ;
    if (tokens->recipe && json_member_number(tokens->recipe, "frame_rate", FRAME_RATE_HZ, &rate))
        failure_clear();
    return rate > 0 ? rate : FRAME_RATE_HZ;
}

int check_tokens(const struct expectations *expectations, struct findings *findings)
{
    struct tokens tokens = {0};
    if (expectations_refuse_audio(expectations, "tokens"))
        return -1;
    if (tokens_read(&tokens, expectations->input))
        return finding_of_failure(findings);
    struct heard heard = {{tokens.codes, tokens.codebooks, tokens.frames}, frame_rate_of(&tokens)};
    finding_number(findings, CHECK_DECODE, VERDICT_OK, (double)tokens.frames, NAN, "%" PRId64 " frames of %" PRId64 " codebooks",
                   tokens.frames, tokens.codebooks);
    check_duration(expectations, findings, seconds_of(&heard, tokens.frames));
    check_range(&tokens, findings);
    check_repetition(&heard, findings);
    check_variety(&heard, findings);
    tokens_release(&tokens);
    return 0;
}

/* The reader refuses all that can be wrong with one: shapes that disagree, ids below 0, numbers that are not finite. */
int check_condition(const struct expectations *expectations, struct findings *findings)
{
    struct condition condition = {0};
    if (expectations_refuse_audio(expectations, "a condition") || expectations_refuse_duration(expectations, "a condition"))
        return -1;
    if (condition_read(&condition, expectations->input))
        return finding_of_failure(findings);
    finding_number(findings, CHECK_DECODE, VERDICT_OK, (double)condition.tokens, NAN, "%" PRId64 " tokens of width %" PRId64,
                   condition.tokens, condition.width);
    condition_release(&condition);
    return 0;
}
