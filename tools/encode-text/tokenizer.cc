/* SPDX-License-Identifier: Apache-2.0 */
#include "encode-text/tokenizer.h"

#include <sentencepiece_processor.h>

#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

extern "C" {
#include "base/failure.h"
#include "base/memory.h"
}

struct tokenizer {
    sentencepiece::SentencePieceProcessor processor;
};

/* No exception may leave these functions: their callers are C. */

struct tokenizer *tokenizer_open(const char *path)
try {
    auto *tokenizer = new struct tokenizer;
    const auto status = tokenizer->processor.Load(path);
    if (status.ok() && tokenizer->processor.eos_id() >= 0)
        return tokenizer;
    delete tokenizer;
    if (status.ok())
        fail("'%s' has no end mark, which T5 needs: it is of another kind of model", path);
    else if (status.code() == sentencepiece::util::StatusCode::kInternal) /* its text is a line of SentencePiece's source */
        fail("'%s' is no SentencePiece model, or damaged: fetch the model again", path);
    else
        fail("cannot read the tokenizer '%s': %s", path, status.error_message());
    return nullptr;
} catch (const std::exception &exception) {
    fail("'%s': %s", path, exception.what());
    return nullptr;
}

void tokenizer_close(struct tokenizer *tokenizer) { delete tokenizer; }

int tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t length, int32_t **ids, int64_t *count)
try {
    std::vector<int> encoded;
    const auto status = tokenizer->processor.Encode(std::string(text, length), &encoded);
    if (!status.ok())
        return fail("cannot tokenize the prompt: %s", status.error_message());
    encoded.push_back(tokenizer->processor.eos_id());
    *ids = static_cast<int32_t *>(allocate(encoded.size(), sizeof **ids));
    for (size_t i = 0; i < encoded.size(); i++)
        (*ids)[i] = encoded[i];
    *count = static_cast<int64_t>(encoded.size());
    return 0;
} catch (const std::exception &exception) {
    return fail("cannot tokenize the prompt: %s", exception.what());
}
