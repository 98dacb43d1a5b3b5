/* SPDX-License-Identifier: Apache-2.0
 *
 * The record of a sample out of a Redis server that may be damaged: what is
 * accepted has a class and a source that exist, and both readers of a record
 * say the same.
 */
#include <stdlib.h>
#include <string.h>

#include "store/redis_record.h"

static void check(bool good)
{
    if (!good)
        abort();
}

static void check_info(const struct nd_sample_info *info)
{
    check(info->label <= ND_SPAM && (int)info->source < ND_SOURCE_COUNT);
    check(info->label_ms >= 0);
}

static void check_image(const uint8_t *data, size_t size,
                        struct nd_arena *arena)
{
    struct nd_error error;
    struct nd_image_sample sample;
    if (nd_redis_record_image(data, size, arena, &error, &sample) != ND_OK)
        return;
    check_info(&sample.info);
    check(sample.fate >= ND_FATE_PRESENT &&
          sample.fate <= ND_FATE_FORGOTTEN_ABSENT);
    check(sample.ended_ms >= 0 && sample.payload_length <= size);
    struct nd_sample_info info;
    if (sample.fate == ND_FATE_PRESENT) {
        check(nd_redis_record_read(data, size, &error, &info) == ND_OK);
        check(info.sequence == sample.info.sequence &&
              info.time_ms == sample.info.time_ms);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nd_error error;
    struct nd_sample_info info;
    struct nd_arena *arena = nd_arena_create(0);
    check_image(data, size, arena);
    nd_arena_destroy(&arena);
    if (nd_redis_record_read(data, size, &error, &info) != ND_OK)
        return 0;
    check_info(&info);
    uint8_t mention[ND_REDIS_MENTION_BYTES];
    nd_redis_mention(&info, mention);
    return 0;
}
