/* SPDX-License-Identifier: Apache-2.0
 *
 * Fitting: a committee's model tells apart what it learned, is judged on what
 * it did not learn, and is the same for the same seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "learn/fit.h"

#define NAMES 60
#define PICKED 10

struct set {
    struct nd_fit_sample *samples;
    size_t count;
};

/* Samples with ten names each: spam has more of the lower ones. */
static struct set make_set(size_t spam, size_t ham, uint64_t seed)
{
    struct nd_random random;
    nd_random_seed(&random, seed);
    struct set set = {nd_calloc(spam + ham, sizeof(*set.samples)), spam + ham};
    for (size_t i = 0; i < set.count; i++) {
        struct nd_fit_sample *sample = &set.samples[i];
        uint32_t *slots = nd_calloc(PICKED, sizeof(*slots));
        float *values = nd_calloc(PICKED, sizeof(*values));
        sample->label = i < spam;
        for (uint32_t n = 0; n < PICKED; n++) {
            uint32_t room = NAMES / PICKED;
            uint32_t a = (uint32_t)nd_random_below(&random, room);
            uint32_t b = (uint32_t)nd_random_below(&random, room);
            bool lower = sample->label ? a < b : a > b;
            slots[n] = n * room + (lower ? a : b);
            values[n] = 1;
        }
        sample->features = (struct nd_slotted){.families = ND_GROUP_SYMBOLS,
                                               .named_slots = slots,
                                               .named_values = values,
                                               .named_count = PICKED};
    }
    return set;
}

static void free_set(struct set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        free((void *)(uintptr_t)set->samples[i].features.named_slots);
        free((void *)(uintptr_t)set->samples[i].features.named_values);
    }
    free(set->samples);
}

static const struct nd_fit_options usual = {.families = ND_GROUP_ALL,
                                            .registry_length = NAMES,
                                            .seed = 3,
                                            .target_fpr = 0.001,
                                            .target_fnr = 0.001};

static struct nd_model *fit(const struct set *set,
                            const struct nd_fit_options *options)
{
    struct nd_model *model = NULL;
    struct nd_error error = {{0}};
    if (nd_fit(set->samples, set->count, options, &error, &model) != ND_OK)
        fail_msg("%s", error.text);
    return model;
}

/* Share of a set on whose side of one half the model's probability is. */
static double share_right(const struct nd_model *model, const struct set *set)
{
    struct nd_scorer *scorer = NULL;
    struct nd_arena *arena = nd_arena_create(0);
    size_t right = 0;
    assert_int_equal(nd_scorer_create(model, NULL, &scorer), ND_OK);
    for (size_t i = 0; i < set->count; i++) {
        double log_odds =
            nd_scorer_log_odds(scorer, &set->samples[i].features, arena);
        bool spam = nd_probability(&model->calibration, log_odds) >= 0.5;
        right += spam == (set->samples[i].label != 0);
    }
    nd_scorer_destroy(&scorer);
    nd_arena_destroy(&arena);
    return (double)right / (double)set->count;
}

static void it_tells_apart_what_it_has_not_seen(void **state)
{
    struct set train = make_set(150, 200, 1);
    struct set test = make_set(200, 200, 2);
    struct nd_model *model = fit(&train, &usual);
    double right = share_right(model, &test);
    assert_true(right > 0.9);
    assert_int_equal(model->figures.held_spam, 150);
    assert_int_equal(model->figures.held_ham, 200);
    assert_true(model->figures.held_auc > 0.95);
    nd_model_destroy(&model);
    free_set(&train);
    free_set(&test);
}

/* Labels that say nothing can be learned by heart, and then the figures of
 * samples that a member had learned would be good. */
static void it_is_judged_on_what_it_did_not_learn(void **state)
{
    struct set set = make_set(100, 100, 4);
    for (size_t i = 0; i < set.count; i++)
        set.samples[i].label = i % 2;
    struct nd_model *model = fit(&set, &usual);
    assert_true(model->figures.held_auc < 0.65);
    assert_true(share_right(model, &set) > model->figures.held_auc);
    nd_model_destroy(&model);
    free_set(&set);
}

/* Shares of a set that are decided, rightly and wrongly. */
static void share_decided(const struct nd_model *model, const struct set *set,
                          double *right, double *wrong)
{
    const struct nd_calibration *calibration = &model->calibration;
    struct nd_scorer *scorer = NULL;
    struct nd_arena *arena = nd_arena_create(0);
    assert_int_equal(nd_scorer_create(model, NULL, &scorer), ND_OK);
    for (size_t i = 0; i < set->count; i++) {
        double probability = nd_probability(
            calibration,
            nd_scorer_log_odds(scorer, &set->samples[i].features, arena));
        bool spam = probability >= calibration->spam_threshold;
        bool ham = probability <= calibration->ham_threshold;
        if (spam || ham)
            *(spam == (set->samples[i].label != 0) ? right : wrong) +=
                1 / (double)set->count;
    }
    nd_scorer_destroy(&scorer);
    nd_arena_destroy(&arena);
}

/* What one network says of a sample that it has not learned varies, and would
 * put the thresholds out of reach. */
static void few_samples_give_verdicts(void **state)
{
    struct set test = make_set(300, 300, 99);
    double right = 0, wrong = 0;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct set train = make_set(60, 60, seed);
        struct nd_model *model = fit(&train, &usual);
        share_decided(model, &test, &right, &wrong);
        nd_model_destroy(&model);
        free_set(&train);
    }
    assert_true(right / 5 > 0.45);
    assert_true(wrong / 5 < 0.005);
    free_set(&test);
}

static void the_seed_alone_decides_the_model(void **state)
{
    struct set set = make_set(40, 40, 5);
    struct nd_fit_options options = usual;
    struct nd_model *first = fit(&set, &options);
    struct nd_model *same = fit(&set, &options);
    options.seed++;
    struct nd_model *other = fit(&set, &options);
    assert_true(first->calibration.slope == same->calibration.slope);
    assert_true(first->calibration.slope != other->calibration.slope);
    nd_model_destroy(&first);
    nd_model_destroy(&same);
    nd_model_destroy(&other);
    free_set(&set);
}

static void threads_change_nothing_but_the_time(void **state)
{
    struct set set = make_set(60, 40, 9);
    struct nd_fit_options options = usual;
    struct nd_buffer one = {0}, several = {0};
    for (uint32_t threads = 1; threads <= 20; threads += 4) {
        options.threads = threads;
        struct nd_model *model = fit(&set, &options);
        model->figures.trained_ms = 0;
        nd_buffer_clear(&several);
        nd_model_write(model, NULL, threads == 1 ? &one : &several);
        nd_model_destroy(&model);
        if (threads == 1)
            continue;
        assert_int_equal(several.length, one.length);
        assert_memory_equal(several.data, one.data, one.length);
    }
    nd_buffer_free(&one);
    nd_buffer_free(&several);
    free_set(&set);
}

#define SPREAD 40

/* Slots from base up, picked of twenty. */
static uint32_t *pick(struct nd_random *random, uint32_t base)
{
    uint32_t *slots = nd_calloc(PICKED, sizeof(*slots));
    for (uint32_t n = 0; n < PICKED; n++)
        slots[n] = base + 2 * n + (uint32_t)nd_random_below(random, 2);
    return slots;
}

/* Words that tell the classes apart, links that do not. */
static struct nd_fit_sample mail_sample(struct nd_random *random, int label,
                                        uint32_t first_link)
{
    struct nd_fit_sample sample = {.label = (uint8_t)label};
    sample.features.families = 1U << ND_FAMILY_WORDS | 1U << ND_FAMILY_URLS;
    sample.features.text[ND_FAMILY_WORDS] =
        (struct nd_slot_list){pick(random, label ? SPREAD : 0), PICKED};
    sample.features.text[ND_FAMILY_URLS] =
        (struct nd_slot_list){pick(random, first_link), PICKED};
    return sample;
}

static void free_mail(struct nd_fit_sample *sample)
{
    free((void *)(uintptr_t)sample->features.text[ND_FAMILY_WORDS].slots);
    free((void *)(uintptr_t)sample->features.text[ND_FAMILY_URLS].slots);
}

/* Log-odds of words of a class with links from first_link up. */
static double answer(const struct nd_model *model, int label,
                     uint32_t first_link)
{
    struct nd_scorer *scorer = NULL;
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_random random;
    nd_random_seed(&random, 77);
    struct nd_fit_sample sample = mail_sample(&random, label, first_link);
    assert_int_equal(nd_scorer_create(model, NULL, &scorer), ND_OK);
    double log_odds = nd_scorer_log_odds(scorer, &sample.features, arena);
    nd_scorer_destroy(&scorer);
    nd_arena_destroy(&arena);
    free_mail(&sample);
    return log_odds;
}

/* The links say nothing of the class, but that the model knows them. */
static void what_was_never_met_is_less_surely_spam(void **state)
{
    struct nd_random random;
    struct nd_fit_sample samples[200];
    struct set set = {samples, 200};
    nd_random_seed(&random, 9);
    for (size_t i = 0; i < set.count; i++)
        samples[i] = mail_sample(&random, i % 2, 0);
    struct nd_model *model = fit(&set, &usual);
    double known = answer(model, 1, 0), unknown = answer(model, 1, 1000);
    double ham = answer(model, 0, 0), other_ham = answer(model, 0, 1000);
    assert_true(unknown > 0 && unknown < 0.75 * known);
    assert_true(other_ham < 0.75 * ham); /* both below 0 */
    nd_model_destroy(&model);
    for (size_t i = 0; i < set.count; i++)
        free_mail(&samples[i]);
}

static void hidden_units_are_those_of_the_whole(void **state)
{
    struct set set = make_set(30, 30, 6);
    struct nd_fit_options options = usual;
    for (uint32_t units = 1; units <= 20; units += 19) {
        options.hidden_units = units;
        struct nd_model *model = fit(&set, &options);
        struct nd_shape shape = nd_network_shape(model->network);
        assert_int_equal(shape.layers, 1);
        assert_int_equal(shape.units[0], units);
        nd_model_destroy(&model);
    }
    free_set(&set);
}

static void two_of_a_class_are_enough_and_one_is_not(void **state)
{
    struct set set = make_set(2, 30, 7);
    struct nd_model *model = fit(&set, &usual);
    nd_model_destroy(&model);
    struct nd_error error = {{0}};
    assert_int_equal(
        nd_fit(set.samples + 1, set.count - 1, &usual, &error, &model),
        ND_NOTHING);
    assert_null(model);
    free_set(&set);
}

static bool stop_half_way(double done, double loss, const char *stage,
                          void *context)
{
    double *last = context;
    assert_true(done >= *last && done <= 1);
    *last = done;
    return done < 0.5;
}

static void progress_rises_and_may_cancel(void **state)
{
    struct set set = make_set(60, 60, 8);
    struct nd_fit_options options = usual;
    double last = 0;
    struct nd_model *model = NULL;
    options.progress = stop_half_way;
    options.context = &last;
    for (options.threads = 1; options.threads <= 3; options.threads++) {
        last = 0;
        assert_int_equal(nd_fit(set.samples, set.count, &options, NULL, &model),
                         ND_CANCELLED);
        assert_null(model);
        assert_true(last >= 0.5);
    }
    free_set(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_tells_apart_what_it_has_not_seen),
        cmocka_unit_test(it_is_judged_on_what_it_did_not_learn),
        cmocka_unit_test(few_samples_give_verdicts),
        cmocka_unit_test(the_seed_alone_decides_the_model),
        cmocka_unit_test(threads_change_nothing_but_the_time),
        cmocka_unit_test(what_was_never_met_is_less_surely_spam),
        cmocka_unit_test(hidden_units_are_those_of_the_whole),
        cmocka_unit_test(two_of_a_class_are_enough_and_one_is_not),
        cmocka_unit_test(progress_rises_and_may_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
