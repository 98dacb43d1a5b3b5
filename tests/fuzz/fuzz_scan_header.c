/* SPDX-License-Identifier: Apache-2.0
 *
 * The headers of filters: the first byte chooses which, the rest is its value.
 * The same value read twice adds nothing new.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mail/auth_results.h"
#include "mail/scan_builder.h"

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check(const struct nd_scan *scan)
{
    require(scan->count <= ND_MAX_SCAN_SYMBOLS);
    require(isfinite(scan->score) && isfinite(scan->required));
    for (size_t i = 0; i < scan->count; i++) {
        const struct nd_scan_symbol *symbol = &scan->symbols[i];
        require(nd_scan_is_name(symbol->name, strlen(symbol->name)));
        require(isfinite(symbol->score));
    }
}

static void read_scan(const char *name, const char *value,
                      struct nd_arena *arena)
{
    struct nd_scan scan = {0};
    if (!nd_scan_read_header(name, value, arena, &scan))
        return;
    check(&scan);
    struct nd_scan again = scan;
    require(nd_scan_read_header(name, value, arena, &again));
    require(again.count == scan.count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"X-Spam-Status", "X-Spam-Report",
                                        "X-Spamd-Result"};
    if (size == 0)
        return 0;
    struct nd_arena *arena = nd_arena_create(0);
    const char *value =
        nd_arena_strndup(arena, (const char *)data + 1, size - 1);
    if (data[0] % 4 < 3) {
        read_scan(names[data[0] % 4], value, arena);
    } else {
        struct nd_auth_results results;
        if (nd_auth_results_read(value, "mx", arena, &results))
            require(results.spf <= ND_AUTH_ERROR);
    }
    nd_arena_destroy(&arena);
    return 0;
}
