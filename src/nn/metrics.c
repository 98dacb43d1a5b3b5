/* SPDX-License-Identifier: Apache-2.0
 *
 * Figures of merit. Everything about ranks comes from one walk over the scores
 * in falling order, in which equal scores are one step; the curve, the area and
 * the recall at a false-positive rate are three readers of that walk.
 */
#include "nn/metrics.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/memory.h"

struct scored {
    double score;
    uint8_t label;
};

/* The scores in falling order, and how far the walk has come: position items
 * are behind it, of which spam and ham of each class. */
struct walk {
    struct scored *items;
    size_t count, position;
    size_t spam, ham;
    size_t all_spam, all_ham;
};

static int falling(const void *first, const void *second)
{
    const struct scored *a = first, *b = second;
    return (a->score < b->score) - (a->score > b->score);
}

static void walk_begin(struct walk *walk, const double *scores,
                       const uint8_t *labels, size_t count)
{
    *walk = (struct walk){.count = count};
    walk->items = nd_calloc(count, sizeof(*walk->items));
    for (size_t i = 0; i < count; i++) {
        double score = isnan(scores[i]) ? -INFINITY : scores[i];
        walk->items[i] = (struct scored){score, labels[i]};
        if (labels[i])
            walk->all_spam++;
        else
            walk->all_ham++;
    }
    qsort(walk->items, count, sizeof(*walk->items), falling);
}

/* Takes in all items of the next score; false at the end. */
static bool walk_step(struct walk *walk, double *score_r)
{
    if (walk->position == walk->count)
        return false;
    double score = walk->items[walk->position].score;
    while (walk->position < walk->count &&
           walk->items[walk->position].score >= score) {
        if (walk->items[walk->position].label)
            walk->spam++;
        else
            walk->ham++;
        walk->position++;
    }
    *score_r = score;
    return true;
}

static bool has_both(const struct walk *walk)
{
    return walk->all_spam > 0 && walk->all_ham > 0;
}

double nd_auc(const double *scores, const uint8_t *labels, size_t count)
{
    struct walk walk;
    double score, won = 0;
    walk_begin(&walk, scores, labels, count);
    size_t spam = 0, ham = 0;
    while (walk_step(&walk, &score)) {
        double new_spam = (double)(walk.spam - spam);
        double new_ham = (double)(walk.ham - ham);
        double ham_below = (double)(walk.all_ham - walk.ham);
        won += new_spam * (ham_below + new_ham / 2);
        spam = walk.spam;
        ham = walk.ham;
    }
    free(walk.items);
    return has_both(&walk) ? won / (double)walk.all_spam / (double)walk.all_ham
                           : NAN;
}

double nd_recall_at_fpr(const double *scores, const uint8_t *labels,
                        size_t count, double fpr, double *threshold_r)
{
    struct walk walk;
    double score, recall = 0, threshold = INFINITY;
    walk_begin(&walk, scores, labels, count);
    while (has_both(&walk) && walk_step(&walk, &score)) {
        if ((double)walk.ham / (double)walk.all_ham > fpr)
            break;
        recall = (double)walk.spam / (double)walk.all_spam;
        threshold = score;
    }
    free(walk.items);
    if (threshold_r != NULL)
        *threshold_r = threshold;
    return has_both(&walk) ? recall : NAN;
}

size_t nd_roc(const double *scores, const uint8_t *labels, size_t count,
              struct nd_roc_point **points_r)
{
    struct walk walk;
    double score;
    struct nd_roc_point *points = nd_calloc(count + 1, sizeof(*points));
    size_t length = 0;
    points[length++] = (struct nd_roc_point){0, 0, INFINITY};
    walk_begin(&walk, scores, labels, count);
    while (walk_step(&walk, &score)) {
        double spam = walk.all_spam > 0 ? (double)walk.all_spam : NAN;
        double ham = walk.all_ham > 0 ? (double)walk.all_ham : NAN;
        points[length++] = (struct nd_roc_point){
            (double)walk.ham / ham, (double)walk.spam / spam, score};
    }
    free(walk.items);
    *points_r = points;
    return length;
}

double nd_brier(const double *probabilities, const uint8_t *labels,
                size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double difference = probabilities[i] - (labels[i] ? 1 : 0);
        sum += difference * difference;
    }
    return sum / (double)count;
}

static double loss_of(double probability, uint8_t label)
{
    double right = label ? probability : 1 - probability;
    return -log(fmin(fmax(right, 1e-7), 1 - 1e-7));
}

/* Mean and standard error of the mean from sums of values and squares. */
static double mean_of(double sum, double squares, size_t count,
                      double *standard_error_r)
{
    double n = (double)count;
    double mean = sum / n;
    if (standard_error_r != NULL) {
        double variance = fmax(squares / n - mean * mean, 0);
        *standard_error_r = count > 1 ? sqrt(variance / (n - 1)) : NAN;
    }
    return mean;
}

double nd_log_loss(const double *probabilities, const uint8_t *labels,
                   size_t count, double *standard_error_r)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        double loss = loss_of(probabilities[i], labels[i]);
        sum += loss;
        squares += loss * loss;
    }
    return mean_of(sum, squares, count, standard_error_r);
}

double nd_log_loss_difference(const double *first, const double *second,
                              const uint8_t *labels, size_t count,
                              double *standard_error_r)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        double difference =
            loss_of(first[i], labels[i]) - loss_of(second[i], labels[i]);
        sum += difference;
        squares += difference * difference;
    }
    return mean_of(sum, squares, count, standard_error_r);
}

void nd_wilson(size_t successes, size_t trials, double z, double *low_r,
               double *high_r)
{
    *low_r = 0;
    *high_r = 1;
    if (trials == 0)
        return;
    double n = (double)trials;
    double share = (double)successes / n;
    double square = z * z;
    double middle = (share + square / (2 * n)) / (1 + square / n);
    double half = z / (1 + square / n) *
                  sqrt(share * (1 - share) / n + square / (4 * n * n));
    *low_r = fmax(middle - half, 0);
    *high_r = fmin(middle + half, 1);
}
