/* SPDX-License-Identifier: Apache-2.0
 * torch-file - the tensors of a file that PyTorch's save() wrote (a ZIP archive with a pickle and the raw values), as
 * arrays. Mapped in place; only tensors that do not lie in row-major order are copied. Nothing of it is executed.
 *
 * Three kinds of content: a dict of tensors (transformers' pytorch_model.bin); a dict with 'best_state', the tensors, and
 * 'xp.cfg', the configuration as YAML (audiocraft); a dict with 'pretrained', the name of a repository that holds the
 * weights (audiocraft's pointer). Checked wholly before use (docs/formats.md lists the checks).
 */
#ifndef LEITMOTIF_FORMATS_TORCH_FILE_H
#define LEITMOTIF_FORMATS_TORCH_FILE_H

#include "formats/safetensors.h"

struct torch_file; /* an open file */

/* NULL on failure, which names the file. Arrays and texts stay valid until torch_file_close, which accepts NULL. */
struct torch_file *torch_file_open(const char *path);
void torch_file_close(struct torch_file *file);

size_t torch_file_count(const struct torch_file *file);
const struct array *torch_file_array(const struct torch_file *file, size_t index);          /* sorted by name */
const struct array *torch_file_find(const struct torch_file *file, const char *name);       /* or NULL, no failure */

/* A text of the outermost dict ("xp.cfg", "pretrained"), not terminated; NULL without a failure. */
const char *torch_file_text(const struct torch_file *file, const char *key, size_t *length);

#endif
