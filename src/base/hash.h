/* SPDX-License-Identifier: Apache-2.0
 *
 * Digests and keyed hashing, on libsodium: BLAKE2b for identity and
 * integrity, SipHash-2-4 to give text features their slots.
 */
#ifndef ND_BASE_HASH_H
#define ND_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define ND_DIGEST_BYTES 32   /* BLAKE2b-256: blobs, chains */
#define ND_IDENTITY_BYTES 16 /* BLAKE2b-128: messages */
#define ND_KEY_BYTES 32
#define ND_KEY_ID_BYTES 8

/* An installation's secret key and its public id (the first 8 bytes of the
 * BLAKE2b of "neurald key id" under the key). */
struct nd_key {
    uint8_t secret[ND_KEY_BYTES];
    uint8_t id[ND_KEY_ID_BYTES];
};

/* Sets up libsodium; call once before anything else of this header. */
enum nd_status nd_hash_init(struct nd_error *error) ND_MUST_CHECK;

/* A new random key. */
void nd_key_generate(struct nd_key *key_r);

/* Fills key_r from its secret and works out the id. */
void nd_key_from_secret(const uint8_t secret[ND_KEY_BYTES],
                        struct nd_key *key_r);

/* BLAKE2b-256 of data; with a key (may be NULL) the keyed variant. */
void nd_digest(const void *data, size_t length, const struct nd_key *key,
               uint8_t digest_r[ND_DIGEST_BYTES]);

/* BLAKE2b with an output of size bytes (16 to 64), in pieces. */
struct nd_digest_state {
    _Alignas(64) unsigned char opaque[384];
};
void nd_digest_begin(struct nd_digest_state *state, const struct nd_key *key,
                     size_t size);
void nd_digest_add(struct nd_digest_state *state, const void *data,
                   size_t length);
void nd_digest_end(struct nd_digest_state *state, uint8_t *digest_r,
                   size_t size);

/* SipHash-2-4 of data under the first 16 bytes of the key's secret. */
uint64_t nd_keyed_hash(const struct nd_key *key, const void *data,
                       size_t length);

/* Lower-case hexadecimal; text_r holds 2 * length + 1 bytes. */
void nd_hex(const uint8_t *data, size_t length, char *text_r);

/* The value of a hexadecimal digit of either case; -1 where it is none. */
int nd_hex_digit(char digit);
/* Reads exactly length bytes of hexadecimal from text; false if it is not
 * that. */
bool nd_unhex(const char *text, uint8_t *data_r, size_t length);

/* Overwrites memory that held a secret; never optimised away. */
void nd_wipe(void *memory, size_t length);

#endif
