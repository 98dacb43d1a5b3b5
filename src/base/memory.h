/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory: allocation that does not return NULL, and an arena.
 *
 * Sizes are checked against limits before memory is asked for, so running out
 * of it means that the machine is out of it: the allocators below then log one
 * line and abort (docs/decisions/0002-memory.md).
 */
#ifndef ND_BASE_MEMORY_H
#define ND_BASE_MEMORY_H

#include <stdarg.h>
#include <stddef.h>

#include "base/status.h"

/* Zeroed memory for count elements of size bytes; the product is checked.
 * Never NULL, also for 0 elements. The caller frees it with free(). */
void *nd_calloc(size_t count, size_t size) ND_MUST_CHECK;

/* Like realloc for count elements of size bytes; the product is checked.
 * Never NULL. Contents beyond the old size are not initialised. */
void *nd_realloc(void *memory, size_t count, size_t size) ND_MUST_CHECK;

/* A copy of length bytes at data, with a NUL after them. Freed with free(). */
char *nd_strndup(const char *data, size_t length) ND_MUST_CHECK;
char *nd_strdup(const char *text) ND_MUST_CHECK;

/* A formatted string; freed with free(). */
char *nd_sprintf(const char *format, ...) ND_PRINTF(1, 2) ND_MUST_CHECK;

/* Memory that lives as long as one request or message: taken piece by piece,
 * given back at once. Not thread-safe; one owner at a time. */
struct nd_arena;

/* An empty arena. block_bytes is the size of its first block (0: 16 KiB). */
struct nd_arena *nd_arena_create(size_t block_bytes) ND_MUST_CHECK;

/* Frees the arena and all that came from it, and clears *arena. NULL and a
 * pointer to NULL are accepted. */
void nd_arena_destroy(struct nd_arena **arena);

/* Makes the arena empty and keeps its largest block for the next use: all
 * memory taken from it is invalid afterwards. */
void nd_arena_reset(struct nd_arena *arena);

/* size bytes, not initialised, aligned for any type; valid until reset or
 * destroy. Never NULL. */
void *nd_arena_take(struct nd_arena *arena, size_t size) ND_MUST_CHECK;

/* A NUL-terminated copy of length bytes at data. */
char *nd_arena_strndup(struct nd_arena *arena, const char *data,
                       size_t length) ND_MUST_CHECK;

/* Bytes taken since creation or reset, for limits. */
size_t nd_arena_used(const struct nd_arena *arena);

#endif
