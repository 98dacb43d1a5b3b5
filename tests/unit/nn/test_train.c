/* SPDX-License-Identifier: Apache-2.0
 *
 * Training: it learns what can be learned, the same way each time, stops when
 * told to, and refuses what it cannot use.
 */
#include "fixture.h"

#include "nn/network_internal.h"

static const struct nd_shape small = {
    .inputs = 300, .layers = 1, .units = {12}, .wide = true};

static struct nd_train_options options_for(uint32_t epochs, uint32_t batch)
{
    struct nd_train_options options;
    nd_train_defaults(&options);
    options.epochs = epochs;
    options.batch = batch;
    return options;
}

static void check_learns(const struct nd_shape *shape, uint32_t batch)
{
    struct nd_train_options options = options_for(30, batch);
    struct nd_dataset *set = linear_set(shape->inputs, 1500, 1);
    struct nd_dataset *test = linear_set(shape->inputs, 500, 2);
    struct nd_network *network = make_network(shape, 3);
    struct nd_train_report report = train_network(network, set, &options);
    assert_int_equal(report.epochs, 30);
    assert_true(isnan(report.held_loss));
    assert_true(report.loss < 0.3);
    assert_true(report.seconds > 0);
    assert_true(share_right(network, test) > 0.85);
    nd_network_destroy(&network);
    nd_dataset_destroy(&set);
    nd_dataset_destroy(&test);
}

static void it_learns_a_linear_rule(void **state)
{
    struct nd_shape linear = {.inputs = 300};
    check_learns(&linear, 1);
    check_learns(&linear, 32);
    check_learns(&small, 1);
    check_learns(&small, 32);
}

static void check_exclusive(uint32_t layers, uint32_t batch)
{
    struct nd_shape shape = {
        .inputs = 4, .layers = layers, .units = {16, 8, 8}, .wide = true};
    struct nd_train_options options = options_for(40, batch);
    struct nd_dataset *set = exclusive_set(400, 1);
    struct nd_dataset *test = exclusive_set(200, 2);
    struct nd_network *network = make_network(&shape, 3);
    train_network(network, set, &options);
    double right = share_right(network, test);
    if (layers == 0)
        assert_true(right < 0.8);
    else
        assert_true(right > 0.99);
    nd_network_destroy(&network);
    nd_dataset_destroy(&set);
    nd_dataset_destroy(&test);
}

static void hidden_layers_learn_what_no_linear_path_can(void **state)
{
    check_exclusive(0, 16);
    check_exclusive(1, 16);
    check_exclusive(1, 1);
    check_exclusive(2, 16);
    check_exclusive(3, 16);
}

static struct nd_network *train_small(const struct nd_train_options *options)
{
    struct nd_dataset *set = linear_set(300, 300, 1);
    struct nd_network *network = make_network(&small, 3);
    train_network(network, set, options);
    nd_dataset_destroy(&set);
    return network;
}

static bool same_weights(const struct nd_train_options *one,
                         const struct nd_train_options *other)
{
    struct nd_network *first = train_small(one);
    struct nd_network *second = train_small(other);
    bool same = memcmp(first->rows, second->rows,
                       300 * first->width * sizeof(float)) == 0;
    nd_network_destroy(&first);
    nd_network_destroy(&second);
    return same;
}

static void the_same_seed_gives_the_same_weights(void **state)
{
    struct nd_train_options one = options_for(3, 16), other = one;
    one.dropout = other.dropout = 0.2F;
    one.input_dropout = other.input_dropout = 0.2F;
    assert_true(same_weights(&one, &other));
    other.seed++;
    assert_false(same_weights(&one, &other));
}

static void every_option_has_an_effect(void **state)
{
    struct nd_train_options plain = options_for(3, 16);
    struct nd_train_options other = plain;
    other.learning_rate = 0.1F;
    assert_false(same_weights(&plain, &other));
    other = plain;
    other.weight_decay = 0.01F;
    assert_false(same_weights(&plain, &other));
    other = plain;
    other.dropout = 0.5F;
    assert_false(same_weights(&plain, &other));
    other = plain;
    other.input_dropout = 0.5F;
    assert_false(same_weights(&plain, &other));
    other = plain;
    other.label_smoothing = 0.1F;
    assert_false(same_weights(&plain, &other));
    other = plain;
    other.balance_classes = !plain.balance_classes;
    assert_false(same_weights(&plain, &other));
}

static void what_options_leave_open_is_chosen(void **state)
{
    struct nd_train_options open = options_for(3, 0);
    struct nd_train_options narrow = options_for(3, 1);
    assert_true(open.learning_rate == 0);
    narrow.learning_rate = 0.2F;
    assert_true(same_weights(&open, &narrow));
    narrow.batch = 2;
    assert_false(same_weights(&open, &narrow));
}

static double sum_of_squares(const struct nd_network *network)
{
    double sum = 0;
    for (size_t i = 0; i < 300 * network->width; i++)
        sum += (double)network->rows[i] * (double)network->rows[i];
    return sum;
}

static void weight_decay_makes_weights_smaller(void **state)
{
    struct nd_train_options plain = options_for(5, 1), decay = plain;
    decay.weight_decay = 0.5F;
    struct nd_network *one = train_small(&plain);
    struct nd_network *other = train_small(&decay);
    assert_true(sum_of_squares(other) < 0.7 * sum_of_squares(one));
    nd_network_destroy(&one);
    nd_network_destroy(&other);
}

static void label_smoothing_holds_the_log_odds_back(void **state)
{
    struct nd_train_options options = options_for(60, 16);
    struct nd_shape shape = {.inputs = 2, .layers = 1, .units = {8}};
    struct nd_dataset *set = nd_dataset_create();
    const uint32_t columns[] = {0, 1};
    const float one = 1;
    for (int i = 0; i < 200; i++)
        add_vector(set, 1, &columns[i % 2], &one, i % 2);
    struct nd_sparse spam = {1, &columns[1], &one};
    options.label_smoothing = 0.2F; /* targets 0.1 and 0.9 */
    struct nd_network *network = make_network(&shape, 1);
    train_network(network, set, &options);
    assert_true(fabs((double)nd_network_score(network, &spam) - log(9)) < 0.05);
    nd_network_destroy(&network);
    nd_dataset_destroy(&set);
}

/* One column, spam a tenth of the time: balanced, its log-odds are 0. */
static void check_balance(uint32_t batch, bool balance)
{
    struct nd_train_options options = options_for(60, batch);
    struct nd_shape shape = {.inputs = 1};
    struct nd_network *network = make_network(&shape, 1);
    struct nd_dataset *set = nd_dataset_create();
    const uint32_t column = 0;
    const float one = 1;
    struct nd_sparse vector = {1, &column, &one};
    for (int i = 0; i < 500; i++)
        add_vector(set, 1, &column, &one, i % 10 == 0);
    options.learning_rate = 0.05F;
    options.weight_decay = 0;
    options.balance_classes = balance;
    train_network(network, set, &options);
    double score = (double)nd_network_score(network, &vector);
    assert_true(fabs(score - (balance ? 0 : log(1.0 / 9))) < 0.15);
    nd_network_destroy(&network);
    nd_dataset_destroy(&set);
}

static void classes_are_balanced_where_asked(void **state)
{
    check_balance(50, true);
    check_balance(50, false);
    check_balance(1, true);
    check_balance(1, false);
}

/* Three equal vectors, spam weighing twice as much as the two ham together. */
static void a_samples_weight_counts(void **state)
{
    struct nd_train_options options = options_for(400, 1);
    struct nd_shape shape = {.inputs = 1};
    struct nd_network *network = make_network(&shape, 1);
    struct nd_dataset *set = nd_dataset_create();
    const uint32_t column = 0;
    const float one = 1;
    struct nd_sparse vector = {1, &column, &one};
    options.learning_rate = 0.05F;
    options.weight_decay = 0;
    for (int label = 0; label < 2; label++)
        for (int i = label; i < 2; i++)
            assert_int_equal(
                nd_dataset_add(set, &vector, label, label ? 4.0F : 1.0F, NULL),
                ND_OK);
    train_network(network, set, &options);
    double score = (double)nd_network_score(network, &vector);
    assert_true(fabs(score - log(2)) < 0.15);
    nd_network_destroy(&network);
    nd_dataset_destroy(&set);
}

static void columns_never_seen_are_silent(void **state)
{
    struct nd_train_options options = options_for(2, 16);
    struct nd_shape shape = small;
    shape.inputs = 400;
    struct nd_dataset *set = linear_set(300, 300, 1);
    struct nd_network *network = make_network(&shape, 3);
    train_network(network, set, &options);
    const uint32_t unseen = 350;
    const float value = 100;
    struct nd_sparse with = {1, &unseen, &value}, without = {0};
    assert_true(nd_network_score(network, &with) ==
                nd_network_score(network, &without));
    nd_network_quantize(network);
    assert_true(network->compact->rows <= 300);
    nd_network_destroy(&network);
    nd_dataset_destroy(&set);
}

static void training_goes_on_from_a_compact_network(void **state)
{
    struct nd_train_options options = options_for(10, 16);
    struct nd_dataset *set = linear_set(300, 1500, 1);
    struct nd_network *network = make_network(&small, 3);
    train_network(network, set, &options);
    double before = share_right(network, set);
    nd_network_quantize(network);
    options.learning_rate = 1e-4F;
    options.epochs = 1;
    struct nd_train_report report = train_network(network, set, &options);
    assert_non_null(network->rows);
    assert_true(report.loss < 0.4);
    assert_true(share_right(network, set) > before - 0.02);
    nd_network_destroy(&network);
    nd_dataset_destroy(&set);
}

static void columns_beyond_the_network_do_not_disturb(void **state)
{
    struct nd_train_options options = options_for(2, 16);
    struct nd_shape shape = small;
    shape.inputs = 50;
    struct nd_dataset *set = linear_set(300, 300, 1);
    struct nd_network *network = make_network(&shape, 3);
    train_network(network, set, &options);
    options.batch = 1;
    train_network(network, set, &options);
    nd_network_destroy(&network);
    nd_dataset_destroy(&set);
}

/* Labels at random: the training loss falls, the held loss does not. */
static struct nd_dataset *noise_set(size_t count, uint64_t seed)
{
    struct nd_random random;
    struct nd_dataset *set = nd_dataset_create();
    nd_random_seed(&random, seed);
    for (size_t i = 0; i < count; i++) {
        uint32_t columns[ENTRIES];
        float values[ENTRIES];
        draw_vector(&random, 300, columns, values);
        add_vector(set, ENTRIES, columns, values,
                   (int)nd_random_below(&random, 2));
    }
    return set;
}

static double held_loss(const struct nd_network *network,
                        const struct nd_dataset *held)
{
    double loss = 0;
    for (size_t i = 0; i < nd_dataset_count(held); i++) {
        struct nd_sparse row = nd_dataset_row(held, i);
        double z = (double)nd_network_score(network, &row);
        loss += log1p(exp(nd_dataset_label(held, i) ? -z : z));
    }
    return loss / (double)nd_dataset_count(held);
}

static void early_stopping_keeps_the_best_epoch(void **state)
{
    struct nd_train_options options = options_for(100, 16);
    struct nd_dataset *set = noise_set(300, 1), *held = noise_set(300, 2);
    struct nd_network *network = make_network(&small, 3);
    struct nd_train_report report;
    options.patience = 3;
    options.balance_classes = false;
    assert_int_equal(nd_train(network, set, held, &options, NULL, &report),
                     ND_OK);
    assert_int_equal(report.epochs, report.best_epoch + 4);
    assert_true(report.epochs < 100);
    assert_true(fabs(held_loss(network, held) - report.held_loss) < 1e-4);
    nd_network_destroy(&network);
    nd_dataset_destroy(&set);
    nd_dataset_destroy(&held);
}

static void without_patience_all_epochs_run(void **state)
{
    struct nd_train_options options = options_for(20, 16);
    struct nd_dataset *set = noise_set(300, 1), *held = noise_set(300, 2);
    struct nd_network *network = make_network(&small, 3);
    struct nd_train_report report;
    options.balance_classes = false;
    assert_int_equal(nd_train(network, set, held, &options, NULL, &report),
                     ND_OK);
    assert_int_equal(report.epochs, 20);
    assert_true(held_loss(network, held) > report.held_loss);
    nd_network_destroy(&network);
    nd_dataset_destroy(&set);
    nd_dataset_destroy(&held);
}

struct told {
    uint32_t calls, cancel_after;
    double done, held_loss;
};

static bool tell(const struct nd_train_progress *progress, void *context)
{
    struct told *told = context;
    assert_true(progress->done >= told->done && progress->done <= 1);
    assert_true(progress->epoch < progress->epochs);
    assert_true(progress->loss > 0);
    told->done = progress->done;
    told->held_loss = progress->held_loss;
    return ++told->calls != told->cancel_after;
}

static void progress_is_told_after_every_epoch(void **state)
{
    struct told told = {0};
    struct nd_train_options options = options_for(5, 16);
    options.callback = tell;
    options.context = &told;
    struct nd_network *network = train_small(&options);
    assert_true(told.calls >= 5);
    assert_true(told.done == 1);
    assert_true(isnan(told.held_loss));
    nd_network_destroy(&network);
}

static void the_callback_cancels(void **state)
{
    struct told told = {.cancel_after = 2};
    struct nd_train_options options = options_for(1000, 16);
    struct nd_dataset *set = linear_set(300, 300, 1);
    struct nd_network *network = make_network(&small, 3);
    struct nd_train_report report = {.epochs = 77};
    options.callback = tell;
    options.context = &told;
    assert_int_equal(nd_train(network, set, NULL, &options, NULL, &report),
                     ND_CANCELLED);
    assert_int_equal(told.calls, 2);
    assert_int_equal(report.epochs, 77);
    nd_network_destroy(&network);
    nd_dataset_destroy(&set);
}

static void one_class_alone_is_refused(void **state)
{
    struct nd_train_options options = options_for(1, 16);
    struct nd_network *network = make_network(&small, 3);
    struct nd_dataset *set = nd_dataset_create();
    struct nd_train_report report;
    struct nd_error error;
    const uint32_t column = 1;
    const float value = 1;
    assert_int_equal(nd_train(network, set, NULL, &options, &error, &report),
                     ND_NOTHING);
    add_vector(set, 1, &column, &value, 1);
    assert_int_equal(nd_train(network, set, NULL, &options, &error, &report),
                     ND_NOTHING);
    assert_non_null(strstr(error.text, "no ham"));
    nd_network_destroy(&network);
    nd_dataset_destroy(&set);
}

static void a_loss_that_is_not_finite_is_an_error(void **state)
{
    struct nd_train_options options = options_for(50, 1);
    struct nd_network *network = make_network(&small, 3);
    struct nd_dataset *set = nd_dataset_create();
    struct nd_train_report report;
    const uint32_t column = 1;
    const float huge = 3e38F;
    network->rows[network->width + 12] = 10; /* the wide weight */
    for (int i = 0; i < 20; i++)
        add_vector(set, 1, &column, &huge, i % 2);
    assert_int_equal(nd_train(network, set, NULL, &options, NULL, &report),
                     ND_DATA);
    nd_network_destroy(&network);
    nd_dataset_destroy(&set);
}

static void assert_options_refused(const struct nd_train_options *options)
{
    struct nd_dataset *set = linear_set(300, 20, 1);
    struct nd_network *network = make_network(&small, 3);
    struct nd_train_report report;
    assert_int_equal(nd_train(network, set, NULL, options, NULL, &report),
                     ND_USAGE);
    nd_network_destroy(&network);
    nd_dataset_destroy(&set);
}

static void senseless_options_are_refused(void **state)
{
    struct nd_train_options options = options_for(1, 1U << 30);
    assert_options_refused(&options);
    options = options_for(1, 16);
    options.learning_rate = NAN;
    assert_options_refused(&options);
    options.learning_rate = -1;
    assert_options_refused(&options);
    options = options_for(1, 16);
    options.dropout = 1;
    assert_options_refused(&options);
    options = options_for(1, 16);
    options.input_dropout = -0.1F;
    assert_options_refused(&options);
    options = options_for(1, 16);
    options.label_smoothing = NAN;
    assert_options_refused(&options);
    options = options_for(1, 16);
    options.weight_decay = 1e6F;
    assert_options_refused(&options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_learns_a_linear_rule),
        cmocka_unit_test(hidden_layers_learn_what_no_linear_path_can),
        cmocka_unit_test(the_same_seed_gives_the_same_weights),
        cmocka_unit_test(every_option_has_an_effect),
        cmocka_unit_test(what_options_leave_open_is_chosen),
        cmocka_unit_test(weight_decay_makes_weights_smaller),
        cmocka_unit_test(label_smoothing_holds_the_log_odds_back),
        cmocka_unit_test(classes_are_balanced_where_asked),
        cmocka_unit_test(a_samples_weight_counts),
        cmocka_unit_test(columns_never_seen_are_silent),
        cmocka_unit_test(training_goes_on_from_a_compact_network),
        cmocka_unit_test(columns_beyond_the_network_do_not_disturb),
        cmocka_unit_test(early_stopping_keeps_the_best_epoch),
        cmocka_unit_test(without_patience_all_epochs_run),
        cmocka_unit_test(progress_is_told_after_every_epoch),
        cmocka_unit_test(the_callback_cancels),
        cmocka_unit_test(one_class_alone_is_refused),
        cmocka_unit_test(a_loss_that_is_not_finite_is_an_error),
        cmocka_unit_test(senseless_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
