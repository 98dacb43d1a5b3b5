/* SPDX-License-Identifier: Apache-2.0
 *
 * The model file: what is written is read, with the right key alone, and not
 * one byte of it can change unnoticed.
 */
#include "fixture.h"

#include <stdio.h>

#include "nn/model.h"

#define CHECK_AT 40 /* the header's check, behind the header */
#define CHECK_BYTES 16
#define VERSION_AT 8
#define IDS_AT 24

static int open_sodium(void **state)
{
    return nd_hash_init(NULL) == ND_OK ? 0 : -1;
}

static struct nd_key key_of(uint8_t byte)
{
    struct nd_key key;
    uint8_t secret[ND_KEY_BYTES];
    memset(secret, byte, sizeof(secret));
    nd_key_from_secret(secret, &key);
    return key;
}

static struct nd_model *make_model(uint32_t names)
{
    struct nd_shape shape = {
        .inputs = 40, .layers = 1, .units = {3}, .wide = true};
    struct nd_model *model = calloc(1, sizeof(*model));
    model->network = make_network(&shape, 5);
    nd_network_quantize(model->network);
    model->calibration = (struct nd_calibration){1.5, -0.25, 0.9, 0.125};
    model->figures = (struct nd_model_figures){
        .generation = 7,
        .trained_ms = -1234567890123,
        .seed = UINT64_MAX,
        .spam = 1,
        .ham = 2,
        .held_spam = 3,
        .held_ham = 4,
        .held_auc = 0.99,
        .held_log_loss = 0.01,
        .held_recall = 0.95,
        .target_fpr = 0.001,
        .watermark = 1ULL << 40,
        .epochs = 5,
        .families = 0x1ff,
    };
    model->rule = strdup("short");
    model->settings = strdup("");
    model->registry_length = names;
    memset(model->registry_digest, 0xab, ND_DIGEST_BYTES);
    model->names = calloc(names + 1, sizeof(*model->names));
    for (uint32_t i = 0; i < names; i++) {
        char name[32];
        snprintf(name, sizeof(name), "symbol:%u", i);
        model->names[i] = strdup(name);
    }
    nd_buffer_append(&model->extra, "\0\1\2", 3);
    return model;
}

static void write_model(const struct nd_key *key, struct nd_buffer *buffer)
{
    struct nd_model *model = make_model(3);
    if (key != NULL) {
        model->has_key = true;
        memcpy(model->key_id, key->id, ND_KEY_ID_BYTES);
    }
    nd_model_write(model, key, buffer);
    nd_model_destroy(&model);
}

static enum nd_status try_read(const struct nd_buffer *buffer,
                               const struct nd_key *key)
{
    struct nd_model *model = NULL;
    struct nd_error error = {{0}};
    enum nd_status status =
        nd_model_read(buffer->data, buffer->length, key, &error, &model);
    assert_true((status == ND_OK) == (model != NULL));
    assert_true((status == ND_OK) == (error.text[0] == '\0'));
    nd_model_destroy(&model);
    return status;
}

static void assert_same_figures(const struct nd_model_figures *one,
                                const struct nd_model_figures *other)
{
    assert_memory_equal(one, other, sizeof(*one));
}

static void all_facts_come_back(void **state)
{
    struct nd_buffer buffer = {0};
    struct nd_model *model = make_model(3), *read = NULL;
    nd_model_write(model, NULL, &buffer);
    assert_int_equal(
        nd_model_read(buffer.data, buffer.length, NULL, NULL, &read), ND_OK);
    assert_memory_equal(&read->calibration, &model->calibration,
                        sizeof(model->calibration));
    assert_same_figures(&read->figures, &model->figures);
    assert_false(read->has_key);
    assert_string_equal(read->rule, "short");
    assert_string_equal(read->settings, "");
    assert_int_equal(read->registry_length, 3);
    assert_string_equal(read->names[2], "symbol:2");
    assert_memory_equal(read->registry_digest, model->registry_digest,
                        ND_DIGEST_BYTES);
    assert_int_equal(read->extra.length, 3);
    assert_memory_equal(read->extra.data, "\0\1\2", 3);
    nd_model_destroy(&model);
    nd_model_destroy(&read);
    nd_model_destroy(&read);
    nd_model_destroy(NULL);
    nd_buffer_free(&buffer);
}

static void a_model_read_and_written_is_the_same_file(void **state)
{
    struct nd_key key = key_of(1);
    for (int keyed = 0; keyed < 2; keyed++) {
        struct nd_buffer first = {0}, second = {0};
        struct nd_model *model = NULL;
        const struct nd_key *used = keyed ? &key : NULL;
        write_model(used, &first);
        assert_int_equal(
            nd_model_read(first.data, first.length, used, NULL, &model), ND_OK);
        nd_model_write(model, used, &second);
        assert_int_equal(first.length, second.length);
        assert_memory_equal(first.data, second.data, first.length);
        nd_model_destroy(&model);
        nd_buffer_free(&first);
        nd_buffer_free(&second);
    }
}

static void a_model_is_appended_to_what_the_buffer_holds(void **state)
{
    struct nd_buffer buffer = {0}, alone = {0};
    nd_buffer_append_text(&buffer, "before");
    write_model(NULL, &buffer);
    write_model(NULL, &alone);
    assert_int_equal(buffer.length, alone.length + 6);
    assert_memory_equal(buffer.data + 6, alone.data, alone.length);
    nd_buffer_free(&buffer);
    nd_buffer_free(&alone);
}

static void only_the_right_key_opens_a_keyed_model(void **state)
{
    struct nd_buffer buffer = {0}, plain = {0};
    struct nd_key key = key_of(1), other = key_of(2);
    write_model(&key, &buffer);
    assert_int_equal(try_read(&buffer, &key), ND_OK);
    assert_int_equal(try_read(&buffer, &other), ND_KEY);
    assert_int_equal(try_read(&buffer, NULL), ND_KEY);
    write_model(NULL, &plain);
    assert_int_equal(try_read(&plain, NULL), ND_OK);
    assert_int_equal(try_read(&plain, &key), ND_KEY);
    nd_buffer_free(&buffer);
    nd_buffer_free(&plain);
}

static void features_of_another_key_are_refused(void **state)
{
    struct nd_buffer buffer = {0};
    struct nd_key key = key_of(1), other = key_of(2);
    struct nd_model *model = make_model(0);
    model->has_key = true;
    memcpy(model->key_id, other.id, ND_KEY_ID_BYTES);
    nd_model_write(model, &key, &buffer);
    assert_int_equal(try_read(&buffer, &key), ND_KEY);
    nd_model_destroy(&model);
    nd_buffer_free(&buffer);
}

/* A key id and secret that do not belong together must not open a model. */
static void a_forged_key_id_does_not_help(void **state)
{
    struct nd_buffer buffer = {0};
    struct nd_key key = key_of(1), forged = key_of(2);
    memcpy(forged.id, key.id, ND_KEY_ID_BYTES);
    write_model(&forged, &buffer);
    assert_int_equal(try_read(&buffer, &key), ND_DATA);
    nd_buffer_free(&buffer);
}

static void every_flipped_byte_is_noticed(void **state)
{
    struct nd_key key = key_of(1);
    for (int keyed = 0; keyed < 2; keyed++) {
        struct nd_buffer buffer = {0};
        const struct nd_key *used = keyed ? &key : NULL;
        write_model(used, &buffer);
        for (size_t i = 0; i < buffer.length; i++) {
            for (uint8_t bit = 1; bit != 0; bit = (uint8_t)(bit << 1)) {
                buffer.data[i] ^= bit;
                assert_int_equal(try_read(&buffer, used), ND_DATA);
                buffer.data[i] ^= bit;
            }
            buffer.data[i] ^= 0xff;
            assert_int_equal(try_read(&buffer, used), ND_DATA);
            buffer.data[i] ^= 0xff;
        }
        assert_int_equal(try_read(&buffer, used), ND_OK);
        nd_buffer_free(&buffer);
    }
}

static void a_model_cut_anywhere_or_lengthened_is_refused(void **state)
{
    struct nd_buffer buffer = {0};
    write_model(NULL, &buffer);
    size_t whole = buffer.length;
    for (size_t length = 0; length < whole; length++) {
        struct nd_buffer cut = {malloc(length + 1), length, length + 1};
        memcpy(cut.data, buffer.data, length);
        assert_int_equal(try_read(&cut, NULL), ND_DATA);
        free(cut.data);
    }
    nd_buffer_u8(&buffer, 0);
    assert_int_equal(try_read(&buffer, NULL), ND_DATA);
    nd_buffer_free(&buffer);
}

/* Closes a file anew after a change, so that what is behind the digests is
 * tested. */
static void close_again(struct nd_buffer *buffer)
{
    struct nd_digest_state digest;
    size_t body = buffer->length - ND_DIGEST_BYTES;
    nd_digest_begin(&digest, NULL, CHECK_BYTES);
    nd_digest_add(&digest, buffer->data, CHECK_AT);
    nd_digest_end(&digest, buffer->data + CHECK_AT, CHECK_BYTES);
    nd_digest(buffer->data, body, NULL, buffer->data + body);
}

static void a_later_version_is_told_as_such(void **state)
{
    struct nd_buffer buffer = {0};
    write_model(NULL, &buffer);
    buffer.data[VERSION_AT] = ND_MODEL_VERSION + 1;
    close_again(&buffer);
    assert_int_equal(try_read(&buffer, NULL), ND_VERSION);
    buffer.data[VERSION_AT] = 0;
    close_again(&buffer);
    assert_int_equal(try_read(&buffer, NULL), ND_DATA);
    nd_buffer_free(&buffer);
}

static void an_id_without_its_flag_is_refused(void **state)
{
    struct nd_buffer buffer = {0};
    write_model(NULL, &buffer);
    for (size_t i = IDS_AT; i < CHECK_AT; i++) {
        buffer.data[i] = 1;
        close_again(&buffer);
        assert_int_equal(try_read(&buffer, NULL), ND_DATA);
        buffer.data[i] = 0;
    }
    nd_buffer_free(&buffer);
}

/* Whatever byte changes, a file with fitting digests is read or refused as
 * data, and never more than that. */
static void changes_behind_the_digests_do_no_harm(void **state)
{
    struct nd_buffer buffer = {0};
    size_t refused = 0;
    write_model(NULL, &buffer);
    for (size_t i = CHECK_AT + CHECK_BYTES; i < buffer.length - ND_DIGEST_BYTES;
         i++) {
        uint8_t saved = buffer.data[i];
        for (int change = 1; change < 256; change += 6) {
            buffer.data[i] = (uint8_t)(saved + change);
            close_again(&buffer);
            enum nd_status status = try_read(&buffer, NULL);
            assert_true(status == ND_OK || status == ND_DATA);
            refused += status == ND_DATA;
        }
        buffer.data[i] = saved;
    }
    assert_true(refused > 1000);
    nd_buffer_free(&buffer);
}

static void a_model_without_names_is_read(void **state)
{
    struct nd_buffer buffer = {0};
    struct nd_model *model = make_model(0);
    free(model->rule);
    model->rule = NULL;
    nd_buffer_free(&model->extra);
    nd_model_write(model, NULL, &buffer);
    assert_int_equal(try_read(&buffer, NULL), ND_OK);
    nd_model_destroy(&model);
    nd_buffer_free(&buffer);
}

static void other_bytes_are_no_model(void **state)
{
    struct nd_model *model = NULL;
    struct nd_error error = {{0}};
    static const char text[] = "PK\3\4 this is an archive of some other kind";
    assert_int_equal(nd_model_read(text, sizeof(text), NULL, &error, &model),
                     ND_DATA);
    assert_non_null(strstr(error.text, "no model"));
    assert_int_equal(nd_model_read(NULL, 0, NULL, &error, &model), ND_DATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_facts_come_back),
        cmocka_unit_test(a_model_read_and_written_is_the_same_file),
        cmocka_unit_test(a_model_is_appended_to_what_the_buffer_holds),
        cmocka_unit_test(only_the_right_key_opens_a_keyed_model),
        cmocka_unit_test(features_of_another_key_are_refused),
        cmocka_unit_test(a_forged_key_id_does_not_help),
        cmocka_unit_test(every_flipped_byte_is_noticed),
        cmocka_unit_test(a_model_cut_anywhere_or_lengthened_is_refused),
        cmocka_unit_test(a_later_version_is_told_as_such),
        cmocka_unit_test(an_id_without_its_flag_is_refused),
        cmocka_unit_test(changes_behind_the_digests_do_no_harm),
        cmocka_unit_test(a_model_without_names_is_read),
        cmocka_unit_test(other_bytes_are_no_model),
    };
    return cmocka_run_group_tests(tests, open_sodium, NULL);
}
