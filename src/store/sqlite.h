/* SPDX-License-Identifier: Apache-2.0
 *
 * The embedded backend: one SQLite file in WAL mode, safe with many processes
 * on one machine. docs/formats/sqlite.md describes the file.
 */
#ifndef ND_STORE_SQLITE_H
#define ND_STORE_SQLITE_H

#include "store/store.h"

/* For nd_store_options.backend; all zero by default. */
struct nd_sqlite_options {
    uint32_t max_pages; /* the file grows to this many pages of 4 KiB and is
                           full then; 0: as far as the disk goes */
    int64_t (*clock_ms)(void *context); /* NULL: the machine's wall clock */
    void *clock_context;
};

/* Opens the store in the file path; the errors of nd_store_open. A new one is
 * made aside and put in place whole, with mode 0600; folders are never made. */
enum nd_status nd_sqlite_open(const char *path,
                              const struct nd_store_options *options,
                              struct nd_error *error,
                              struct nd_store **store_r) ND_MUST_CHECK;

#endif
