/* SPDX-License-Identifier: Apache-2.0
 *
 * Allocation that never answers NULL, and the arena: a list of blocks that
 * double in size, each used from front to back. An arena is not for memory
 * that must be given back piece by piece.
 */
#include "base/memory.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BLOCK_BYTES (16U * 1024U)
#define LARGEST_STEP_BYTES (8U * 1024U * 1024U)

static _Noreturn void out_of_memory(size_t count, size_t size)
{
    fprintf(stderr, "neurald: out of memory (%zu x %zu bytes)\n", count, size);
    abort();
}

static size_t checked_product(size_t count, size_t size)
{
    size_t product;
    if (__builtin_mul_overflow(count, size, &product))
        out_of_memory(count, size);
    return product > 0 ? product : 1;
}

void *nd_calloc(size_t count, size_t size)
{
    (void)checked_product(count, size);
    void *memory = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
    if (memory == NULL)
        out_of_memory(count, size);
    return memory;
}

void *nd_realloc(void *memory, size_t count, size_t size)
{
    void *grown = realloc(memory, checked_product(count, size));
    if (grown == NULL)
        out_of_memory(count, size);
    return grown;
}

char *nd_strndup(const char *data, size_t length)
{
    if (length == SIZE_MAX)
        out_of_memory(length, 1);
    char *copy = nd_calloc(length + 1, 1);
    if (length > 0)
        memcpy(copy, data, length);
    return copy;
}

char *nd_strdup(const char *text)
{
    return nd_strndup(text, strlen(text));
}

char *nd_sprintf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        out_of_memory(1, strlen(format));
    return text;
}

struct block {
    struct block *older;
    size_t size; /* of data */
    size_t used;
    alignas(max_align_t) unsigned char data[];
};

struct nd_arena {
    struct block *newest;
    size_t taken;
};

static struct block *block_create(size_t size, struct block *older)
{
    if (size > SIZE_MAX - sizeof(struct block))
        out_of_memory(size, 1);
    struct block *block = malloc(sizeof(struct block) + size);
    if (block == NULL)
        out_of_memory(size, 1);
    block->older = older;
    block->size = size;
    block->used = 0;
    return block;
}

struct nd_arena *nd_arena_create(size_t block_bytes)
{
    struct nd_arena *arena = nd_calloc(1, sizeof(*arena));
    arena->newest =
        block_create(block_bytes > 0 ? block_bytes : FIRST_BLOCK_BYTES, NULL);
    return arena;
}

static void free_blocks(struct block *block)
{
    while (block != NULL) {
        struct block *older = block->older;
        free(block);
        block = older;
    }
}

void nd_arena_destroy(struct nd_arena **arena)
{
    if (arena == NULL || *arena == NULL)
        return;
    free_blocks((*arena)->newest);
    free(*arena);
    *arena = NULL;
}

static struct block *largest_block(struct block *block)
{
    struct block *largest = block;
    for (; block != NULL; block = block->older) {
        if (block->size > largest->size)
            largest = block;
    }
    return largest;
}

void nd_arena_reset(struct nd_arena *arena)
{
    struct block *kept = largest_block(arena->newest);
    for (struct block *block = arena->newest; block != NULL;) {
        struct block *older = block->older;
        if (block != kept)
            free(block);
        block = older;
    }
    kept->older = NULL;
    kept->used = 0;
    arena->newest = kept;
    arena->taken = 0;
}

static size_t next_block_size(const struct nd_arena *arena, size_t wanted)
{
    size_t size = arena->newest->size;
    if (size < LARGEST_STEP_BYTES)
        size *= 2;
    return size > wanted ? size : wanted;
}

void *nd_arena_take(struct nd_arena *arena, size_t size)
{
    size_t unit = alignof(max_align_t);
    if (size > SIZE_MAX - unit)
        out_of_memory(size, 1);
    size_t rounded = (size + unit - 1) / unit * unit;
    struct block *block = arena->newest;
    if (rounded > block->size - block->used) {
        block = block_create(next_block_size(arena, rounded), block);
        arena->newest = block;
    }
    void *memory = block->data + block->used;
    block->used += rounded;
    arena->taken += rounded;
    return memory;
}

char *nd_arena_strndup(struct nd_arena *arena, const char *data, size_t length)
{
    if (length == SIZE_MAX)
        out_of_memory(length, 1);
    char *copy = nd_arena_take(arena, length + 1);
    if (length > 0)
        memcpy(copy, data, length);
    copy[length] = '\0';
    return copy;
}

size_t nd_arena_used(const struct nd_arena *arena)
{
    return arena->taken;
}
