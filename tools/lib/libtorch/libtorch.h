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
#include <stdint.h>

/* First of all in the main of a program that has libgomp before that begins (it is below FFmpeg): starts the program once more, so that
 * libgomp's threads wait as libtorch's do. Returns in the second start, and where none is needed or can be had. */
void libtorch_start_again(char **argv);

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

/* libtorch_open, and the device that the request names, ready to compute: "auto", "cpu", "cuda", "cuda:1"; anything else is
 * misuse. auto takes CUDA if it works, and says on stderr (base/progress.h) what it took and why; NULL is auto, which has
 * nothing to say where libtorch knows only CPUs. A GPU that is asked for and cannot be used is a failure that says why.
 *
 * memory: bytes that libtorch's allocator may take of a GPU, 0: no limit; it is set before libtorch is loaded, since its
 * allocator reads the environment then. On a GPU all work of this thread goes to one stream of its own, float32 is
 * computed as float32, and operations are those that give the same bits again. Call once, first. */
int device_open(const char *request_or_null, int threads, int64_t memory, struct device *device);
/* What device_open does once libtorch is open. */
int device_resolve(const char *request_or_null, struct device *device);
const char *device_text(struct device device); /* "cpu", "cuda:0" */
const char *device_name(struct device device); /* "NVIDIA GeForce RTX 3080"; "CPU" */

/* Waits until the device has done what it was given. 0, or -1 with its error. */
int device_wait(struct device device);

/* Bytes of the device: a GPU's own, as its driver counts them for all its users, or of this machine what could be had
 * without swapping. -1 with a failure when the driver cannot say. */
struct device_memory { int64_t total, free; };
int device_memory(struct device device, struct device_memory *memory);

/* Is the recorded failure libtorch's, and a refused allocation? Before 2.13 libtorch does not say why it failed: on a GPU
 * every failure of its own may be that, then. */
bool device_refused_memory(void);

#endif
