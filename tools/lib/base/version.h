/* SPDX-License-Identifier: Apache-2.0
 * version - the program's version, and per stage the version of what its results mean.
 *
 * A result version is raised by hand when the same input gives another output: recipes hold it, so stored results are
 * made again. The golden tests fail when an output changes and its version does not.
 */
#ifndef LEITMOTIF_BASE_VERSION_H
#define LEITMOTIF_BASE_VERSION_H

#define LEITMOTIF_VERSION "0.1.0"

enum result_version {
    ENCODE_TEXT_RESULT = 1,
    ENCODE_AUDIO_RESULT = 1,
    SAMPLE_TOKENS_RESULT = 1,
    DECODE_AUDIO_RESULT = 1,
    TRANSCODE_RESULT = 1,
    VERIFY_RESULT = 1,
};

#endif
