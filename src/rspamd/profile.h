/* SPDX-License-Identifier: Apache-2.0
 *
 * A profile as rspamd keeps it in its sorted set: which symbols a network
 * takes, and the Redis key of the network and its vectors.
 */
#ifndef ND_RSPAMD_PROFILE_H
#define ND_RSPAMD_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/status.h"

#define ND_RSPAMD_MAX_PROFILE_BYTES ((size_t)4 << 20)
#define ND_RSPAMD_MAX_VERSION (1U << 30)

/* Strings and arrays are the arena's that it was parsed into. */
struct nd_rspamd_profile {
    const char *text; /* the JSON as it was stored */
    size_t text_length;
    const char *digest;
    const char *redis_key;
    uint64_t version;
    const char *const *symbols; /* unique, in the order of the vectors */
    uint32_t symbol_count;
    const char *unknown; /* name of a field that is not known; NULL: none */
    bool is_foreign;     /* it says that its vectors hold something else than
                            metatokens and symbols (rspamd 3.13's providers) */
    /* Version of the metatokens, whose meaning changed with it; 1 until rspamd
     * 3.12. Not part of the JSON. */
    uint32_t metatokens_version;
};

/* Parses length bytes of JSON. ND_DATA where a field is missing or of another
 * type, a name is empty or twice there, or the key does not end in the
 * version; ND_LIMIT. */
enum nd_status nd_rspamd_profile_parse(
    const char *text, size_t length, struct nd_arena *arena,
    struct nd_error *error, struct nd_rspamd_profile *profile_r) ND_MUST_CHECK;

/* The same profile one version later, whose strings are the arena's: fields
 * that are not known are kept as they are. */
void nd_rspamd_profile_next(const struct nd_rspamd_profile *profile,
                            struct nd_arena *arena,
                            struct nd_rspamd_profile *next_r);

#endif
