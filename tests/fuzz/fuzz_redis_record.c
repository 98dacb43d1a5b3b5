/* SPDX-License-Identifier: Apache-2.0
 *
 * The record of a sample out of a Redis server that may be damaged: what is
 * accepted has a class and a source that exist.
 */
#include <stdlib.h>

#include "store/redis_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nd_error error;
    struct nd_sample_info info;
    if (nd_redis_record_read(data, size, &error, &info) != ND_OK)
        return 0;
    if (info.label > ND_SPAM || (int)info.source >= ND_SOURCE_COUNT ||
        info.label_ms < 0)
        abort();
    uint8_t mention[ND_REDIS_MENTION_BYTES];
    nd_redis_mention(&info, mention);
    return 0;
}
