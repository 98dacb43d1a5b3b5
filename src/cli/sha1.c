/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-1 straight from FIPS 180-4. libsodium leaves it out for good reasons,
 * and the split of a corpus by file names is the only thing that needs it here,
 * so it stays small instead of fast.
 */
#include "cli/sha1.h"

#include <string.h>

static uint32_t rotate(uint32_t value, int bits)
{
    return (value << bits) | (value >> (32 - bits));
}

static uint32_t load_word(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
           (uint32_t)bytes[2] << 8 | bytes[3];
}

/* The round's function and constant (FIPS 180-4, 4.1.1 and 4.2.1). */
static uint32_t mix(int round, const uint32_t v[5])
{
    if (round < 20) {
        return ((v[1] & v[2]) ^ (~v[1] & v[3])) + 0x5a827999U;
    }
    if (round < 40) {
        return (v[1] ^ v[2] ^ v[3]) + 0x6ed9eba1U;
    }
    if (round < 60) {
        return ((v[1] & v[2]) ^ (v[1] & v[3]) ^ (v[2] & v[3])) + 0x8f1bbcdcU;
    }
    return (v[1] ^ v[2] ^ v[3]) + 0xca62c1d6U;
}

static void add_block(uint32_t state[5], const uint8_t block[64])
{
    uint32_t w[80];
    for (int i = 0; i < 16; i++) {
        w[i] = load_word(block + 4 * i);
    }
    for (int i = 16; i < 80; i++) {
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    }

    uint32_t v[5];
    memcpy(v, state, sizeof(v));
    for (int i = 0; i < 80; i++) {
        uint32_t next = rotate(v[0], 5) + mix(i, v) + v[4] + w[i];
        v[4] = v[3];
        v[3] = v[2];
        v[2] = rotate(v[1], 30);
        v[1] = v[0];
        v[0] = next;
    }
    for (int i = 0; i < 5; i++) {
        state[i] += v[i];
    }
}

static void store_big_endian(uint64_t value, int bytes, uint8_t *out)
{
    for (int i = bytes - 1; i >= 0; i--) {
        out[i] = (uint8_t)value;
        value >>= 8;
    }
}

void nd_sha1(const void *data, size_t length, uint8_t digest_r[ND_SHA1_BYTES])
{
    uint32_t state[5] = {0x67452301U, 0xefcdab89U, 0x98badcfeU, 0x10325476U,
                         0xc3d2e1f0U};
    const uint8_t *bytes = data;
    size_t whole = length - length % 64;
    for (size_t i = 0; i < whole; i += 64) {
        add_block(state, bytes + i);
    }

    /* The rest, a one bit, and the length in bits, in one block or two. */
    uint8_t last[128] = {0};
    size_t rest = length - whole;
    size_t size = rest < 56 ? 64 : 128;
    if (rest > 0) {
        memcpy(last, bytes + whole, rest);
    }
    last[rest] = 0x80;
    store_big_endian((uint64_t)length * 8, 8, last + size - 8);
    for (size_t i = 0; i < size; i += 64) {
        add_block(state, last + i);
    }
    for (int i = 0; i < 5; i++) {
        store_big_endian(state[i], 4, digest_r + 4 * i);
    }
}

uint32_t nd_sha1_modulo(const char *text, uint32_t divisor)
{
    uint8_t digest[ND_SHA1_BYTES];
    uint64_t rest = 0;
    nd_sha1(text, strlen(text), digest);
    for (int i = 0; i < ND_SHA1_BYTES; i++) {
        rest = (rest << 8 | digest[i]) % divisor;
    }
    return (uint32_t)rest;
}
