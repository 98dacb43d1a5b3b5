/* SPDX-License-Identifier: Apache-2.0
 *
 * The public library on a model that was trained here: it gives the answers
 * that the network itself gives, needs the key that the text features were
 * hashed with, and has an answer for every message.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "features/features.h"
#include "learn/fit.h"
#include "learn/key_file.h"
#include "mail/message.h"
#include "neurald/neurald.h"

#define SAMPLES 40U

struct place {
    char folder[64];
    char model[96];
    char key[96];
    char other_key[96];
};

static void compose(char *text, size_t size, unsigned number, bool spam)
{
    static const char *const wares[] = {"watches", "pills", "loans", "prizes"};
    static const char *const works[] = {"minutes", "patches", "tickets",
                                        "drafts"};
    (void)snprintf(text, size,
                   "From: a%u@example.org\nMessage-ID: <%u-%d@example.org>\n"
                   "Subject: %s number %u\n\n%s %s for you, number %u\n",
                   number, number, spam, spam ? "Buy now" : "Meeting", number,
                   spam ? "Cheap genuine discount" : "Attached are the",
                   spam ? wares[number % 4] : works[number % 4], number);
}

static void extract(const char *text, const struct nd_key *key,
                    struct nd_arena *arena, struct nd_slotted *slotted_r)
{
    struct nd_mail_limits limits;
    struct nd_message message;
    struct nd_error error;
    struct nd_features features;
    struct nd_extract_options options = {.families = ND_GROUP_TEXT};
    nd_mail_limits_default(&limits);
    assert_int_equal(nd_message_read(text, strlen(text), &limits, NULL, arena,
                                     &error, &message),
                     ND_OK);
    nd_features_extract(&message, NULL, key, &options, arena, &features);
    struct nd_registry *registry = nd_registry_create();
    nd_features_resolve(&features, registry, arena, slotted_r, NULL);
    nd_registry_destroy(&registry);
}

static struct nd_model *train(const struct nd_key *key, struct nd_arena *arena)
{
    struct nd_fit_sample samples[SAMPLES] = {0};
    for (unsigned i = 0; i < SAMPLES; i++) {
        char text[512];
        samples[i].label = i % 2;
        samples[i].time_ms = i;
        compose(text, sizeof(text), i, i % 2 == 1);
        extract(text, key, arena, &samples[i].features);
    }
    struct nd_fit_options options = {.families = ND_GROUP_TEXT,
                                     .seed = 7,
                                     .target_fpr = 0.01,
                                     .target_fnr = 0.01};
    struct nd_error error;
    struct nd_model *model;
    assert_int_equal(nd_fit(samples, SAMPLES, &options, &error, &model), ND_OK);
    model->has_key = true;
    memcpy(model->key_id, key->id, ND_KEY_ID_BYTES);
    model->figures.generation = 12;
    return model;
}

static void write_model(const char *path, const struct nd_model *model,
                        const struct nd_key *key)
{
    struct nd_buffer blob = {0};
    nd_model_write(model, key, &blob);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(blob.data, 1, blob.length, file), blob.length);
    assert_int_equal(fclose(file), 0);
    nd_buffer_free(&blob);
}

static int set_up(void **state)
{
    struct place *place = test_calloc(1, sizeof(*place));
    struct nd_error error;
    struct nd_key key, other;
    strcpy(place->folder, "/tmp/neurald-library-XXXXXX");
    if (nd_hash_init(&error) != ND_OK || mkdtemp(place->folder) == NULL)
        return -1;
    (void)snprintf(place->model, sizeof(place->model), "%s/model",
                   place->folder);
    (void)snprintf(place->key, sizeof(place->key), "%s/key", place->folder);
    (void)snprintf(place->other_key, sizeof(place->other_key), "%s/other",
                   place->folder);
    nd_key_generate(&key);
    nd_key_generate(&other);
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_model *model = train(&key, arena);
    write_model(place->model, model, &key);
    nd_model_destroy(&model);
    nd_arena_destroy(&arena);
    *state = place;
    return nd_key_file_write(place->key, &key, &error) == ND_OK &&
                   nd_key_file_write(place->other_key, &other, &error) == ND_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    (void)unlink(place->model);
    (void)unlink(place->key);
    (void)unlink(place->other_key);
    (void)rmdir(place->folder);
    test_free(place);
    return 0;
}

static struct neurald *open_library(const struct place *place)
{
    struct neurald *handle = NULL;
    char why[256] = "";
    int code =
        neurald_open(place->model, place->key, &handle, why, sizeof(why));
    if (code != 0)
        fail_msg("%s", why);
    return handle;
}

static void messages_are_told_apart(void **state)
{
    struct neurald *handle = open_library(*state);
    for (unsigned i = 100; i < 110; i++) {
        char text[512];
        struct neurald_verdict spam, ham;
        compose(text, sizeof(text), i, true);
        neurald_score_message(handle, text, strlen(text), &spam);
        compose(text, sizeof(text), i, false);
        neurald_score_message(handle, text, strlen(text), &ham);
        assert_true(spam.probability > 0.5);
        assert_true(ham.probability < 0.5);
        assert_int_equal(spam.generation, 12);
    }
    neurald_close(&handle);
    assert_null(handle);
}

static void the_answer_is_the_networks_own(void **state)
{
    struct place *place = *state;
    struct nd_error error;
    struct nd_key key;
    struct nd_arena *arena = nd_arena_create(0);
    assert_int_equal(nd_key_file_read(place->key, &error, &key), ND_OK);
    struct nd_model *model = train(&key, arena);
    struct nd_scorer *scorer;
    assert_int_equal(nd_scorer_create(model, &error, &scorer), ND_OK);
    char text[512];
    compose(text, sizeof(text), 77, true);
    struct nd_slotted slotted;
    extract(text, &key, arena, &slotted);
    double expected = nd_scorer_log_odds(scorer, &slotted, arena);
    struct neurald *handle = open_library(place);
    struct neurald_verdict verdict;
    neurald_score_message(handle, text, strlen(text), &verdict);
    assert_true(fabs(verdict.log_odds - expected) < 1e-5);
    assert_true(fabs(verdict.probability -
                     nd_probability(&model->calibration, expected)) < 1e-6);
    neurald_close(&handle);
    nd_scorer_destroy(&scorer);
    nd_model_destroy(&model);
    nd_arena_destroy(&arena);
}

static void another_key_is_refused(void **state)
{
    struct place *place = *state;
    struct neurald *handle = NULL;
    char why[256] = "";
    assert_int_equal(
        neurald_open(place->model, place->other_key, &handle, why, sizeof(why)),
        78);
    assert_int_equal(
        neurald_open(place->model, NULL, &handle, why, sizeof(why)), 78);
    assert_null(handle);
    assert_true(strlen(why) > 0);
}

static void an_empty_message_is_unsure(void **state)
{
    struct neurald *handle = open_library(*state);
    struct neurald_verdict verdict;
    neurald_score_message(handle, "", 0, &verdict);
    assert_int_equal(verdict.verdict, NEURALD_UNSURE);
    assert_true(verdict.probability == 0.5);
    neurald_score_symbols(handle, NULL, 0, NULL, 0, &verdict);
    assert_int_equal(verdict.verdict, NEURALD_UNSURE);
    neurald_close(&handle);
}

static void malformed_symbols_change_nothing(void **state)
{
    struct neurald *handle = open_library(*state);
    static const struct neurald_symbol symbols[] = {
        {NULL, 1, 1}, {"", 1, 1}, {"NOT_FINITE", (double)INFINITY, 1}};
    char text[512];
    struct neurald_verdict with, without;
    compose(text, sizeof(text), 5, true);
    neurald_score_message(handle, text, strlen(text), &without);
    neurald_score_symbols(handle, text, strlen(text), symbols, 3, &with);
    assert_true(with.log_odds == without.log_odds);
    neurald_close(&handle);
}

int main(void)
{
#define CASE(name) cmocka_unit_test(name)
    const struct CMUnitTest tests[] = {
        CASE(messages_are_told_apart),
        CASE(the_answer_is_the_networks_own),
        CASE(another_key_is_refused),
        CASE(an_empty_message_is_unsure),
        CASE(malformed_symbols_change_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
