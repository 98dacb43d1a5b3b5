/* SPDX-License-Identifier: Apache-2.0
 *
 * A temporary folder for a test of the SQLite backend, and what tests of it
 * need: samples, statuses with their words, another user.
 */
#ifndef ND_TESTS_STORE_FOLDER_H
#define ND_TESTS_STORE_FOLDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/sample.h"
#include "store/store.h"

struct folder {
    char path[64];  /* the folder */
    char store[96]; /* a path in it */
    struct nd_error error;
};

int folder_setup(void **state);
/* Removes the folder with all in it. */
int folder_teardown(void **state);

extern const struct nd_scope folder_scope;

/* Opens folder->store, made if need be; fails the test if it cannot. */
struct nd_store *folder_open(struct folder *folder);
/* The status of opening path so; a store that opened is closed again. */
enum nd_status folder_try(struct folder *folder, const char *path,
                          const struct nd_store_options *options);

/* Puts samples first to first + count - 1 in one batch. */
enum nd_status folder_put(struct nd_store *store, uint32_t first,
                          uint32_t count, struct nd_error *error);
/* Samples in the store; fails the test if that cannot be said. */
uint64_t folder_count(struct nd_store *store);

/* A file's bytes; the caller frees them. */
uint8_t *folder_read(const char *path, size_t *length);
void folder_write(const char *path, const void *data, size_t length);
/* Whether path + suffix exists. */
bool folder_has(const char *path, const char *suffix);

/* Runs plain SQL on the file. */
void folder_sql(const char *path, const char *sql);

/* Runs work as a user who is not root and owns nothing here; in a child, so
 * that assertions of this process stay its own. Answers its exit status. */
int folder_as_nobody(int (*work)(struct folder *folder), struct folder *folder);

#endif
