/* SPDX-License-Identifier: Apache-2.0
 *
 * From log-odds to probabilities and decisions.
 *
 * The probability is Platt's logistic fit (1999) by the damped Newton method of
 * Lin, Lin and Weng (2007): two parameters, sane on a few dozen samples.
 *
 * A threshold for one false positive in a thousand cannot be read off a few
 * hundred samples of ham: the highest of them is one unlucky message. So the
 * tail beyond a class's upper tenth is taken as exponential, which is what
 * excesses over a high threshold tend to for all light tails (Pickands 1975;
 * shape 0 of the generalised Pareto distribution, whose one parameter is the
 * mean excess), and the threshold is where that tail has the target left.
 *
 * The mean of six excesses is itself a matter of luck. What a class's whole
 * upper half says, taken as half of a normal distribution, varies less, but
 * knows nothing of heavy tails. The threshold lies between the two, the nearer
 * to the first the more excesses there are.
 */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "nn/model.h"

#define MOST_STEPS 100
#define MOST_HALVINGS 34 /* of a step: to 1e-10 of it */
#define SMALLEST_SLOPE 1e-3
#define TAIL_SHARE 0.1 /* of a class, taken as its tail */
#define TAIL_LEAST 10  /* samples, fewer only where the class has fewer */
#define HALF_WEIGHT 20 /* of the upper half, in excesses of the tail */
#define LEAST_TARGET 1e-9
/* Where the classes lie far apart, targets would be met near one half; mail of
 * another kind lies between, and is better left undecided. */
#define SPAM_LEAST 0.95
#define HAM_MOST 0.05

/* Sums over the samples for one Newton step at (slope, offset). */
struct newton {
    double loss;
    double gradient_slope, gradient_offset;
    double h11, h12, h22; /* Hessian: slope twice, mixed, offset twice */
};

struct fit_data {
    const double *log_odds;
    const uint8_t *labels;
    size_t count;
    double target[2]; /* Platt's smoothed targets of ham and spam */
};

static double logistic(double z)
{
    return z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z));
}

static double loss_at(double z, double target)
{
    return fmax(z, 0) + log1p(exp(-fabs(z))) - target * z;
}

static struct newton sums_at(const struct fit_data *data, double slope,
                             double offset)
{
    struct newton sums = {.h11 = 1e-12, .h22 = 1e-12};
    for (size_t i = 0; i < data->count; i++) {
        double x = data->log_odds[i];
        double z = slope * x + offset;
        double target = data->target[data->labels[i] != 0];
        double p = logistic(z);
        double curvature = p * (1 - p);
        sums.loss += loss_at(z, target);
        sums.gradient_slope += (p - target) * x;
        sums.gradient_offset += p - target;
        sums.h11 += curvature * x * x;
        sums.h12 += curvature * x;
        sums.h22 += curvature;
    }
    return sums;
}

/* Halves the Newton step until the loss falls enough; false when it cannot. */
static bool line_search(const struct fit_data *data, const struct newton *sums,
                        double *slope, double *offset)
{
    double determinant = sums->h11 * sums->h22 - sums->h12 * sums->h12;
    if (!(determinant > 0))
        return false;
    double step_slope = -(sums->h22 * sums->gradient_slope -
                          sums->h12 * sums->gradient_offset) /
                        determinant;
    double step_offset = -(sums->h11 * sums->gradient_offset -
                           sums->h12 * sums->gradient_slope) /
                         determinant;
    double descent =
        sums->gradient_slope * step_slope + sums->gradient_offset * step_offset;
    double size = 1;
    for (int halvings = 0; halvings < MOST_HALVINGS; halvings++) {
        double a = *slope + size * step_slope;
        double b = *offset + size * step_offset;
        if (sums_at(data, a, b).loss < sums->loss + 1e-4 * size * descent) {
            *slope = a;
            *offset = b;
            return true;
        }
        size /= 2;
    }
    return false;
}

static void count_classes(const uint8_t *labels, size_t count, size_t *ham,
                          size_t *spam)
{
    *ham = *spam = 0;
    for (size_t i = 0; i < count; i++) {
        if (labels[i])
            (*spam)++;
        else
            (*ham)++;
    }
}

/* A slope that is not above 0 says that the network ranks no better than
 * chance: the least slope is kept, so that order survives, with the offset that
 * the shares of the classes give. */
static void keep_positive(const struct fit_data *data, double *slope,
                          double *offset)
{
    if (*slope >= SMALLEST_SLOPE && isfinite(*slope) && isfinite(*offset))
        return;
    *slope = SMALLEST_SLOPE;
    *offset = 0;
    for (int i = 0; i < MOST_STEPS; i++) {
        struct newton sums = sums_at(data, *slope, *offset);
        double step = sums.gradient_offset / sums.h22;
        *offset -= fmax(-1, fmin(1, step));
    }
}

enum nd_status nd_calibrate(const double *log_odds, const uint8_t *labels,
                            size_t count, struct nd_error *error,
                            struct nd_calibration *calibration_r)
{
    size_t ham, spam;
    count_classes(labels, count, &ham, &spam);
    if (ham == 0 || spam == 0)
        return nd_fail(error, ND_NOTHING,
                       "calibration needs held-out samples of both classes "
                       "(%zu ham, %zu spam)",
                       ham, spam);
    struct fit_data data = {
        log_odds,
        labels,
        count,
        {1 / ((double)ham + 2), ((double)spam + 1) / ((double)spam + 2)}};
    double slope = 0;
    double offset = log(((double)spam + 1) / ((double)ham + 1));
    for (int i = 0; i < MOST_STEPS; i++) {
        struct newton sums = sums_at(&data, slope, offset);
        double steepest =
            fmax(fabs(sums.gradient_slope), fabs(sums.gradient_offset));
        if (steepest < 1e-7 || !line_search(&data, &sums, &slope, &offset))
            break;
    }
    keep_positive(&data, &slope, &offset);
    *calibration_r = (struct nd_calibration){slope, offset, 0.5, 0.5};
    return ND_OK;
}

double nd_probability(const struct nd_calibration *calibration, double log_odds)
{
    return logistic(calibration->slope * log_odds + calibration->offset);
}

static int rising(const void *first, const void *second)
{
    double a = *(const double *)first, b = *(const double *)second;
    return (a > b) - (a < b);
}

/* How many deviations from the middle of a normal distribution a share of it
 * begins, where the deviation was taken from as many samples as freedom says:
 * Student's distribution by Fisher's expansion (Abramowitz and Stegun 26.7.5).
 * share is 0.5 at most. */
static double deviations(double share, double freedom)
{
    double low = 0, high = 10;
    while (high - low > 1e-9) {
        double middle = (low + high) / 2;
        if (erfc(middle / sqrt(2)) / 2 > share)
            low = middle;
        else
            high = middle;
    }
    double z = low, cube = z * z * z;
    return z + (cube + z) / (4 * freedom) +
           (5 * cube * z * z + 16 * cube + 3 * z) / (96 * freedom * freedom);
}

/* Where a share of target is left beyond, by the values' upper half, rising. */
static double half_limit(const double *values, size_t n, double target)
{
    double middle = (values[(n - 1) / 2] + values[n / 2]) / 2;
    double squares = 0;
    size_t above = n / 2;
    if (above == 0)
        return middle;
    for (size_t i = n - above; i < n; i++)
        squares += (values[i] - middle) * (values[i] - middle);
    return middle + sqrt(squares / (double)above) *
                        deviations(fmin(target, 0.5), (double)above);
}

/* The same by the tail, which has tail values, 1 to n - 1. */
static double excess_limit(const double *values, size_t n, size_t tail,
                           double target)
{
    double base = values[n - 1 - tail];
    double excess = 0;
    for (size_t i = n - tail; i < n; i++)
        excess += values[i] - base;
    double share = (double)tail / (double)n;
    return base + excess / (double)tail * log(share / target);
}

/* The value that a share of target of the class lies beyond, upwards. sign
 * turns the order round for the lower tail. NaN without a sample. */
static double tail_limit(const double *log_odds, const uint8_t *labels,
                         size_t count, int label, double target)
{
    double sign = label ? -1 : 1;
    double limit = NAN;
    double *values = nd_calloc(count, sizeof(*values));
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if ((labels[i] != 0) == label)
            values[n++] = sign * log_odds[i];
    qsort(values, n, sizeof(*values), rising);
    target = fmax(target, LEAST_TARGET);
    double tenth = TAIL_SHARE * (double)n;
    size_t tail = (size_t)fmax(ceil(tenth), TAIL_LEAST);
    if (tail + 1 > n)
        tail = n > 1 ? n - 1 : 0;
    if (n > 0)
        limit = half_limit(values, n, target);
    if (tail > 0)
        limit += tenth / (tenth + HALF_WEIGHT) *
                 (excess_limit(values, n, tail, target) - limit);
    free(values);
    return sign * limit;
}

void nd_set_thresholds(const double *log_odds, const uint8_t *labels,
                       size_t count, struct nd_targets targets,
                       struct nd_calibration *calibration)
{
    double spam = tail_limit(log_odds, labels, count, 0, targets.fpr);
    double ham = tail_limit(log_odds, labels, count, 1, targets.fnr);
    double high = nd_probability(calibration, spam);
    double low = nd_probability(calibration, ham);
    calibration->spam_threshold = isnan(high) ? 1 : fmax(high, SPAM_LEAST);
    calibration->ham_threshold = isnan(low) ? 0 : fmin(low, HAM_MOST);
}
