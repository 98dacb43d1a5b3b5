/* SPDX-License-Identifier: Apache-2.0
 *
 * A thin layer over libsodium, so that the choice of primitives stands in one
 * place.
 */
#include "base/hash.h"

#include <endian.h>
#include <sodium.h>
#include <string.h>

static const char key_id_context[] = "neurald key id";

_Static_assert(sizeof(struct nd_digest_state) >=
                   sizeof(crypto_generichash_state),
               "room for libsodium's state");
_Static_assert(ND_KEY_BYTES >= crypto_shorthash_KEYBYTES,
               "the key is long enough for SipHash");

enum nd_status nd_hash_init(struct nd_error *error)
{
    if (sodium_init() < 0)
        return nd_fail(error, ND_INTERNAL, "libsodium cannot be set up");
    return ND_OK;
}

void nd_key_from_secret(const uint8_t secret[ND_KEY_BYTES],
                        struct nd_key *key_r)
{
    uint8_t digest[crypto_generichash_BYTES_MIN];
    memmove(key_r->secret, secret, ND_KEY_BYTES);
    (void)crypto_generichash(
        digest, sizeof(digest), (const unsigned char *)key_id_context,
        sizeof(key_id_context) - 1, key_r->secret, ND_KEY_BYTES);
    memcpy(key_r->id, digest, ND_KEY_ID_BYTES);
}

void nd_key_generate(struct nd_key *key_r)
{
    uint8_t secret[ND_KEY_BYTES];
    randombytes_buf(secret, sizeof(secret));
    nd_key_from_secret(secret, key_r);
    nd_wipe(secret, sizeof(secret));
}

void nd_digest(const void *data, size_t length, const struct nd_key *key,
               uint8_t digest_r[ND_DIGEST_BYTES])
{
    (void)crypto_generichash(digest_r, ND_DIGEST_BYTES, data, length,
                             key != NULL ? key->secret : NULL,
                             key != NULL ? ND_KEY_BYTES : 0);
}

static crypto_generichash_state *inner(struct nd_digest_state *state)
{
    return (crypto_generichash_state *)(void *)state->opaque;
}

void nd_digest_begin(struct nd_digest_state *state, const struct nd_key *key,
                     size_t size)
{
    (void)crypto_generichash_init(inner(state),
                                  key != NULL ? key->secret : NULL,
                                  key != NULL ? ND_KEY_BYTES : 0, size);
}

void nd_digest_add(struct nd_digest_state *state, const void *data,
                   size_t length)
{
    (void)crypto_generichash_update(inner(state), data, length);
}

void nd_digest_end(struct nd_digest_state *state, uint8_t *digest_r,
                   size_t size)
{
    (void)crypto_generichash_final(inner(state), digest_r, size);
}

uint64_t nd_keyed_hash(const struct nd_key *key, const void *data,
                       size_t length)
{
    uint64_t hash;
    (void)crypto_shorthash((unsigned char *)&hash, data, length, key->secret);
    return le64toh(hash);
}

void nd_hex(const uint8_t *data, size_t length, char *text_r)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < length; i++) {
        text_r[2 * i] = digits[data[i] >> 4];
        text_r[2 * i + 1] = digits[data[i] & 15];
    }
    text_r[2 * length] = '\0';
}

int nd_hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

bool nd_unhex(const char *text, uint8_t *data_r, size_t length)
{
    if (strlen(text) != 2 * length)
        return false;
    for (size_t i = 0; i < 2 * length; i++) {
        if (nd_hex_digit(text[i]) < 0)
            return false;
    }
    for (size_t i = 0; i < length; i++)
        data_r[i] = (uint8_t)((unsigned)nd_hex_digit(text[2 * i]) << 4 |
                              (unsigned)nd_hex_digit(text[2 * i + 1]));
    return true;
}

void nd_wipe(void *memory, size_t length)
{
    sodium_memzero(memory, length);
}
