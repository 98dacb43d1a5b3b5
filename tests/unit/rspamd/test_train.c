/* SPDX-License-Identifier: Apache-2.0
 *
 * Training for rspamd: better than its own network on vectors that neither has
 * seen, never one class alone, and refused where there is nothing to learn.
 */
#include "fixture.h"

#include <math.h>

#include "base/hash.h"
#include "nn/metrics.h"
#include "rspamd/train.h"

#define INPUTS 220

static struct nd_rspamd_training trained(const struct nd_vectors *vectors,
                                         uint64_t seed)
{
    struct nd_rspamd_training training;
    struct nd_error error = {{0}};
    struct nd_rspamd_train_options options = {.seed = seed};
    if (nd_rspamd_train(vectors, &options, &error, &training) != ND_OK)
        fail_msg("%s", error.text);
    return training;
}

static struct nd_rspamd_figures figures_of(const struct nd_kann *kann,
                                           const struct nd_vectors *vectors)
{
    struct nd_rspamd_figures figures;
    double *scores = nd_calloc(vectors->count, sizeof(*scores));
    assert_int_equal(nd_rspamd_score(kann, vectors, NULL, scores), ND_OK);
    nd_rspamd_judge(scores, vectors->labels, vectors->count, &figures);
    free(scores);
    return figures;
}

static void rspamds_vectors_are_learned_better_than_by_rspamd(void **state)
{
    struct nd_vectors train = test_vectors("sa_rspamd_vectors.svm.zst", INPUTS);
    struct nd_vectors test =
        test_vectors("sa_rspamd_vectors_test.svm.zst", INPUTS);
    struct nd_rspamd_training training = trained(&train, 1);
    struct nd_rspamd_figures figures = figures_of(training.kann, &test);
    print_message("AUC %.4f, recall %.3f; held out %.4f, %.3f\n", figures.auc,
                  figures.recall, training.figures.auc,
                  training.figures.recall);
    assert_true(figures.auc >= 0.985);
    assert_true(figures.recall >= 0.82);
    assert_true(fabs(training.figures.auc - figures.auc) < 0.01);
    assert_true(training.thresholds[0] > 0 && training.thresholds[0] < 1);
    assert_true(training.thresholds[1] > 0 && training.thresholds[1] < 1);
    nd_rspamd_training_free(&training);
    nd_vectors_free(&train);
    nd_vectors_free(&test);
}

static void the_score_does_not_saturate(void **state)
{
    struct nd_vectors train = test_vectors("sa_rspamd_vectors.svm.zst", INPUTS);
    struct nd_vectors test =
        test_vectors("sa_rspamd_vectors_test.svm.zst", INPUTS);
    struct nd_rspamd_training training = trained(&train, 2);
    double *scores = nd_calloc(test.count, sizeof(*scores));
    assert_int_equal(nd_rspamd_score(training.kann, &test, NULL, scores),
                     ND_OK);
    for (size_t i = 0; i < test.count; i++)
        assert_true(fabs(scores[i]) < 0.9999);
    double recall =
        nd_recall_at_fpr(scores, test.labels, test.count, 0.001, NULL);
    assert_true(recall > 0);
    free(scores);
    nd_rspamd_training_free(&training);
    nd_vectors_free(&train);
    nd_vectors_free(&test);
}

static void a_thousand_symbols_do_not_collapse(void **state)
{
    struct nd_vectors train = made_up_vectors(2000, 1000, 11);
    struct nd_vectors test = made_up_vectors(500, 1000, 12);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct nd_rspamd_training training = trained(&train, seed);
        assert_true(figures_of(training.kann, &test).auc > 0.8);
        nd_rspamd_training_free(&training);
    }
    nd_vectors_free(&train);
    nd_vectors_free(&test);
}

static void the_same_vectors_and_seed_give_the_same_network(void **state)
{
    struct nd_vectors vectors = made_up_vectors(300, 40, 5);
    struct nd_rspamd_training one = trained(&vectors, 7);
    struct nd_rspamd_training other = trained(&vectors, 7);
    struct nd_buffer first = {0}, second = {0};
    nd_kann_write(one.kann, &first);
    nd_kann_write(other.kann, &second);
    assert_int_equal(first.length, second.length);
    assert_memory_equal(first.data, second.data, first.length);
    nd_buffer_free(&first);
    nd_buffer_free(&second);
    nd_rspamd_training_free(&one);
    nd_rspamd_training_free(&other);
    nd_vectors_free(&vectors);
}

static void refused(struct nd_vectors vectors, const char *word)
{
    struct nd_rspamd_training training;
    struct nd_error error = {{0}};
    struct nd_rspamd_train_options options = {.seed = 1};
    assert_int_equal(nd_rspamd_train(&vectors, &options, &error, &training),
                     ND_NOTHING);
    if (strstr(error.text, word) == NULL)
        fail_msg("no %s in: %s", word, error.text);
    nd_vectors_free(&vectors);
}

static void too_few_of_a_class_are_refused(void **state)
{
    struct nd_vectors vectors = made_up_vectors(300, 40, 5);
    size_t spam = 0;
    for (size_t i = 0; i < vectors.count; i++)
        vectors.labels[i] = vectors.labels[i] && spam++ < 19;
    refused(vectors, "too few");
    refused((struct nd_vectors){0}, "too few");
}

static void vectors_that_say_nothing_are_refused(void **state)
{
    struct nd_vectors vectors = {0};
    const float row[] = {1, 0.5F, 0};
    for (int i = 0; i < 100; i++)
        assert_int_equal(nd_vectors_add(&vectors, row, 3, i % 2, NULL), ND_OK);
    refused(vectors, "tells spam from ham");
}

static void few_vectors_are_enough(void **state)
{
    struct nd_vectors vectors = {0};
    for (int i = 0; i < 40; i++) {
        const float row[] = {(float)(i % 2), 1, (float)(i % 3 > 0),
                             (float)i / 40};
        assert_int_equal(nd_vectors_add(&vectors, row, 4, i % 2, NULL), ND_OK);
    }
    struct nd_rspamd_training training = trained(&vectors, 1);
    assert_true(figures_of(training.kann, &vectors).auc > 0.99);
    nd_rspamd_training_free(&training);
    nd_vectors_free(&vectors);
}

static void a_network_of_another_width_scores_nothing(void **state)
{
    struct nd_vectors vectors = made_up_vectors(300, 40, 5);
    struct nd_vectors other = made_up_vectors(3, 41, 5);
    struct nd_rspamd_training training = trained(&vectors, 1);
    double scores[3];
    assert_int_equal(nd_rspamd_score(training.kann, &other, NULL, scores),
                     ND_DATA);
    nd_rspamd_training_free(&training);
    nd_vectors_free(&vectors);
    nd_vectors_free(&other);
}

static int set_up(void **state)
{
    return nd_hash_init(NULL) == ND_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rspamds_vectors_are_learned_better_than_by_rspamd),
        cmocka_unit_test(the_score_does_not_saturate),
        cmocka_unit_test(a_thousand_symbols_do_not_collapse),
        cmocka_unit_test(the_same_vectors_and_seed_give_the_same_network),
        cmocka_unit_test(too_few_of_a_class_are_refused),
        cmocka_unit_test(vectors_that_say_nothing_are_refused),
        cmocka_unit_test(few_vectors_are_enough),
        cmocka_unit_test(a_network_of_another_width_scores_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
