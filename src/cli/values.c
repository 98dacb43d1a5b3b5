/* SPDX-License-Identifier: Apache-2.0
 *
 * From the words behind options to numbers, times and names, with errors that
 * name the option.
 */
#include "cli/values.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/units.h"
#include "features/features.h"

enum nd_status nd_value_count(struct nd_cli *cli, const char *option,
                              uint64_t minimum, uint64_t maximum,
                              uint64_t *value_r)
{
    const char *text = nd_arguments_value(cli->arguments, option);
    struct nd_error detail = {0};
    int64_t value;
    if (text == NULL) {
        return ND_OK;
    }
    if (nd_parse_integer(text, &detail, &value) != ND_OK) {
        return nd_fail(&cli->error, ND_USAGE, "--%s: %s", option, detail.text);
    }
    if (value < 0 || (uint64_t)value < minimum || (uint64_t)value > maximum) {
        return nd_fail(&cli->error, ND_USAGE, "--%s %s is not in %llu to %llu",
                       option, text, (unsigned long long)minimum,
                       (unsigned long long)maximum);
    }
    *value_r = (uint64_t)value;
    return ND_OK;
}

enum nd_status nd_value_number(struct nd_cli *cli, const char *option,
                               double minimum, double maximum, double *value_r)
{
    const char *text = nd_arguments_value(cli->arguments, option);
    struct nd_error detail = {0};
    double value;
    if (text == NULL) {
        return ND_OK;
    }
    if (nd_parse_number(text, &detail, &value) != ND_OK) {
        return nd_fail(&cli->error, ND_USAGE, "--%s: %s", option, detail.text);
    }
    if (value < minimum || value > maximum) {
        return nd_fail(&cli->error, ND_USAGE, "--%s %s is not in %g to %g",
                       option, text, minimum, maximum);
    }
    *value_r = value;
    return ND_OK;
}

static bool parse_date(const char *text, int64_t *wall_ms_r)
{
    static const char *const formats[] = {"%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"};
    for (size_t i = 0; i < 2; i++) {
        struct tm date = {0};
        const char *end = strptime(text, formats[i], &date);
        if (end != NULL && *end == '\0') {
            *wall_ms_r = (int64_t)timegm(&date) * 1000;
            return true;
        }
    }
    return false;
}

enum nd_status nd_value_past(struct nd_cli *cli, const char *option,
                             int64_t *wall_ms_r)
{
    const char *text = nd_arguments_value(cli->arguments, option);
    int64_t duration_ms;
    if (text == NULL || parse_date(text, wall_ms_r)) {
        return ND_OK;
    }
    if (nd_parse_duration(text, NULL, &duration_ms) != ND_OK ||
        duration_ms < 0) {
        return nd_fail(&cli->error, ND_USAGE,
                       "--%s %s is neither a duration (2d, 6h, 30m) nor a "
                       "date (2026-11-01)",
                       option, text);
    }
    *wall_ms_r = nd_clock_wall_ms() - duration_ms;
    return ND_OK;
}

enum nd_status nd_value_source(struct nd_cli *cli, const char *option,
                               int *source_r)
{
    const char *text = nd_arguments_value(cli->arguments, option);
    if (text == NULL) {
        return ND_OK;
    }
    for (int source = 0; source < ND_SOURCE_COUNT; source++) {
        if (strcmp(text, nd_source_name((enum nd_source)source)) == 0) {
            *source_r = source;
            return ND_OK;
        }
    }
    return nd_fail(&cli->error, ND_USAGE,
                   "--%s %s is none of: user, trap, api, autolearn", option,
                   text);
}

enum nd_status nd_value_class(struct nd_cli *cli, const char *option,
                              int *class_r)
{
    const char *text = nd_arguments_value(cli->arguments, option);
    if (text == NULL) {
        return ND_OK;
    }
    if (strcmp(text, "spam") != 0 && strcmp(text, "ham") != 0) {
        return nd_fail(&cli->error, ND_USAGE, "--%s %s is neither spam nor ham",
                       option, text);
    }
    *class_r = strcmp(text, "spam") == 0 ? ND_SPAM : ND_HAM;
    return ND_OK;
}

enum nd_status nd_value_families(struct nd_cli *cli, const char *option,
                                 uint32_t *mask_r)
{
    const char *text = nd_arguments_value(cli->arguments, option);
    struct nd_error detail = {0};
    if (text == NULL) {
        return ND_OK;
    }
    if (nd_families_parse(text, &detail, mask_r) != ND_OK) {
        return nd_fail(&cli->error, ND_USAGE, "--%s: %s", option, detail.text);
    }
    return ND_OK;
}
