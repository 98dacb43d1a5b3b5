/* SPDX-License-Identifier: Apache-2.0
 *
 * C's side of the records that records.lua writes: read from bytes that
 * another program may have damaged. Writing is the scripts' business alone.
 */
#include "store/redis_record.h"

#include <string.h>

#include "base/buffer.h"

#define FATE_PRESENT 1

static int64_t read_time(struct nd_reader *reader)
{
    uint64_t time = 0;
    for (unsigned shift = 0; shift < 48; shift += 8)
        time |= (uint64_t)nd_reader_u8(reader) << shift;
    return (int64_t)time;
}

static int64_t unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

enum nd_status nd_redis_record_read(const void *data, size_t length,
                                    struct nd_error *error,
                                    struct nd_sample_info *info_r)
{
    struct nd_reader reader;
    nd_reader_init(&reader, data, length);
    struct nd_sample_info info = {0};
    uint8_t head = nd_reader_u8(&reader);
    const uint8_t *identity = nd_reader_bytes(&reader, ND_IDENTITY_BYTES);
    info.label = (head >> 3 & 1) != 0 ? ND_SPAM : ND_HAM;
    info.source = (enum nd_source)(head >> 4 & 3);
    info.label_ms = read_time(&reader);
    info.version = nd_reader_varint(&reader);
    info.sequence = nd_reader_varint(&reader);
    info.time_ms = (int64_t)((uint64_t)info.label_ms +
                             (uint64_t)unzigzag(nd_reader_varint(&reader)));
    if (reader.failed || (head & 7) != FATE_PRESENT)
        return nd_fail(error, ND_DATA,
                       "Redis: a sample's record is damaged; run "
                       "`neurald doctor --gc`");
    memcpy(info.identity, identity, ND_IDENTITY_BYTES);
    *info_r = info;
    return ND_OK;
}

/* What follows the version: of a present sample its payload, of a tombstone
 * when it ended. */
static void read_rest(struct nd_reader *reader, struct nd_arena *arena,
                      struct nd_image_sample *sample)
{
    struct nd_sample_info *info = &sample->info;
    if (sample->fate != ND_FATE_PRESENT) {
        sample->ended_ms =
            (int64_t)(nd_reader_varint(reader) % (UINT64_C(1) << 50)) * 1000;
        return;
    }
    info->sequence = nd_reader_varint(reader);
    info->time_ms = (int64_t)((uint64_t)info->label_ms +
                              (uint64_t)unzigzag(nd_reader_varint(reader)));
    (void)nd_reader_varint(reader); /* families: the payload says them too */
    sample->payload_length = nd_reader_left(reader);
    const uint8_t *payload = nd_reader_bytes(reader, sample->payload_length);
    sample->payload =
        nd_arena_strndup(arena, payload != NULL ? (const char *)payload : "",
                         payload != NULL ? sample->payload_length : 0);
}

enum nd_status nd_redis_record_image(const void *data, size_t length,
                                     struct nd_arena *arena,
                                     struct nd_error *error,
                                     struct nd_image_sample *sample_r)
{
    struct nd_reader reader;
    struct nd_image_sample sample = {.ended_ms = 0};
    nd_reader_init(&reader, data, length);
    uint8_t head = nd_reader_u8(&reader);
    const uint8_t *identity = nd_reader_bytes(&reader, ND_IDENTITY_BYTES);
    sample.fate = (enum nd_fate)(head & 7);
    sample.info.label = (head >> 3 & 1) != 0 ? ND_SPAM : ND_HAM;
    sample.info.source = (enum nd_source)(head >> 4 & 3);
    sample.info.label_ms = read_time(&reader);
    sample.info.version = nd_reader_varint(&reader);
    read_rest(&reader, arena, &sample);
    if (reader.failed || sample.fate < ND_FATE_PRESENT ||
        sample.fate > ND_FATE_FORGOTTEN_ABSENT)
        return nd_fail(error, ND_DATA, "Redis: a sample's record is damaged");
    memcpy(sample.info.identity, identity, ND_IDENTITY_BYTES);
    *sample_r = sample;
    return ND_OK;
}

void nd_redis_mention(const struct nd_sample_info *sample,
                      uint8_t mention_r[ND_REDIS_MENTION_BYTES])
{
    memcpy(mention_r, sample->identity, ND_IDENTITY_BYTES);
    for (unsigned i = 0; i < ND_REDIS_MENTION_BYTES - ND_IDENTITY_BYTES; i++)
        mention_r[ND_IDENTITY_BYTES + i] =
            (uint8_t)(sample->version >> (8 * i));
}
