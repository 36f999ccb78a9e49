/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/failure.h"
#include "base/file.h"

enum { BLOCK_SIZE = 1 << 17 };

static void to_hex(const unsigned char digest[32], char hex[HASH_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 32; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[64] = 0;
}

static const EVP_MD *sha256;

static void find_sha256(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    if (!sha256)
        sha256 = EVP_sha256();
}

/* EVP_sha256() is looked up anew by each digest, which takes longer than the digest of a short text. */
void hash_raw(const void *bytes, size_t length, unsigned char digest[32])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_sha256);
    EVP_Digest(bytes, length, digest, NULL, sha256, NULL);
}

void hash_bytes(const void *bytes, size_t length, char hex[HASH_HEX_SIZE])
{
    unsigned char digest[32];
    hash_raw(bytes, length, digest);
    to_hex(digest, hex);
}

static int hash_descriptor(int descriptor, const char *path, EVP_MD_CTX *context)
{
    static _Thread_local unsigned char block[BLOCK_SIZE];
    ssize_t got;
    EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    while ((got = read(descriptor, block, sizeof block)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail("cannot read '%s': %s", path, strerror(errno));
        EVP_DigestUpdate(context, block, (size_t)got);
    }
    return 0;
}

int hash_file(const char *path, char hex[HASH_HEX_SIZE])
{
    unsigned char digest[32];
    int descriptor = file_open(path);
    if (descriptor < 0)
        return -1;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int result = hash_descriptor(descriptor, path, context);
    EVP_DigestFinal_ex(context, digest, NULL);
    EVP_MD_CTX_free(context);
    close(descriptor);
    if (result == 0)
        to_hex(digest, hex);
    return result;
}
