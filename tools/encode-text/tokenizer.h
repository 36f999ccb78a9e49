/* SPDX-License-Identifier: Apache-2.0
 * tokenizer - SentencePiece behind four C functions. The only file that sees its C++ is tokenizer.cc.
 *
 * Token ids are what SentencePiece itself gives for the model's own spiece.model, plus the end mark. Words such as
 * "</s>" in a prompt are plain text.
 */
#ifndef LEITMOTIF_ENCODE_TEXT_TOKENIZER_H
#define LEITMOTIF_ENCODE_TEXT_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tokenizer;

/* Reads a spiece.model. NULL on failure, which names the file. Close with tokenizer_close, which accepts NULL. */
struct tokenizer *tokenizer_open(const char *path);
void tokenizer_close(struct tokenizer *tokenizer);

/* The ids of a text in UTF-8, the end mark last: *count >= 1 of them at *ids, yours to free(). */
int tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t length, int32_t **ids, int64_t *count);

#ifdef __cplusplus
}
#endif

#endif
