/* SPDX-License-Identifier: Apache-2.0
 * wording - how the report and its page write things: numbers, sizes, times, shell words, and text inside HTML.
 */
#ifndef LEITMOTIF_WORDING_H
#define LEITMOTIF_WORDING_H

#include <stdint.h>

#include "base/text.h"

void append_html(struct text *text, const char *string);       /* & < > " ' escaped: safe in content and attributes */
void append_shell_word(struct text *text, const char *string); /* as it is, or in single quotes */
void append_number(struct text *text, double number);          /* the fewest digits that give the same double: 0.1, 250 */
void append_bytes(struct text *text, int64_t bytes);           /* "613 KB", "4.1 MB": powers of 1000, as file managers do */
void append_time(struct text *text, double seconds);           /* "12.0 s"; "3:25" from a minute on */

#endif
