/* SPDX-License-Identifier: Apache-2.0
 *
 * A scan result in JSON.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mail/scan_builder.h"

static void require(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nd_error error = {""};
    struct nd_scan scan;
    const char *id = NULL;
    struct nd_arena *arena = nd_arena_create(0);
    enum nd_status status =
        nd_scan_read_json((const char *)data, size, arena, &error, &scan, &id);
    require(status == ND_OK || error.text[0] != '\0');
    for (size_t i = 0; status == ND_OK && i < scan.count; i++) {
        const struct nd_scan_symbol *symbol = &scan.symbols[i];
        require(nd_scan_is_name(symbol->name, strlen(symbol->name)));
        require(isfinite(symbol->score));
        require(symbol->has_score || symbol->score == 0);
    }
    require(status != ND_OK || isfinite(scan.score));
    nd_arena_destroy(&arena);
    return 0;
}
