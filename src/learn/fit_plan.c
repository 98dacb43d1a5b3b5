/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules by which a fit is planned. There are two kinds of networks. With
 * text, a sample has a thousand of half a million columns, most of them rare:
 * few hidden units beside a wide path, few epochs, a step for each sample.
 * With symbols and metatokens alone there are a few hundred columns, met again
 * and again: more units, more epochs, and dropout. The figures behind the
 * numbers stand in docs/decisions.
 */
#include "learn/fit_plan.h"

#include <stdlib.h>

/* With few samples what one member says of a message that it has not learned is
 * much a matter of chance, and the mean of four sets better thresholds: twice
 * the members, half the epochs, a quarter of the folds left out by each. */
#define FEW_SAMPLES 500U
#define FEW_MEMBERS 16U

/* Networks with text. MEMBERS are those that a model is the mean of, fewer only
 * where a class has fewer samples. More units bring nothing. */
#define TEXT_MEMBERS 12U
#define TEXT_UNITS 16U
#define TEXT_SIGHTS 8000U /* samples seen in all, within limits of epochs */
#define TEXT_LEAST_EPOCHS 1U
#define TEXT_MOST_EPOCHS 10U
#define FAMILY_DROPOUT 0.1F
#define TEXT_WEIGHT_DECAY 0.0001F

/* Networks on named features alone. */
#define NAMED_MEMBERS 8U
#define NAMED_UNITS (31U * NAMED_MEMBERS)
#define NAMED_SIGHTS 140000U
#define NAMED_LEAST_EPOCHS 10U
#define NAMED_MOST_EPOCHS 60U
#define NAMED_INPUT_DROPOUT 0.2F
#define NAMED_RATE 0.05F

/* Columns that fewer samples have are left out: what was seen once cannot be
 * told from chance, and it is most of what there is. */
#define MANY_SAMPLES 2000U
#define SOME_SAMPLES 500U
/* Rows that a network may have, which bounds the model file (24 bytes each). */
#define MOST_ROWS 300000U

static bool has_text(const struct nd_fit_plan *plan)
{
    return (plan->scaling.families & ND_GROUP_TEXT) != 0;
}

static uint32_t within(size_t value, uint32_t least, uint32_t most)
{
    return value < least ? least : value > most ? most : (uint32_t)value;
}

static void choose_families(struct nd_fit_plan *plan,
                            const struct nd_fit_sample *samples, size_t count,
                            uint32_t wanted)
{
    uint32_t present = 0;
    for (size_t i = 0; i < count; i++)
        present |= samples[i].features.families;
    nd_scaling_default(present & wanted, &plan->scaling);
}

static void choose_shape(struct nd_fit_plan *plan,
                         const struct nd_fit_sample *samples, size_t count,
                         const struct nd_fit_options *options)
{
    size_t spam = 0;
    for (size_t i = 0; i < count; i++)
        spam += samples[i].label != 0;
    size_t fewest = spam < count - spam ? spam : count - spam;
    bool few = count < FEW_SAMPLES && fewest > NAMED_MEMBERS;
    plan->members = within(fewest, 2,
                           few              ? FEW_MEMBERS
                           : has_text(plan) ? TEXT_MEMBERS
                                            : NAMED_MEMBERS);
    plan->left_out = few ? plan->members / 4 : 1;
    plan->units = options->hidden_units;
    if (plan->units == 0)
        plan->units = has_text(plan) ? TEXT_UNITS : NAMED_UNITS;
    uint32_t inputs =
        nd_text_columns(plan->scaling.families) + options->registry_length;
    plan->inputs = inputs > 0 ? inputs : 1;
}

struct nd_shape nd_fit_plan_shape(const struct nd_fit_plan *plan,
                                  uint32_t member)
{
    uint32_t units =
        plan->units / plan->members + (member < plan->units % plan->members);
    return (struct nd_shape){
        .inputs = plan->column_count,
        .layers = units > 0,
        .units = {units},
        .wide = true,
    };
}

/* Each text family is a group of its own, all named features are another. */
static void choose_groups(struct nd_fit_plan *plan)
{
    struct nd_train_groups *groups = &plan->training.groups;
    uint32_t families = 0;
    for (uint32_t family = 0; family < ND_FAMILY_COUNT; family++) {
        families |= 1U << family;
        if (nd_family(family)->is_text &&
            (plan->scaling.families >> family & 1U))
            plan->group_ends[groups->count++] =
                nd_text_columns(plan->scaling.families & families);
    }
    plan->group_ends[groups->count++] = UINT32_MAX;
    groups->ends = plan->group_ends;
    groups->dropout = FAMILY_DROPOUT;
}

static void choose_training(struct nd_fit_plan *plan, size_t count,
                            const struct nd_fit_options *options)
{
    struct nd_train_options *training = &plan->training;
    nd_train_defaults(training);
    training->seed = options->seed;
    if (has_text(plan)) {
        training->epochs =
            within(TEXT_SIGHTS / count, TEXT_LEAST_EPOCHS, TEXT_MOST_EPOCHS);
        training->weight_decay = TEXT_WEIGHT_DECAY;
        choose_groups(plan);
    } else {
        training->epochs =
            within(NAMED_SIGHTS / count, NAMED_LEAST_EPOCHS, NAMED_MOST_EPOCHS);
        training->input_dropout = NAMED_INPUT_DROPOUT;
        training->learning_rate = NAMED_RATE;
    }
    if (plan->left_out > 1)
        training->epochs = (training->epochs + 1) / 2;
    if (options->epochs > 0)
        training->epochs = options->epochs;
    if (options->learning_rate > 0)
        training->learning_rate = (float)options->learning_rate;
}

void nd_fit_plan_make(const struct nd_fit_sample *samples, size_t count,
                      const struct nd_fit_options *options,
                      struct nd_fit_plan *plan_r)
{
    choose_families(plan_r, samples, count, options->families);
    choose_shape(plan_r, samples, count, options);
    choose_training(plan_r, count, options);
}

void nd_fit_plan_free(struct nd_fit_plan *plan)
{
    free(plan->columns);
    free(plan->known);
    plan->columns = NULL;
    plan->known = NULL;
}

/* ---- inputs ---- */

static struct nd_input input_of(const struct nd_fit_plan *plan,
                                const struct nd_fit_sample *sample,
                                struct nd_arena *arena)
{
    struct nd_input input;
    nd_arena_reset(arena);
    nd_features_input(&sample->features, &plan->scaling, arena, &input);
    return input;
}

/* In how many samples each column is; counting stops at 255. */
static uint8_t *count_columns(const struct nd_fit_plan *plan,
                              const struct nd_fit_sample *samples, size_t count,
                              struct nd_arena *arena)
{
    uint8_t *counts = nd_calloc(plan->inputs, sizeof(*counts));
    for (size_t i = 0; i < count; i++) {
        struct nd_input input = input_of(plan, &samples[i], arena);
        for (uint32_t j = 0; j < input.count; j++) {
            uint32_t column = input.columns[j];
            if (column < plan->inputs && counts[column] < UINT8_MAX)
                counts[column]++;
        }
    }
    return counts;
}

/* The count from which a column is kept. */
static uint32_t choose_least(const struct nd_fit_plan *plan,
                             const uint8_t *counts, size_t samples)
{
    uint32_t with[UINT8_MAX + 1] = {0}; /* columns by their count */
    uint32_t rows = 0;
    uint32_t least = samples >= MANY_SAMPLES   ? 3
                     : samples >= SOME_SAMPLES ? 2
                                               : 1;
    for (uint32_t column = 0; column < plan->inputs; column++)
        with[counts[column]]++;
    for (uint32_t count = least; count <= UINT8_MAX; count++)
        rows += with[count];
    while (rows > MOST_ROWS && least < UINT8_MAX)
        rows -= with[least++];
    return least;
}

/* Lists the columns that are kept, at least one, and moves the ends of the
 * groups to their places among them. places_r: of each column its place, or
 * UINT32_MAX. */
static void settle_columns(struct nd_fit_plan *plan, const uint8_t *counts,
                           uint32_t least, uint32_t *places)
{
    uint32_t groups = plan->training.groups.count;
    uint32_t group = 0;
    plan->columns = nd_calloc(plan->inputs, sizeof(*plan->columns));
    plan->column_count = 0;
    for (uint32_t column = 0; column < plan->inputs; column++) {
        while (group < groups && plan->group_ends[group] <= column)
            plan->group_ends[group++] = plan->column_count;
        places[column] = UINT32_MAX;
        if (counts[column] < least)
            continue;
        places[column] = plan->column_count;
        plan->columns[plan->column_count++] = column;
    }
    for (; group + 1 < groups; group++)
        plan->group_ends[group] = plan->column_count;
    if (plan->column_count == 0)
        plan->column_count = 1; /* column 0, which no sample has */
}

/* Drops the columns that are not kept, in place. */
static struct nd_sparse prune(struct nd_input *input, const uint32_t *places,
                              uint32_t inputs)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < input->count; i++) {
        uint32_t column = input->columns[i];
        if (column >= inputs || places[column] == UINT32_MAX)
            continue;
        input->columns[kept] = places[column];
        input->values[kept++] = input->values[i];
    }
    return (struct nd_sparse){kept, input->columns, input->values};
}

/* Columns by the count of samples that have them. */
struct crowd {
    const uint8_t *counts;
    uint32_t inputs, least;
};

/* Whether a column would be kept without the one sample that is asked about. */
static bool others_know(const void *context, uint32_t column)
{
    const struct crowd *crowd = context;
    return column < crowd->inputs && crowd->counts[column] > crowd->least;
}

/* How much is usually known of spam. */
static void settle_usual(struct nd_fit_plan *plan,
                         const struct nd_fit_sample *samples, size_t count)
{
    double sum = 0;
    size_t told = 0;
    for (size_t i = 0; i < count; i++) {
        if (samples[i].label == 0 || plan->known[i] < 0)
            continue;
        sum += (double)plan->known[i];
        told++;
    }
    plan->scaling.usual = told > 0 ? (float)(sum / (double)told) : 0;
}

enum nd_status nd_fit_plan_inputs(struct nd_fit_plan *plan,
                                  const struct nd_fit_sample *samples,
                                  size_t count, struct nd_error *error,
                                  struct nd_dataset **set_r)
{
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_dataset *set = nd_dataset_create();
    uint8_t *counts = count_columns(plan, samples, count, arena);
    uint32_t *places = nd_calloc(plan->inputs, sizeof(*places));
    struct crowd crowd = {counts, plan->inputs,
                          choose_least(plan, counts, count)};
    settle_columns(plan, counts, crowd.least, places);
    plan->known = nd_calloc(count, sizeof(*plan->known));
    enum nd_status status = ND_OK;
    for (size_t i = 0; i < count && status == ND_OK; i++) {
        struct nd_input input = input_of(plan, &samples[i], arena);
        plan->known[i] =
            nd_input_known(&input, &plan->scaling, others_know, &crowd);
        struct nd_sparse row = prune(&input, places, plan->inputs);
        status = nd_dataset_add(set, &row, samples[i].label != 0, 1, error);
    }
    settle_usual(plan, samples, count);
    free(counts);
    free(places);
    nd_arena_destroy(&arena);
    if (status != ND_OK) {
        nd_dataset_destroy(&set);
        return status;
    }
    *set_r = set;
    return ND_OK;
}
