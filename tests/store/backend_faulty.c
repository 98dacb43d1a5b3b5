/* SPDX-License-Identifier: Apache-2.0
 *
 * The backend that fails on purpose, without any fault, under the suite: it
 * must hand over every call as it came. The store inside is SQLite's.
 */
#include "suite.h"

#include "store/faulty.h"

struct nd_store *open_inner(void);
#define suite_backend_open open_inner
#include "backend_sqlite.c"
#undef suite_backend_open

struct nd_store *suite_backend_open(void)
{
    struct nd_error error;
    struct nd_store *store = NULL;
    suite_check(nd_faulty_wrap(open_inner(), "", &error, &store), &error,
                "nd_faulty_wrap", __FILE__, __LINE__);
    return store;
}
