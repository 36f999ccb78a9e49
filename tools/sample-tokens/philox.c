/* SPDX-License-Identifier: Apache-2.0 */
#include "sample-tokens/philox.h"

#include <string.h>

enum { ROUNDS = 10 };

/* The multipliers and Weyl increments of the paper. */
static const uint32_t MULTIPLIER_0 = 0xD2511F53, MULTIPLIER_1 = 0xCD9E8D57;
static const uint32_t WEYL_0 = 0x9E3779B9, WEYL_1 = 0xBB67AE85;

void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t result[4])
{
    uint32_t c[4], k[2] = {key[0], key[1]};
    memcpy(c, counter, sizeof c);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t a = (uint64_t)MULTIPLIER_0 * c[0], b = (uint64_t)MULTIPLIER_1 * c[2];
        uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ k[0], (uint32_t)b, (uint32_t)(a >> 32) ^ c[3] ^ k[1], (uint32_t)a};
        memcpy(c, next, sizeof c);
        k[0] += WEYL_0;
        k[1] += WEYL_1;
    }
    memcpy(result, c, sizeof c);
}

double philox_uniform(int64_t seed, int64_t frame, int64_t codebook)
{
    uint64_t s = (uint64_t)seed, f = (uint64_t)frame;
    uint32_t key[2] = {(uint32_t)s, (uint32_t)(s >> 32)};
    uint32_t counter[4] = {(uint32_t)f, (uint32_t)(f >> 32), (uint32_t)codebook, 0}, bits[4];
    philox4x32(counter, key, bits);
    uint64_t wide = (uint64_t)bits[0] << 32 | bits[1];
    return (double)(wide >> 11) * 0x1p-53;
}
