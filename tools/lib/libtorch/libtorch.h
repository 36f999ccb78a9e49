/* SPDX-License-Identifier: Apache-2.0
 * libtorch - opening libtorch at run time through its exported C symbols. Only the files of this folder see it.
 *
 * Order: $LEITMOTIF_LIBTORCH (the .so itself, torch/lib, torch/, or the folder that holds torch/), the last of these as the
 * installer wrote it into libtorch.path (project folder, then /opt/leitmotif), python3's own torch. 2.11 and later. Where
 * libtorch.so cannot be opened (a CUDA build without NVIDIA's packages), libtorch_cpu.so beside it serves.
 */
#ifndef LEITMOTIF_LIBTORCH_LIBTORCH_H
#define LEITMOTIF_LIBTORCH_LIBTORCH_H

#include <stdbool.h>

/* Loads, resolves, sets threads (> 0), switches grad mode off, and checks every operation wrapper once against known
 * numbers (some ms). One clear failure when libtorch is missing, too old, or computes wrongly. Call once, first. */
int libtorch_open(int threads);

const char *libtorch_version(void); /* "2.13.0" */
const char *libtorch_place(void);   /* the file loaded */
int libtorch_threads(void);         /* as given to libtorch_open */

enum device_kind { DEVICE_CPU, DEVICE_CUDA };
struct device { enum device_kind kind; int index; };

/* Is the request a word for a device ("auto", "cpu", "cuda", "cuda:1"; NULL for auto), whether or not it is there? Else
 * misuse. Needs no libtorch. */
int device_check(const char *request_or_null);

/* "auto", "cpu", "cuda", "cuda:1" -> a device that works, after libtorch_open; anything else is misuse. auto takes CUDA if it
 * is there, and says on stderr (base/progress.h) what it took and why; NULL is auto, which has nothing to say where libtorch
 * knows only CPUs. A GPU that is asked for and cannot be used is a failure that says why. */
int device_resolve(const char *request_or_null, struct device *device);
const char *device_text(struct device device); /* "cpu", "cuda:0" */

#endif
