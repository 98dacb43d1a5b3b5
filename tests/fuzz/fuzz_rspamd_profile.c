/* SPDX-License-Identifier: Apache-2.0
 *
 * rspamd's profiles: what is accepted can be made one version later, and is
 * then read as that.
 */
#include <stdlib.h>
#include <string.h>

#include "rspamd/profile.h"

static void require(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_error error = {{0}};
    struct nd_rspamd_profile profile, next, again;
    enum nd_status status = nd_rspamd_profile_parse((const char *)data, size,
                                                    arena, &error, &profile);
    require((status == ND_OK) == (error.text[0] == '\0'));
    if (status == ND_OK && profile.version < ND_RSPAMD_MAX_VERSION) {
        nd_rspamd_profile_next(&profile, arena, &next);
        require(nd_rspamd_profile_parse(next.text, next.text_length, arena,
                                        NULL, &again) == ND_OK);
        require(again.version == profile.version + 1);
        require(strcmp(again.redis_key, next.redis_key) == 0);
        require(strcmp(again.digest, profile.digest) == 0);
        require(again.symbol_count == profile.symbol_count);
    }
    nd_arena_destroy(&arena);
    return 0;
}
