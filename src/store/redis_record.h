/* SPDX-License-Identifier: Apache-2.0
 *
 * The record of a sample as the scripts store it (docs/formats/redis.md).
 */
#ifndef ND_STORE_REDIS_RECORD_H
#define ND_STORE_REDIS_RECORD_H

#include <stddef.h>

#include "base/memory.h"
#include "store/image.h"
#include "store/store.h"

/* Reads the beginning of a present sample's record, without its length; what
 * follows the beginning is not looked at. ND_DATA if it is not one. */
enum nd_status nd_redis_record_read(
    const void *data, size_t length, struct nd_error *error,
    struct nd_sample_info *info_r) ND_MUST_CHECK;

/* Reads a whole record, present or a tombstone; what it points to is the
 * arena's. ND_DATA if it is none. */
enum nd_status nd_redis_record_image(
    const void *data, size_t length, struct nd_arena *arena,
    struct nd_error *error, struct nd_image_sample *sample_r) ND_MUST_CHECK;

/* Appends an identity and a version as read.lua and consume take them. */
#define ND_REDIS_MENTION_BYTES 21
void nd_redis_mention(const struct nd_sample_info *sample,
                      uint8_t mention_r[ND_REDIS_MENTION_BYTES]);

#endif
