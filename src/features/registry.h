/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry: which slot a named feature has. It only grows; a slot once
 * given is never given to another name. The store holds the truth, this is a
 * process's copy of it.
 */
#ifndef ND_FEATURES_REGISTRY_H
#define ND_FEATURES_REGISTRY_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/status.h"

#define ND_NO_SLOT UINT32_MAX

struct nd_registry;

/* An empty registry; destroy accepts NULL and clears *registry. */
struct nd_registry *nd_registry_create(void) ND_MUST_CHECK;
void nd_registry_destroy(struct nd_registry **registry);

/* Gives the next slot to name (copied), or answers the one that it has. One
 * writer; no reader meanwhile. */
uint32_t nd_registry_add(struct nd_registry *registry, const char *name);

/* The slot of name, or ND_NO_SLOT. Any number of threads. */
uint32_t nd_registry_find(const struct nd_registry *registry, const char *name);

/* The name of slot; NULL where it is not given. */
const char *nd_registry_name(const struct nd_registry *registry, uint32_t slot);

/* How many names have slots. */
uint32_t nd_registry_length(const struct nd_registry *registry);

/* The chain digest after the first length names: D(0) is 32 zero bytes,
 * D(n) = BLAKE2b-256(D(n-1) || name n-1). length <= registry's length. */
void nd_registry_digest(const struct nd_registry *registry, uint32_t length,
                        uint8_t digest_r[ND_DIGEST_BYTES]);

#endif
