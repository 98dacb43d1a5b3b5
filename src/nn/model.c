/* SPDX-License-Identifier: Apache-2.0
 *
 * The model file (docs/formats/model.md). A header with a check of its own says
 * what the rest is and with which key it was closed; the closing digest is
 * checked before any of the rest is believed. Even so every length is checked
 * before memory is taken: a digest says who wrote a file, not that he was sane.
 */
#include "nn/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define MAGIC "NDMODEL\n"
#define MAGIC_BYTES 8
#define CHECK_BYTES 16
#define HEADER_BYTES (MAGIC_BYTES + 4 + 4 + 8 + 2 * ND_KEY_ID_BYTES)
#define FLAG_HAS_KEY 1U
#define FLAG_KEYED 2U
#define NAME_BYTES_LEAST 4 /* its length */

struct header {
    uint32_t version, flags;
    uint64_t length;
    const uint8_t *key_id, *digest_key_id;
};

static void free_names(struct nd_model *model)
{
    for (uint32_t i = 0; model->names != NULL && i < model->registry_length;
         i++)
        free(model->names[i]);
    free(model->names);
}

void nd_model_destroy(struct nd_model **model_p)
{
    if (model_p == NULL || *model_p == NULL)
        return;
    struct nd_model *model = *model_p;
    nd_network_destroy(&model->network);
    free_names(model);
    free(model->rule);
    free(model->settings);
    nd_buffer_free(&model->extra);
    free(model);
    *model_p = NULL;
}

static void write_text(struct nd_buffer *buffer, const char *text)
{
    size_t length = text == NULL ? 0 : strlen(text);
    nd_buffer_u32(buffer, (uint32_t)length);
    nd_buffer_append(buffer, text == NULL ? "" : text, length);
}

static void write_figures(struct nd_buffer *buffer,
                          const struct nd_model_figures *figures)
{
    nd_buffer_u64(buffer, figures->generation);
    nd_buffer_u64(buffer, (uint64_t)figures->trained_ms);
    nd_buffer_u64(buffer, figures->seed);
    nd_buffer_u64(buffer, figures->spam);
    nd_buffer_u64(buffer, figures->ham);
    nd_buffer_u64(buffer, figures->held_spam);
    nd_buffer_u64(buffer, figures->held_ham);
    nd_buffer_f64(buffer, figures->held_auc);
    nd_buffer_f64(buffer, figures->held_log_loss);
    nd_buffer_f64(buffer, figures->held_recall);
    nd_buffer_f64(buffer, figures->target_fpr);
    nd_buffer_u64(buffer, figures->watermark);
    nd_buffer_u32(buffer, figures->epochs);
    nd_buffer_u32(buffer, figures->families);
}

static void write_header(const struct nd_model *model, const struct nd_key *key,
                         struct nd_buffer *buffer)
{
    static const uint8_t none[ND_KEY_ID_BYTES];
    nd_buffer_append(buffer, MAGIC, MAGIC_BYTES);
    nd_buffer_u32(buffer, ND_MODEL_VERSION);
    nd_buffer_u32(buffer, (model->has_key ? FLAG_HAS_KEY : 0) |
                              (key != NULL ? FLAG_KEYED : 0));
    nd_buffer_u64(buffer, 0); /* the length: filled in at the end */
    nd_buffer_append(buffer, model->has_key ? model->key_id : none,
                     ND_KEY_ID_BYTES);
    nd_buffer_append(buffer, key != NULL ? key->id : none, ND_KEY_ID_BYTES);
    static const uint8_t no_check[CHECK_BYTES];
    nd_buffer_append(buffer, no_check, CHECK_BYTES);
}

static void header_check(const uint8_t *file, uint8_t check[CHECK_BYTES])
{
    struct nd_digest_state state;
    nd_digest_begin(&state, NULL, CHECK_BYTES);
    nd_digest_add(&state, file, HEADER_BYTES);
    nd_digest_end(&state, check, CHECK_BYTES);
}

/* Fills in what is known only when all the rest is written. */
static void close_file(struct nd_buffer *buffer, size_t start,
                       const struct nd_key *key)
{
    uint8_t digest[ND_DIGEST_BYTES];
    uint64_t length = buffer->length - start + ND_DIGEST_BYTES;
    uint8_t *file = buffer->data + start;
    for (size_t i = 0; i < sizeof(length); i++)
        file[MAGIC_BYTES + 8 + i] = (uint8_t)(length >> (8 * i));
    header_check(file, file + HEADER_BYTES);
    nd_digest(file, buffer->length - start, key, digest);
    nd_buffer_append(buffer, digest, sizeof(digest));
}

void nd_model_write(const struct nd_model *model, const struct nd_key *key,
                    struct nd_buffer *buffer)
{
    size_t start = buffer->length;
    write_header(model, key, buffer);
    nd_buffer_f64(buffer, model->calibration.slope);
    nd_buffer_f64(buffer, model->calibration.offset);
    nd_buffer_f64(buffer, model->calibration.spam_threshold);
    nd_buffer_f64(buffer, model->calibration.ham_threshold);
    write_figures(buffer, &model->figures);
    write_text(buffer, model->rule);
    write_text(buffer, model->settings);
    nd_buffer_append(buffer, model->registry_digest, ND_DIGEST_BYTES);
    nd_buffer_u32(buffer, model->registry_length);
    for (uint32_t i = 0; i < model->registry_length; i++)
        write_text(buffer, model->names[i]);
    nd_buffer_u32(buffer, (uint32_t)model->extra.length);
    nd_buffer_append(buffer, model->extra.data, model->extra.length);
    nd_network_write(model->network, buffer);
    close_file(buffer, start, key);
}

static enum nd_status damaged(struct nd_error *error, const char *what)
{
    return nd_fail(error, ND_DATA,
                   "the model is damaged (%s); fetch it again or train anew",
                   what);
}

/* An id is there exactly where its flag is. */
static bool fits_flag(const uint8_t id[ND_KEY_ID_BYTES], bool flag)
{
    static const uint8_t none[ND_KEY_ID_BYTES];
    return flag || memcmp(id, none, ND_KEY_ID_BYTES) == 0;
}

static enum nd_status read_header(struct nd_reader *reader,
                                  struct nd_error *error, struct header *header)
{
    uint8_t check[CHECK_BYTES];
    const uint8_t *magic = nd_reader_bytes(reader, MAGIC_BYTES);
    if (magic == NULL || memcmp(magic, MAGIC, MAGIC_BYTES) != 0)
        return nd_fail(error, ND_DATA, "this is no model file");
    header->version = nd_reader_u32(reader);
    header->flags = nd_reader_u32(reader);
    header->length = nd_reader_u64(reader);
    header->key_id = nd_reader_bytes(reader, ND_KEY_ID_BYTES);
    header->digest_key_id = nd_reader_bytes(reader, ND_KEY_ID_BYTES);
    const uint8_t *expected = nd_reader_bytes(reader, CHECK_BYTES);
    if (expected == NULL)
        return damaged(error, "cut off in its header");
    header_check(reader->data, check);
    if (memcmp(check, expected, CHECK_BYTES) != 0)
        return damaged(error, "its header's check fails");
    if (header->version > ND_MODEL_VERSION)
        return nd_fail(error, ND_VERSION,
                       "the model has version %u, this program reads up to "
                       "%d; upgrade it",
                       header->version, ND_MODEL_VERSION);
    if (header->version == 0 || header->flags > (FLAG_HAS_KEY | FLAG_KEYED) ||
        !fits_flag(header->key_id, header->flags & FLAG_HAS_KEY) ||
        !fits_flag(header->digest_key_id, header->flags & FLAG_KEYED))
        return damaged(error, "its header makes no sense");
    if (header->length != reader->length)
        return damaged(error, "its length is not what its header says");
    return ND_OK;
}

static enum nd_status check_key(const struct header *header,
                                const struct nd_key *key,
                                struct nd_error *error)
{
    bool keyed = (header->flags & FLAG_KEYED) != 0;
    bool has_key = (header->flags & FLAG_HAS_KEY) != 0;
    if (keyed && key == NULL)
        return nd_fail(error, ND_KEY,
                       "the model is closed with a key; give that key");
    if (!keyed && key != NULL)
        return nd_fail(error, ND_KEY,
                       "the model is not closed with the key that is set");
    if (keyed && memcmp(header->digest_key_id, key->id, ND_KEY_ID_BYTES) != 0)
        return nd_fail(error, ND_KEY,
                       "the model is closed with another key than the one "
                       "that is set");
    if (has_key && key != NULL &&
        memcmp(header->key_id, key->id, ND_KEY_ID_BYTES) != 0)
        return nd_fail(error, ND_KEY,
                       "the model's text features were made with another key");
    return ND_OK;
}

static enum nd_status check_digest(struct nd_reader *reader,
                                   const struct nd_key *key,
                                   struct nd_error *error)
{
    uint8_t digest[ND_DIGEST_BYTES];
    if (nd_reader_left(reader) < ND_DIGEST_BYTES)
        return damaged(error, "cut off");
    size_t body = reader->length - ND_DIGEST_BYTES;
    nd_digest(reader->data, body, key, digest);
    if (memcmp(digest, reader->data + body, ND_DIGEST_BYTES) != 0)
        return damaged(error, "its digest does not fit");
    reader->length = body;
    return ND_OK;
}

/* NULL, with the reader failed, where there is no such text. */
static char *read_text(struct nd_reader *reader)
{
    uint32_t length = nd_reader_u32(reader);
    const uint8_t *text = nd_reader_bytes(reader, length);
    if (text == NULL || memchr(text, '\0', length) != NULL) {
        reader->failed = true;
        return NULL;
    }
    return nd_strndup((const char *)text, length);
}

static void read_figures(struct nd_reader *reader,
                         struct nd_model_figures *figures)
{
    figures->generation = nd_reader_u64(reader);
    figures->trained_ms = (int64_t)nd_reader_u64(reader);
    figures->seed = nd_reader_u64(reader);
    figures->spam = nd_reader_u64(reader);
    figures->ham = nd_reader_u64(reader);
    figures->held_spam = nd_reader_u64(reader);
    figures->held_ham = nd_reader_u64(reader);
    figures->held_auc = nd_reader_f64(reader);
    figures->held_log_loss = nd_reader_f64(reader);
    figures->held_recall = nd_reader_f64(reader);
    figures->target_fpr = nd_reader_f64(reader);
    figures->watermark = nd_reader_u64(reader);
    figures->epochs = nd_reader_u32(reader);
    figures->families = nd_reader_u32(reader);
}

static bool is_calibration(const struct nd_calibration *calibration)
{
    return calibration->slope > 0 && isfinite(calibration->slope) &&
           isfinite(calibration->offset) &&
           calibration->spam_threshold >= 0.5 &&
           calibration->spam_threshold <= 1 &&
           calibration->ham_threshold >= 0 && calibration->ham_threshold <= 0.5;
}

static void read_calibration(struct nd_reader *reader,
                             struct nd_calibration *calibration)
{
    calibration->slope = nd_reader_f64(reader);
    calibration->offset = nd_reader_f64(reader);
    calibration->spam_threshold = nd_reader_f64(reader);
    calibration->ham_threshold = nd_reader_f64(reader);
    if (!is_calibration(calibration))
        reader->failed = true;
}

static void read_names(struct nd_reader *reader, struct nd_model *model)
{
    const uint8_t *digest = nd_reader_bytes(reader, ND_DIGEST_BYTES);
    uint32_t count = nd_reader_u32(reader);
    if (digest == NULL || count > nd_reader_left(reader) / NAME_BYTES_LEAST) {
        reader->failed = true;
        return;
    }
    memcpy(model->registry_digest, digest, ND_DIGEST_BYTES);
    model->registry_length = count;
    model->names = nd_calloc(count, sizeof(*model->names));
    for (uint32_t i = 0; i < count && !reader->failed; i++)
        model->names[i] = read_text(reader);
}

static enum nd_status read_body(struct nd_reader *reader,
                                struct nd_error *error, struct nd_model *model)
{
    read_calibration(reader, &model->calibration);
    read_figures(reader, &model->figures);
    model->rule = read_text(reader);
    model->settings = read_text(reader);
    read_names(reader, model);
    uint32_t extra = nd_reader_u32(reader);
    const uint8_t *bytes = nd_reader_bytes(reader, extra);
    if (bytes == NULL)
        return damaged(error, "its facts make no sense");
    nd_buffer_append(&model->extra, bytes, extra);
    enum nd_status status = nd_network_read(reader, error, &model->network);
    if (status == ND_OK && nd_reader_left(reader) != 0)
        status = damaged(error, "there is more in it than a model");
    return status;
}

enum nd_status nd_model_read(const void *data, size_t length,
                             const struct nd_key *key, struct nd_error *error,
                             struct nd_model **model_r)
{
    struct nd_reader reader;
    struct header header = {0};
    nd_reader_init(&reader, data, length);
    enum nd_status status = read_header(&reader, error, &header);
    if (status == ND_OK)
        status = check_key(&header, key, error);
    if (status == ND_OK)
        status = check_digest(&reader, key, error);
    if (status != ND_OK)
        return status;
    struct nd_model *model = nd_calloc(1, sizeof(*model));
    model->has_key = (header.flags & FLAG_HAS_KEY) != 0;
    memcpy(model->key_id, header.key_id, ND_KEY_ID_BYTES);
    status = read_body(&reader, error, model);
    if (status == ND_OK)
        *model_r = model;
    else
        nd_model_destroy(&model);
    return status;
}
